#include "cli/starter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "hw/cluster.hpp"
#include "model/hf_config.hpp"
#include "study/standard_plan.hpp"

namespace fathom::cli {
namespace {

using json = nlohmann::ordered_json;  // in the order in which a person would write it

constexpr std::array<std::string_view, kStarterKinds> kNames{"scenario", "plan", "sweep"};
constexpr std::array<std::string_view, kStarterKinds> kVerbs{"estimate", "plan", "sweep"};
constexpr std::int64_t kContext = 4096;  // what published decode profiles are quoted at
constexpr double kMostSequences = 64.0;  // enough to amortise the weights, few enough to be quick

// What every starter says first: a model, a machine, and a cut that fits.
struct Setting {
  std::int64_t context = kContext;
  std::int64_t sequences = 1;  // per device with expert parallelism, else of the instance
  mapping::Plan plan;
};

Setting setting_of(const std::string& model_name, const std::string& hardware) {
  const model::Model model = model::load_model(model_name);
  if (model.arch.kv_cache_only) {
    throw InputError(fmt::format(
        "--model: {} describes its KV cache only; a step needs the whole model", model.arch.name));
  }
  const hw::Cluster cluster = hw::load_cluster(hardware);
  const model::LowerOptions options{.precision = model::default_precision(model.arch)};
  Setting setting;
  if (model.arch.max_position_embeddings > 0)
    setting.context = std::min<std::int64_t>(kContext, model.arch.max_position_embeddings / 2);
  const auto context = static_cast<double>(setting.context);
  const auto plan = study::smallest_plan(model.arch, cluster, options, context);
  if (!plan) {
    throw InputError(fmt::format(
        "--hardware: no usual cut of {} fits the memory of {} with {} tokens of context; "
        "`fathom hardware list` shows larger ones",
        model_name, hardware, setting.context));
  }
  setting.plan = *plan;
  const double fit = study::sequences_that_fit(model.arch, cluster, *plan, options, context);
  setting.sequences = static_cast<std::int64_t>(std::clamp(std::floor(fit), 1.0, kMostSequences));
  return setting;
}

json document(StarterKind kind) {
  const auto schema = data_dir() / "docs" / "schema" / (std::string(name(kind)) + ".json");
  return {{"$schema", "file://" + schema.string()}};
}

json plan_of(const mapping::Plan& plan) {
  json out = json::object();
  const auto put = [&](const char* key, std::int64_t ranks) {
    if (ranks > 1) out[key] = ranks;
  };
  put("tp", plan.tp);
  put("pp", plan.pp);
  put("ep", plan.ep);
  put("dp", plan.dp);
  if (out.empty()) out["tp"] = 1;
  return out;
}

json scenario_of(const Setting& setting, const std::string& model, const std::string& hardware) {
  const char* batch = setting.plan.dp > 1 ? "sequences_per_gpu" : "sequences";
  return {{"name", fmt::format("{} decode on {}", model, hardware)},
          {"model", model},
          {"hardware", hardware},
          {"phase", "decode"},
          {"plan", plan_of(setting.plan)},
          {"workload", {{batch, setting.sequences}, {"context_tokens", setting.context}}}};
}

json scenario(const std::string& model, const std::string& hardware) {
  json out = document(StarterKind::scenario);
  out["comment"] = {
      "One decode step: run it with `fathom estimate`, follow its numbers with `fathom explain`.",
      "model: a name of `fathom model --list` or a config.json; hardware: of `fathom hardware "
      "list`.",
      "plan: ranks by tensor (tp), pipeline (pp), expert (ep), context (cp) and data (dp) "
      "parallelism; this is the smallest usual cut that fits.",
      "workload: sequences decode together, each with context_tokens in its cache; add "
      "draft_tokens and acceptance for MTP.",
      "For prefill: phase prefill, and prompts and prompt_tokens as its workload.",
      "Every field with its range and default is in $schema, which editors complete from."};
  out.update(scenario_of(setting_of(model, hardware), model, hardware));
  return out;
}

json plan(const std::string& model, const std::string& hardware) {
  json out = document(StarterKind::plan);
  out["comment"] = {
      "The smallest and the cheapest cluster for a traffic: run it with `fathom plan`.",
      "hardware: systems to compare; several are tried one after another.",
      "traffic: tokens of a prompt and of an answer; requests_per_s, or concurrency instead.",
      "targets: mean time to first token and per output token; leave one out to free it.",
      "search (not here): which cuts to try; everything usual when it is missing."};
  out["name"] = fmt::format("{}, 2 requests/s", model);
  out["model"] = model;
  out["hardware"] = {hardware};
  // A chat's shape, and targets that readers hardly notice: 20 tokens per second.
  const std::int64_t context = setting_of(model, hardware).context;
  out["traffic"] = {
      {"input_tokens", context / 2}, {"output_tokens", context / 8}, {"requests_per_s", 2}};
  out["targets"] = {{"ttft_s", 5}, {"tpot_ms", 50}};
  return out;
}

json sweep(const std::string& model, const std::string& hardware) {
  const Setting setting = setting_of(model, hardware);
  const char* batch = setting.plan.dp > 1 ? "sequences_per_gpu" : "sequences";
  json out = document(StarterKind::sweep);
  out["comment"] = {
      "Many scenarios into one database: `fathom sweep FILE --dry-run` counts them, `fathom sweep "
      "FILE -o rows.db` runs them, `fathom report rows.db` says what is best.",
      "base: a scenario, or a file with one. axes: any of its fields by JSON pointer.",
      "constraints drop points before they run, filters mark rows that pass, objectives rank them.",
      "docs/sweeps.md tells about ranges, samples, expressions and job arrays."};
  out["name"] = fmt::format("{} decode on {}", model, hardware);
  out["base"] = scenario_of(setting, model, hardware);
  const json range = {
      {"from", 1}, {"to", setting.sequences}, {"count", 8}, {"scale", "log"}, {"integer", true}};
  json batches = {{"pointer", fmt::format("/workload/{}", batch)}};
  if (setting.sequences > 8) {
    batches["range"] = range;
  } else {
    batches["values"] = {1, setting.sequences};
  }
  const json contexts = {{"comment", "Tokens in the cache of every sequence."},
                         {"pointer", "/workload/context_tokens"},
                         {"values", {setting.context / 4, setting.context / 2, setting.context}}};
  out["axes"] = json::array({batches, contexts});
  out["filters"] = {"tpot_s <= 0.05"};
  out["objectives"] = json::array(
      {{{"maximize", "tokens_per_s_per_device"}}, {{"maximize", "tokens_per_s_per_user"}}});
  return out;
}

}  // namespace

std::string_view name(StarterKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }
std::string_view verb(StarterKind kind) { return kVerbs.at(static_cast<std::size_t>(kind)); }

StarterKind parse_starter_kind(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == text) return static_cast<StarterKind>(i);
  }
  const std::string hint = did_you_mean(text, kNames);
  throw InputError(fmt::format("command line: unknown starter '{}'{}", text,
                               hint.empty() ? "; expected scenario, plan or sweep" : hint));
}

std::string starter(StarterKind kind, const std::string& model, const std::string& hardware) {
  const json out = kind == StarterKind::scenario ? scenario(model, hardware)
                   : kind == StarterKind::plan   ? plan(model, hardware)
                                                 : sweep(model, hardware);
  return out.dump(2) + "\n";
}

}  // namespace fathom::cli
