#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/plan_flags.hpp"
#include "cli/progress.hpp"
#include "report/builders/capacity.hpp"
#include "study/plan_search.hpp"

namespace fathom::cli {
namespace {

struct Request {
  PlanFlags flags;
  OutputOptions output;
  int threads = 0;
  bool exhaustive = false;
};

int run(const Request& request) {
  const NamedRequest named = resolve(request.flags);
  Progress progress("plan");
  const study::PlanResult result = study::search_plans(
      named.request, {.threads = request.threads,
                      .exhaustive = request.exhaustive,
                      .progress = [&](double share) { progress.report(share); }});
  progress.finish();
  report::Document document = report::capacity_document(result);
  document.metadata.inputs.insert(document.metadata.inputs.begin(), named.inputs.begin(),
                                  named.inputs.end());
  emit(std::move(document), study::to_json(result), request.output);
  if (study::smallest_cluster(result) != nullptr) return kOk;
  fmt::print(stderr, "infeasible: no cluster meets the targets\n");
  return kInfeasible;
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "plan", "The smallest and the cheapest cluster for a traffic and its latency targets");
  add_plan_flags(*command, request->flags);
  command->add_option("--threads", request->threads, "Threads of the search; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  command->add_flag("--exhaustive", request->exhaustive,
                    "Evaluate what bounds rule out too: the same answer, later");
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg"});
  command->footer(
      "Examples:\n"
      "  fathom plan examples/plan-deepseek-v3.json\n"
      "  fathom plan examples/plan-deepseek-v3.json --rate 40 --hardware h200,b200\n"
      "  fathom plan --model deepseek-v3 --hardware h800 --isl 4096 --osl 1024 --rate 20 \\\n"
      "      --ttft-s 5 --tpot-ms 50 --format html -o plan.html\n"
      "\n"
      "Exit code 3: nothing meets the targets; the answer says what is reachable instead.");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
