#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/document.hpp"
#include "study/scenario.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// A scenario as a command line asks for it: a file, flags, or flags on top of a file.
struct ScenarioFlags {
  std::string file;
  std::vector<std::pair<std::string, std::string>> numbers;  // JSON pointer, text as typed
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::string>> loads;  // --expert-load, see load_flag.hpp
  std::vector<std::pair<std::string, bool>> switches;
  std::vector<std::string> patches;  // FIELD=VALUE of model_patch
  std::vector<std::string> sets;     // /json/pointer=value of anything
};

/// Adds the positional SCENARIO.json and one flag per scenario field.
void add_scenario_flags(CLI::App& command, ScenarioFlags& flags);

/// A scenario with the files that it came from, for the metadata of a report.
struct NamedScenario {
  study::Scenario scenario;
  std::vector<report::Input> inputs;
  std::string document;  // JSON: the file with the flags in it
};

/// The document that the flags describe, read as if it were a file named "command line". InputError
/// as study::parse_scenario.
NamedScenario resolve(const ScenarioFlags& flags);

}  // namespace fathom::cli
