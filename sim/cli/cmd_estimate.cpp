#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/scenario_flags.hpp"
#include "report/builders/estimate.hpp"
#include "report/builders/what_if.hpp"
#include "study/evaluate.hpp"
#include "validate/estimate_interval.hpp"
#include "whatif/estimate_json.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

struct Request {
  ScenarioFlags flags;
  OutputOptions output;
};

json inputs_json(const std::vector<report::Input>& inputs) {
  json rows = json::array();
  for (const report::Input& input : inputs) {
    rows.push_back({{"name", input.name}, {"hash", input.hash}});
  }
  return rows;
}

int infeasible(const json& data, const std::string& reason, const OutputOptions& output) {
  fmt::print(stderr, "infeasible: {}\n", reason);
  if (output.format == "json") emit({}, data, output);
  return kInfeasible;
}

int run(const Request& request) {
  const NamedScenario named = resolve(request.flags);
  const study::Answer answer = study::evaluate(named.scenario);
  json data = whatif::estimate_json(named.scenario, answer);
  if (const auto* no = std::get_if<infer::Infeasible>(&answer.outcome))
    return infeasible(data, no->reason, request.output);
  data["inputs"] = inputs_json(named.inputs);
  const auto interval = validate::estimate_interval(named.scenario);
  report::Document page = report::estimate_page(named.scenario, answer);
  page.metadata.inputs = named.inputs;
  const bool decode = std::holds_alternative<infer::DecodeQuery>(named.scenario.workload);
  if (interval) {
    data["interval"] = validate::to_json(*interval, decode);
    page.blocks.insert(page.blocks.begin(),
                       report::Note{report::NoteKind::info, validate::describe(*interval, decode)});
  }
  auto what_if =
      report::what_if_blocks(json::parse(named.document), named.scenario, answer, question_line());
  if (request.output.format == "html") {
    report::insert_what_if(page, std::move(what_if), "");
  } else {
    page.blocks.push_back(std::move(what_if.back()));
  }
  if (interval) {
    const auto figures = std::ranges::find_if(page.blocks, [](const report::Block& block) {
      return std::holds_alternative<report::KeyFigures>(block.content);
    });
    page.blocks.insert(
        std::next(figures),
        validate::interval_plot(*interval, std::get<infer::InferEstimate>(answer.outcome)));
  }
  emit(std::move(page), data, request.output);
  return kOk;
}

}  // namespace

void add_estimate(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("estimate", "Time, throughput and memory of one serving scenario");
  add_scenario_flags(*command, request->flags);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
  command->footer(
      "Examples:\n"
      "  fathom estimate examples/deepseek-v3-h800-decode.json\n"
      "  fathom estimate examples/deepseek-v3-h800-decode.json --sequences-per-gpu 64\n"
      "  fathom estimate --model deepseek-v3 --hardware h800 --phase decode --ep 128 --dp 128 \\\n"
      "      --two-batch-overlap --sequences-per-gpu 128 --context 4096 --format json\n"
      "  fathom estimate --model llama-3.1-70b --hardware h100-sxm --phase prefill --tp 8 \\\n"
      "      --prompts 4 --prompt-tokens 4096 --format html -o prefill.html\n"
      "  fathom estimate examples/deepseek-v3-h800-decode.json --format svg --figure 2 -o "
      "step.svg");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
