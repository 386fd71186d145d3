#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "hw/cluster.hpp"
#include "report/builders/hardware_page.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string action;
  std::vector<std::string> names;
  OutputOptions output;
};

void list_hardware(const Request& request) {
  if (!request.names.empty()) {
    throw InputError(
        fmt::format("command line: list takes no name, found '{}'; did you mean "
                    "'show {}'?",
                    request.names.front(), request.names.front()));
  }
  std::vector<hw::Cluster> clusters;
  auto rows = nlohmann::json::array();
  for (const std::string& name : list_data_files("hwprofiles")) {
    clusters.push_back(hw::load_cluster(name));
    nlohmann::json row = hw::to_json(clusters.back());
    // the list stays a list: `show` has the table and the citations
    row["efficiency"] = clusters.back().efficiency.name;
    row.erase("sources");
    rows.push_back(std::move(row));
  }
  emit(report::hardware_list(clusters), {{"hardware", rows}}, request.output);
}

void show_hardware(const Request& request) {
  if (request.names.size() != 1) {
    throw InputError(
        fmt::format("command line: show takes one name or file, found {}", request.names.size()));
  }
  const hw::Cluster cluster = hw::load_cluster(request.names.front());
  emit(report::hardware_page(cluster), hw::to_json(cluster), request.output);
}

report::HardwareFindings findings_of(const std::string& name) {
  report::HardwareFindings findings{.name = name};
  try {
    findings.warnings = hw::check(hw::load_cluster(name));
  } catch (const InputError& error) {
    findings.error = error.what();
  }
  return findings;
}

int check_hardware(const Request& request) {
  std::vector<report::HardwareFindings> profiles;
  auto rows = nlohmann::json::array();
  std::size_t broken = 0;
  std::string first_error;
  for (const std::string& name :
       request.names.empty() ? list_data_files("hwprofiles") : request.names) {
    profiles.push_back(findings_of(name));
    const report::HardwareFindings& found = profiles.back();
    rows.push_back({{"name", found.name}, {"error", found.error}, {"warnings", found.warnings}});
    if (found.error.empty()) continue;
    ++broken;
    if (first_error.empty()) first_error = found.error;
  }
  // One file that does not load is the same mistake as for every other command.
  if (broken > 0 && profiles.size() == 1) throw InputError(first_error);
  emit(report::hardware_findings(profiles), {{"profiles", rows}}, request.output);
  if (broken == 0) return kOk;
  fmt::print(stderr, "error: {} of {} profiles do not load\n", broken, profiles.size());
  return kInput;
}

int run(const Request& request) {
  constexpr std::array<std::string_view, 3> kActions{"list", "show", "check"};
  if (request.action == "list") {
    list_hardware(request);
    return kOk;
  }
  if (request.action == "show") {
    show_hardware(request);
    return kOk;
  }
  if (request.action == "check") return check_hardware(request);
  const std::string hint = did_you_mean(request.action, kActions);
  throw InputError(fmt::format("command line: unknown action '{}' of hardware{}", request.action,
                               hint.empty() ? "; expected list, show or check" : hint));
}

}  // namespace

void add_hardware(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("hardware", "Systems: list them, show one with its sources, check files");
  command->add_option("action", request->action, "What to do")
      ->required()
      ->option_text("list|show|check");
  command
      ->add_option("names", request->names,
                   "Names from hwprofiles/ or files; check without any looks at all of them")
      ->option_text("NAME|FILE ...");
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Examples:\n"
      "  fathom hardware list\n"
      "  fathom hardware show h800\n"
      "  fathom hardware show ./my-cluster.json --format json\n"
      "  fathom hardware check");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
