#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/document.hpp"
#include "study/plan_request.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// A plan request as a command line asks for it: a file, flags, or flags on top of a file.
struct PlanFlags {
  std::string file;
  std::vector<std::pair<std::string, std::string>> values;  // JSON pointer, text as typed
  std::vector<std::pair<std::string, std::string>> lists;   // the same, comma-separated
  std::vector<std::string> sets;                            // /json/pointer=value of anything
};

/// Adds the positional REQUEST.json and one flag per field.
void add_plan_flags(CLI::App& command, PlanFlags& flags);

struct NamedRequest {
  study::PlanRequest request;
  std::vector<report::Input> inputs;
};

/// The document that the flags describe, read as if it were a file named "command line".
NamedRequest resolve(const PlanFlags& flags);

}  // namespace fathom::cli
