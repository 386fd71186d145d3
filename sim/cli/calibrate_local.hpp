#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/machine_flags.hpp"

namespace fathom::cli {

/// `fathom calibrate` without --import: this machine.
struct LocalRequest {
  MachineFlags machine{.threads = 0};
  std::vector<std::string> only;
  double seconds = 1.0;  // per kernel
  std::string profile;   // where the profile goes; empty: where --hardware local looks
};
void add_local_flags(CLI::App& command, LocalRequest& request);

/// Measures the micro-shapes, fits, writes the profile (whole or not at all) and the report.
void calibrate_this_machine(const LocalRequest& request, const OutputOptions& output);

}  // namespace fathom::cli
