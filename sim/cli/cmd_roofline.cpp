#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/scenario_flags.hpp"
#include "core/error.hpp"
#include "model/hf_config.hpp"
#include "report/builders/roofline.hpp"
#include "study/operator_roofline.hpp"
#include "study/standard_plan.hpp"

namespace fathom::cli {
namespace {

constexpr const char* kWhere = "command line#";
constexpr const char* kUsualKind = "gqa-8";

struct Request {
  ScenarioFlags flags;
  std::vector<std::string> batches;
  std::string other;  // empty: kUsualKind where the model's heads allow it
  OutputOptions output;
};

std::vector<double> batches_of(const Request& request) {
  if (request.batches.empty()) return {1.0, 16.0, 64.0, 128.0, 256.0};
  std::vector<double> out;
  for (const std::string& text : request.batches) {
    std::size_t used = 0;
    double value = 0.0;
    try {
      value = std::stod(text, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != text.size() || !std::isfinite(value) || value <= 0.0 || value > 1e6) {
      throw InputError(fmt::format(
          "{}/batches: found '{}', expected sequences per GPU, above 0 and at most 1000000", kWhere,
          text));
    }
    out.push_back(value);
  }
  return out;
}

bool gives(const ScenarioFlags& flags, std::string_view prefix) {
  const auto any = [prefix](const auto& list) {
    return std::any_of(list.begin(), list.end(),
                       [prefix](const auto& item) { return item.first.starts_with(prefix); });
  };
  return any(flags.numbers) || any(flags.texts) || any(flags.switches) ||
         std::any_of(flags.sets.begin(), flags.sets.end(),
                     [prefix](const std::string& set) { return set.starts_with(prefix); });
}

// Without a scenario file the phase is decode at 4 Ki, and the first batch fills the workload.
void complete(ScenarioFlags& flags, double first_batch) {
  if (!flags.file.empty()) return;
  if (!gives(flags, "/phase")) flags.texts.emplace_back("/phase", "decode");
  if (gives(flags, "/workload/prompt_tokens")) {
    if (!gives(flags, "/workload/prompts")) {
      flags.numbers.emplace_back("/workload/prompts_per_gpu", fmt::format("{}", first_batch));
    }
    return;
  }
  if (!gives(flags, "/workload/context_tokens")) {
    flags.numbers.emplace_back("/workload/context_tokens", "4096");
  }
  if (!gives(flags, "/workload/sequences")) flags.numbers.emplace_back("/workload/sequences", "1");
}

NamedScenario resolve_with_plan(Request& request) {
  const bool has_plan = !request.flags.file.empty() || gives(request.flags, "/plan");
  NamedScenario named = resolve(request.flags);
  if (has_plan) return named;
  study::Scenario& s = named.scenario;
  const auto* decode = std::get_if<infer::DecodeQuery>(&s.workload);
  const double longest = decode != nullptr
                             ? decode->context_tokens
                             : std::get<infer::PrefillQuery>(s.workload).prompt_tokens;
  const auto plan = study::smallest_plan(s.model.arch, s.cluster, s.options, longest);
  if (!plan) {
    throw InputError(fmt::format("{}/plan: missing, and no standard plan holds {} on {}", kWhere,
                                 s.model.arch.name, s.cluster.id));
  }
  s.plan = *plan;
  s.notes.push_back(
      fmt::format("No plan given: {}, the smallest standard plan that holds one "
                  "sequence of {:.0f} tokens.",
                  mapping::describe(*plan), longest));
  return named;
}

// Nobody asked for the usual kind, so a model that cannot take it is no mistake.
std::string other_attention(const std::string& asked, study::Scenario& scenario) {
  if (asked == "none") return "";
  if (!asked.empty()) return asked;
  try {
    model::with_attention(scenario.model.arch, kUsualKind);
    return kUsualKind;
  } catch (const InputError& reason) {
    scenario.notes.push_back(fmt::format("No {} beside it: {}", kUsualKind, reason.what()));
    return "";
  }
}

void run(Request request) {
  const std::vector<double> batches = batches_of(request);
  complete(request.flags, batches.front());
  NamedScenario named = resolve_with_plan(request);
  const std::string other = other_attention(request.other, named.scenario);
  const study::OperatorRoofline roofline =
      study::operator_roofline(named.scenario, batches, other, kWhere);
  report::Document document = report::roofline_document(roofline);
  document.metadata.inputs = named.inputs;
  emit(std::move(document), study::to_json(roofline), request.output);
}

}  // namespace

void add_roofline(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("roofline", "Every operator of a step on its device's roofline");
  add_scenario_flags(*command, request->flags);
  command
      ->add_option("--batches", request->batches,
                   "Sequences (prefill: prompts) per GPU, in place of the scenario's number")
      ->delimiter(',')
      ->option_text("N,… [1,16,64,128,256]");
  command
      ->add_option("--with-attention", request->other,
                   "Attention cores of the same model with this kind beside its own, or none")
      ->option_text("KIND [gqa-8]");
  add_output_options(*command, request->output,
                     {"table", "json", "csv", "markdown", "html", "svg", "png"});
  command->footer(
      "Examples:\n"
      "  fathom roofline --model deepseek-v3 --hardware h800\n"
      "  fathom roofline examples/deepseek-v3-h800-decode.json --batches 1,64,128\n"
      "  fathom roofline --model deepseek-v3.2 --hardware h200 --context 131072 --format svg\n"
      "  fathom roofline --model deepseek-v3 --hardware h800 --phase prefill --prompt-tokens 4096 "
      "\\\n      --ep 32 --dp 32 --batches 1,4 --format html -o roofline.html");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
