#pragma once

#include <cstdint>
#include <string>

#include "measure/run.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// What commands that run kernels on this machine share.
struct MachineFlags {
  std::string isa;  // empty: the fastest
  int threads = 1;  // 0: all
  std::uint64_t seed = 1;
  bool strict = false;  // refuse a busy machine
};
void add_machine_flags(CLI::App& command, MachineFlags& flags);

/// Fills the run's options. InputError when the instruction set is not there, or with --strict when
/// the machine is busy.
void apply(const MachineFlags& flags, measure::RunOptions& options);

}  // namespace fathom::cli
