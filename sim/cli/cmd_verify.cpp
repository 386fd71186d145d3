#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "verify/page.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string directory;
  bool failures_only = false;
  OutputOptions output;
};

int run(const Request& request) {
  const auto folders = verify::find_cases(request.directory);
  std::vector<verify::CaseReport> cases;
  Progress progress{"replaying golden cases"};
  for (const auto& folder : folders) {
    cases.push_back(verify::verify_case(folder));
    progress.report(static_cast<double>(cases.size()) / static_cast<double>(folders.size()));
  }
  progress.finish();
  emit(verify::page(cases, request.failures_only), verify::to_json(cases), request.output);
  const verify::Summary summary = verify::summarize(cases);
  for (const verify::CaseReport& report : cases) {
    if (!report.error.empty()) fmt::print(stderr, "error: {}\n", report.error);
  }
  if (summary.unreadable > 0) return kInput;
  return summary.failed > 0 || summary.unknown > 0 ? kOutsideTolerance : kOk;
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "verify", "Replay golden tensors of the original authors' code with our kernels");
  command
      ->add_option("directory", request->directory,
                   "A folder of cases (subfolders with a case.json) or one case")
      ->required()
      ->option_text("DIR");
  command->add_flag("--failures", request->failures_only, "List only what does not pass");
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "A case is a folder with case.json (config; inputs, weights and expected tensors with their\n"
      "files, dtypes, shapes and tolerances) and .npy files. Its kind is recognised by what it\n"
      "holds; nothing is known about particular cases.\n"
      "\n"
      "Exit codes: 0 all pass, 2 a case cannot be read (the others still run), 4 a tensor is\n"
      "outside of its tolerance or a case is of an unknown kind.\n"
      "\n"
      "Examples:\n"
      "  fathom verify tests/golden/kernels\n"
      "  fathom verify tests/golden/kernels/mla_v3_noqlora\n"
      "  fathom verify cases --failures\n"
      "  fathom verify cases --format json -o verify.json");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
