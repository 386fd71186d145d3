#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/scenario_flags.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "study/evaluate.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

struct Request {
  ScenarioFlags flags;
  std::string stage;
  OutputOptions output{.format = "json"};
};

// In the order of the data flow.
constexpr std::array<std::string_view, 8> kStages{"scenario", "load",   "cluster", "arch",
                                                  "graph",    "mapped", "timed",   "estimate"};

// Stages before the plan meets the machine exist whether or not the scenario can run.
bool before_plan(const std::string& stage, const study::Scenario& scenario, json& out) {
  if (stage == "scenario") out = study::to_json(scenario);
  if (stage == "load") {
    out =
        scenario.load ? study::to_json(*scenario.load) : json{{"load", scenario.plan.expert_load}};
  }
  if (stage == "cluster") out = hw::to_json(scenario.cluster);
  if (stage == "arch") out = model::to_json(scenario.model.arch);
  return !out.is_null();
}

// Names of forms become what they are, how far off on shapes they were not fitted to, and where
// their measurements come from.
json timed_stage(const study::Answer& answer) {
  json out = timing::to_json(answer.model.timed);
  const json forms = hw::to_json(answer.model.cluster.efficiency.forms);
  for (json& block : out["blocks"]) {
    for (json& node : block["nodes"]) {
      if (!node.contains("form")) continue;
      const json& form = forms.at(node["form"].get<std::string>());
      const bool measured = node["fidelity"] == "measured" && form.contains("ratios");
      const json& errors = measured ? form["ratios"] : form;
      node["median_error"] = errors["median_error"];
      node["p90_error"] = errors["p90_error"];
      for (const char* key : {"family", "group", "samples", "source"}) {
        node["fit"][key] = form[key];
      }
    }
  }
  return out;
}

json after_plan(const std::string& stage, const study::Answer& answer) {
  if (stage == "graph") return model::to_json(answer.model.graph);
  if (stage == "mapped") return mapping::to_json(answer.model.mapped);
  if (stage == "timed") return timed_stage(answer);
  return infer::to_json(std::get<infer::InferEstimate>(answer.outcome));
}

int run(const Request& request) {
  const NamedScenario named = resolve(request.flags);
  json out;
  if (!before_plan(request.stage, named.scenario, out)) {
    const study::Answer answer = study::evaluate(named.scenario);
    if (const auto* no = std::get_if<infer::Infeasible>(&answer.outcome)) {
      fmt::print(stderr, "infeasible: {}\n", no->reason);
      emit({}, {{"infeasible", no->reason}}, request.output);
      return kInfeasible;
    }
    out = after_plan(request.stage, answer);
  }
  emit({}, out, request.output);
  return kOk;
}

}  // namespace

void add_explain(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("explain", "One stage of the way from scenario to estimate, as JSON");
  const auto known = [](const std::string& found) {
    for (const std::string_view stage : kStages) {
      if (stage == found) return std::string();
    }
    const std::string hint = did_you_mean(found, kStages);
    return fmt::format(
        "unknown stage '{}'{}", found,
        hint.empty() ? fmt::format("; expected {}", fmt::join(kStages, ", ")) : hint);
  };
  command->add_option("--stage", request->stage, fmt::format("{}", fmt::join(kStages, ", ")))
      ->required()
      ->check(known)
      ->option_text("STAGE");
  add_scenario_flags(*command, request->flags);
  add_output_options(*command, request->output, {"json"});
  command->footer(
      "Examples:\n"
      "  fathom explain examples/deepseek-v3-h800-decode.json --stage scenario\n"
      "  fathom explain examples/deepseek-v3-h800-decode.json --stage mapped\n"
      "  fathom explain --model deepseek-v3 --hardware h800 --phase decode --sequences 1 \\\n"
      "      --context 4096 --tp 16 --stage timed -o timed.json");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
