#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/plan_flags.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/plan_comparison.hpp"
#include "report/builders/what_if.hpp"
#include "study/plan_figures.hpp"
#include "study/plan_studies.hpp"

namespace fathom::cli {
namespace {

struct Request {
  PlanFlags flags;
  OutputOptions output;
  int threads = 0;
  bool odds = false;
  bool sensitivity = false;
  bool replan = false;
  double step = 0.2;
  std::string against;
  bool exhaustive = false;
};

study::PlanResult searched(const study::PlanRequest& question, const Request& request) {
  Progress progress("searching plans");
  study::PlanResult result =
      study::search_plans(question, {.threads = request.threads,
                                     .exhaustive = request.exhaustive,
                                     .progress = [&](double share) { progress.report(share); }});
  progress.finish();
  return result;
}

study::PlanStudies studied(const study::PlanResult& result, const Request& request) {
  Progress progress("varying inputs");
  study::StudyOptions options{.odds = request.odds};
  if (request.sensitivity) {
    options.sensitivity = {.step = request.step,
                           .replan = request.replan,
                           .threads = request.threads,
                           .progress = [&](double share) { progress.report(share); }};
  }
  study::PlanStudies out = study::studies_of(result, options);
  progress.finish();
  return out;
}

// A result as it was written, or the answer to a request.
nlohmann::json answer_in(const PlanFlags& flags, const Request& request,
                         std::vector<report::Input>& inputs) {
  if (!flags.file.empty()) {
    const std::string text = read_text(flags.file);
    nlohmann::json document = parse_json(text, flags.file);
    if (study::is_plan_result(document)) {
      if (!flags.values.empty() || !flags.lists.empty() || !flags.sets.empty()) {
        throw InputError(fmt::format(
            "{}: found a result, which flags cannot change; expected a request", flags.file));
      }
      inputs.push_back({flags.file, content_hash(text)});
      return document;
    }
  }
  const NamedRequest named = resolve(flags);
  inputs.insert(inputs.end(), named.inputs.begin(), named.inputs.end());
  return study::to_json(searched(named.request, request));
}

int compare(const Request& request) {
  if (request.odds || request.sensitivity) {
    throw InputError(
        "command line: --against shows two plans side by side; expected no --odds or "
        "--sensitivity with it");
  }
  std::vector<report::Input> inputs;
  const nlohmann::json a = answer_in(request.flags, request, inputs);
  const nlohmann::json b = answer_in({.file = request.against}, request, inputs);
  const auto comparison =
      study::compare_plans(a, request.flags.file + "#", b, request.against + "#");
  report::Document document = report::comparison_document(comparison);
  document.metadata.inputs = std::move(inputs);
  emit(std::move(document), study::to_json(comparison), request.output);
  return comparison.a.cluster.empty() && comparison.b.cluster.empty() ? kInfeasible : kOk;
}

int run(const Request& request) {
  if (!request.against.empty()) return compare(request);
  const NamedRequest named = resolve(request.flags);
  const study::PlanResult result = searched(named.request, request);
  const study::PlanStudies studies = studied(result, request);
  report::Document document = report::capacity_document(result, studies);
  document.metadata.inputs.insert(document.metadata.inputs.begin(), named.inputs.begin(),
                                  named.inputs.end());
  if (request.output.format == "html")
    report::insert_what_if(document, report::what_if_blocks(result), "");
  emit(std::move(document), study::to_json(result, studies), request.output);
  if (study::smallest_cluster(result) != nullptr) return kOk;
  fmt::print(stderr, "infeasible: no cluster meets the targets\n");
  return kInfeasible;
}

void add_study_flags(CLI::App& command, Request& request) {
  const char* group = "About the answer";
  command.add_flag("--odds", request.odds, "How likely the latency targets hold")->group(group);
  auto* sensitivity = command
                          .add_flag("--sensitivity", request.sensitivity,
                                    "Which input moves the answer most, one at a time")
                          ->group(group);
  command.add_flag("--replan", request.replan, "... with a whole search for each")
      ->needs(sensitivity)
      ->group(group);
  command.add_option("--step", request.step, "... by this share")
      ->needs(sensitivity)
      ->check(CLI::Range(0.001, 0.9))
      ->option_text("SHARE [0.2]")
      ->group(group);
  command
      .add_option("--against", request.against,
                  "Another request, or a result in JSON, side by side")
      ->option_text("B.json")
      ->group(group);
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "plan", "The smallest and the cheapest cluster for a traffic and its latency targets");
  add_plan_flags(*command, request->flags);
  add_study_flags(*command, *request);
  command->add_option("--threads", request->threads, "Threads of the search; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  command->add_flag("--exhaustive", request->exhaustive,
                    "Evaluate what bounds rule out too: the same answer, later");
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
  command->footer(
      "Examples:\n"
      "  fathom plan examples/plan-deepseek-v3.json\n"
      "  fathom plan examples/plan-deepseek-v3.json --rate 40 --hardware h200,b200\n"
      "  fathom plan --model deepseek-v3 --hardware h800 --isl 4096 --osl 1024 --rate 20 \\\n"
      "      --ttft-s 5 --tpot-ms 50 --format html -o plan.html\n"
      "  fathom plan examples/plan-deepseek-v3.json --ttft-p99-s 8 --odds\n"
      "  fathom plan examples/plan-deepseek-v3-lengths.json --sensitivity\n"
      "  fathom plan examples/plan-deepseek-v3.json --against "
      "examples/plan-deepseek-v3-mtp.json\n"
      "\n"
      "Histograms, traces, percentiles, growth and failures: docs/planning.md.\n"
      "Exit code 3: nothing meets the targets; the answer says what is reachable instead.");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
