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
#include "study/class_memory.hpp"
#include "study/evaluate.hpp"
#include "validate/estimate_interval.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

struct Request {
  ScenarioFlags flags;
  OutputOptions output;
};

json operator_json(const study::OperatorRow& row) {
  const timing::OpTime& time = row.node.time;
  return {{"block", row.block},
          {"operator", row.name},
          {"kind", row.kind},
          {"stage", model::name(row.node.stage)},
          {"lane", mapping::name(row.node.lane)},
          {"calls", row.calls},
          {"flops", row.cost.flops.value},
          {"math", name(row.cost.math)},
          {"weight_bytes", row.cost.weight_read.value},
          {"activation_bytes", (row.cost.act_read + row.cost.act_write).value},
          {"kv_bytes", (row.cost.kv_read + row.cost.kv_write).value},
          {"wire_bytes", row.wire_bytes.value},
          {"time_s", time.total.value},
          {"ideal_s", time.ideal.value},
          {"total_s", row.calls * time.total.value},
          {"share", row.share},
          {"bound", timing::name(time.bound)},
          {"efficiency_family", hw::name(time.family)},
          {"fidelity", timing::name(time.fidelity)},
          {"evidence", hw::name(time.evidence)}};
}

json memory_json(const study::Scenario& scenario, const study::Answer& answer) {
  json rows = json::array();
  const std::vector<mapping::MemoryFootprint> memory = study::class_memory(scenario, answer);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    json row = mapping::to_json(memory[i]);
    row["rank_class"] = answer.model.classes[i].name;
    row["ranks"] = answer.model.classes[i].ranks;
    rows.push_back(std::move(row));
  }
  return rows;
}

json inputs_json(const std::vector<report::Input>& inputs) {
  json rows = json::array();
  for (const report::Input& input : inputs) {
    rows.push_back({{"name", input.name}, {"hash", input.hash}});
  }
  return rows;
}

json answer_json(const NamedScenario& named, const study::Answer& answer) {
  json operators = json::array();
  for (const study::OperatorRow& row : study::operator_rows(answer)) {
    operators.push_back(operator_json(row));
  }
  return {{"scenario", study::to_json(named.scenario)},
          {"estimate", infer::to_json(std::get<infer::InferEstimate>(answer.outcome))},
          {"operators", std::move(operators)},
          {"memory", memory_json(named.scenario, answer)},
          {"mla_form", study::mla_form(answer)},
          {"notes", answer.notes},
          {"assumed", named.scenario.cluster.assumed},
          {"inputs", inputs_json(named.inputs)}};
}

int infeasible(const NamedScenario& named, const std::string& reason, const OutputOptions& output) {
  fmt::print(stderr, "infeasible: {}\n", reason);
  if (output.format == "json") {
    emit({}, {{"infeasible", reason}, {"scenario", study::to_json(named.scenario)}}, output);
  }
  return kInfeasible;
}

int run(const Request& request) {
  const NamedScenario named = resolve(request.flags);
  const study::Answer answer = study::evaluate(named.scenario);
  if (const auto* no = std::get_if<infer::Infeasible>(&answer.outcome)) {
    return infeasible(named, no->reason, request.output);
  }
  const auto interval = validate::estimate_interval(named.scenario);
  report::Document page = report::estimate_page(named.scenario, answer);
  page.metadata.inputs = named.inputs;
  const bool decode = std::holds_alternative<infer::DecodeQuery>(named.scenario.workload);
  json data = answer_json(named, answer);
  if (named.scenario.load) data["expert_load"] = study::to_json(*named.scenario.load);
  if (interval) {
    data["interval"] = validate::to_json(*interval, decode);
    // The figure follows the key figures, the note precedes them.
    const auto figures = std::ranges::find_if(page.blocks, [](const report::Block& block) {
      return std::holds_alternative<report::KeyFigures>(block.content);
    });
    page.blocks.insert(
        std::next(figures),
        validate::interval_plot(*interval, std::get<infer::InferEstimate>(answer.outcome)));
    page.blocks.insert(page.blocks.begin(),
                       report::Note{report::NoteKind::info, validate::describe(*interval, decode)});
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
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Examples:\n"
      "  fathom estimate examples/deepseek-v3-h800-decode.json\n"
      "  fathom estimate examples/deepseek-v3-h800-decode.json --sequences-per-gpu 64\n"
      "  fathom estimate --model deepseek-v3 --hardware h800 --phase decode --ep 128 --dp 128 \\\n"
      "      --two-batch-overlap --sequences-per-gpu 128 --context 4096 --format json\n"
      "  fathom estimate --model llama-3.1-70b --hardware h100-sxm --phase prefill --tp 8 \\\n"
      "      --prompts 4 --prompt-tokens 4096 --format html -o prefill.html");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
