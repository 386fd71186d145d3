#include "hw/fitted_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "forms/form.hpp"

namespace fathom::hw {
namespace {

constexpr std::array<std::string_view, kFormUseCount> kUseNames{"gemm_bf16",
                                                                "gemm_fp8",
                                                                "gemm_fp4",
                                                                "batched_gemm",
                                                                "grouped_prefill",
                                                                "grouped_decode",
                                                                "experts_bf16",
                                                                "experts_fp8",
                                                                "experts_fp4",
                                                                "mla_prefill",
                                                                "mla_decode",
                                                                "mla_decode_fp8_cache",
                                                                "attention_prefill",
                                                                "attention_prefill_fp8_cache",
                                                                "gqa_decode",
                                                                "gqa_decode_fp8_cache",
                                                                "mha_decode",
                                                                "mha_decode_fp8_cache",
                                                                "all_gather",
                                                                "all_reduce",
                                                                "reduce_scatter",
                                                                "all_to_all",
                                                                "custom_all_reduce",
                                                                "dispatch_low_latency",
                                                                "combine_low_latency",
                                                                "dispatch_low_latency_far",
                                                                "combine_low_latency_far",
                                                                "dispatch",
                                                                "combine",
                                                                "dispatch_far",
                                                                "combine_far"};

struct Rule {
  std::string_view family;
  std::string_view group;  // its leading labels; empty: any
  FormUse use;
};

// Of two sub-fits for one use the later rule wins: block-scaled FP8 is what DeepSeek's models take.
constexpr std::array kRules{
    Rule{"infersim_gemm", "fp8_block", FormUse::gemm_fp8},
    Rule{"gemm", "bf16", FormUse::gemm_bf16},
    Rule{"gemm", "fp8", FormUse::gemm_fp8},
    Rule{"gemm", "fp8_block", FormUse::gemm_fp8},
    Rule{"gemm", "nvfp4", FormUse::gemm_fp4},
    Rule{"mla_bmm", "bf16", FormUse::batched_gemm},
    Rule{"infersim_grouped", "fp8_block/prefill", FormUse::grouped_prefill},
    Rule{"infersim_grouped", "fp8_block/decode", FormUse::grouped_decode},
    Rule{"moe", "bf16", FormUse::experts_bf16},
    Rule{"moe", "fp8_block", FormUse::experts_fp8},
    Rule{"moe", "nvfp4/min_latency", FormUse::experts_fp4},
    Rule{"moe", "nvfp4/cutlass", FormUse::experts_fp4},
    Rule{"infersim_prefill", "bf16", FormUse::mla_prefill},
    Rule{"context_mla", "kv_bf16", FormUse::mla_prefill},
    Rule{"infersim_mla_decode", "kv_bf16", FormUse::mla_decode},
    Rule{"generation_mla", "kv_bf16", FormUse::mla_decode},
    Rule{"generation_mla", "kv_fp8", FormUse::mla_decode_fp8_cache},
    Rule{"context_attention", "bf16/kv_bf16", FormUse::attention_prefill},
    Rule{"context_attention", "bf16/kv_fp8", FormUse::attention_prefill_fp8_cache},
    Rule{"generation_attention", "kv_bf16/gqa", FormUse::gqa_decode},
    Rule{"generation_attention", "kv_fp8/gqa", FormUse::gqa_decode_fp8_cache},
    Rule{"infersim_mha_decode", "kv_bf16", FormUse::gqa_decode},
    Rule{"generation_attention", "kv_bf16/mha", FormUse::mha_decode},
    Rule{"generation_attention", "kv_fp8/mha", FormUse::mha_decode_fp8_cache},
    Rule{"nccl", "all_gather", FormUse::all_gather},
    Rule{"nccl", "all_reduce", FormUse::all_reduce},
    Rule{"nccl", "reduce_scatter", FormUse::reduce_scatter},
    Rule{"nccl", "alltoall", FormUse::all_to_all},
    Rule{"custom_allreduce", "", FormUse::custom_all_reduce},
    Rule{"deepep_ll_dispatch", "", FormUse::dispatch_low_latency},
    Rule{"deepep_ll_combine", "", FormUse::combine_low_latency},
    Rule{"deepep_ll_multinode_dispatch", "", FormUse::dispatch_low_latency_far},
    Rule{"deepep_ll_multinode_combine", "", FormUse::combine_low_latency_far},
    Rule{"deepep_normal_dispatch", "fp8", FormUse::dispatch},
    Rule{"deepep_normal_combine", "bf16", FormUse::combine},
    Rule{"deepep_normal_multinode_dispatch", "fp8", FormUse::dispatch_far},
    Rule{"deepep_normal_multinode_combine", "bf16", FormUse::combine_far},
};

bool leads_with(std::string_view group, std::string_view labels) {
  return labels.empty() || group == labels ||
         (group.starts_with(labels) && group[labels.size()] == '/');
}

std::size_t form_index(const JsonReader& families, std::string_view family) {
  const auto all = forms::all_forms();
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].family == family) return i;
    names.push_back(all[i].family);
  }
  throw InputError(fmt::format("{}/{}: unknown family of forms{}", families.where(), family,
                               did_you_mean(family, names)));
}

FittedForm read_form(JsonReader& entry, std::size_t form, std::string_view group,
                     const SourceTable& sources) {
  constexpr double kAnyFinite = 1e12;
  FittedForm out;
  out.form = form;
  out.group = group;
  JsonReader params = entry.object("params");
  out.sustained_clock = entry.number_or("sustained_clock", 1.0, 0.1, 1.0);
  for (const forms::ParamRange& range : forms::all_forms()[form].ranges(group)) {
    const double value = params.number(range.name, 0.0, kAnyFinite);
    // A cast is an operator of its own: the part of a product's time that stands for it is left
    // out.
    const bool cast = range.name == "quantise_bytes";
    // SMs compute and fetch operands at their clock; memory has its own.
    const bool clocked = range.name == "compute_share" || range.name == "feed_gb_s";
    out.params.push_back(value);
    out.in_step.push_back(cast ? 0.0 : (clocked ? value * out.sustained_clock : value));
  }
  params.finish();
  out.launch_gap = Seconds{entry.number_or("launch_gap_us", 0.0, 0.0, 100.0) * 1e-6};
  out.median_error = entry.number("median_error", 0.0, 10.0);
  out.p90_error = entry.number("p90_error", 0.0, 10.0);
  out.samples = entry.integer("samples", 1, 1'000'000'000);
  const Grounds grounds = read_grounds(entry, sources);
  out.evidence = evidence_of(grounds.basis);
  for (const std::string& key : grounds.src) {
    if (!out.source.empty()) out.source += "; ";
    out.source += fmt::format("{}: {}", key, sources.find(key)->second);
  }
  if (auto ratios = entry.object_opt("ratios"))
    out.ratios = read_ratio_table(*ratios, forms::all_forms()[form].columns);
  entry.finish();
  return out;
}

// Index of the rule that a sub-fit falls under, or their number.
std::size_t rule_of(std::string_view family, std::string_view group) {
  std::size_t r = 0;
  while (r < kRules.size() && (kRules[r].family != family || !leads_with(group, kRules[r].group)))
    ++r;
  return r;
}

// On the same device a file's own fit of the experts as a whole goes before products that it
// inherits.
void experts_over_products(const std::array<std::size_t, kFormUseCount>& rank, FormTable& table) {
  const auto here = [&rank](FormUse use) { return rank[static_cast<std::size_t>(use)] > 0; };
  if (!here(FormUse::experts_fp8)) return;
  for (const FormUse use : {FormUse::grouped_prefill, FormUse::grouped_decode}) {
    if (!here(use)) table[static_cast<std::size_t>(use)].reset();
  }
}

}  // namespace

std::string_view name(FormUse use) { return kUseNames[static_cast<std::size_t>(use)]; }

std::optional<FormUse> use_of(std::string_view family, std::string_view group) {
  const std::size_t rule = rule_of(family, group);
  if (rule == kRules.size()) return std::nullopt;
  return kRules[rule].use;
}

void read_forms(JsonReader& file, const SourceTable& sources, bool same_device, FormTable& table) {
  auto families = file.object_opt("forms");
  if (!families) return;
  std::array<std::size_t, kFormUseCount> rank{};  // of the rule that filled a use here
  for (const auto& family : file.raw("forms").items()) {
    const std::size_t form = form_index(*families, family.key());
    JsonReader groups = families->object(family.key());
    for (const auto& group : family.value().items()) {
      JsonReader entry = groups.object(group.key());
      FittedForm fitted = read_form(entry, form, group.key(), sources);
      const std::size_t rule = rule_of(family.key(), group.key());
      if (rule == kRules.size()) continue;
      const auto use = static_cast<std::size_t>(kRules[rule].use);
      if (rank[use] > rule + 1) continue;
      rank[use] = rule + 1;
      table[use] = std::move(fitted);
    }
    groups.finish();
  }
  families->finish();
  if (same_device) experts_over_products(rank, table);
}

void transfer(FormTable& table, Transfer how) {
  for (auto& form : table) {
    if (!form) continue;
    form->evidence = Evidence::assumed;
    form->transfer = std::max(form->transfer, how);
    form->ratios = {};
  }
}

void limit(FormTable& table, FidelityLimit fidelity) {
  if (fidelity == FidelityLimit::roofline) table = {};
  for (auto& form : table) {
    if (!form || form->ratios.size() == 0) continue;
    const bool worse = form->ratios.median_error > form->median_error;
    if (fidelity == FidelityLimit::fitted || (fidelity == FidelityLimit::automatic && worse))
      form->ratios = {};
  }
}

nlohmann::json to_json(const FormTable& table) {
  auto out = nlohmann::json::object();
  for (std::size_t u = 0; u < kFormUseCount; ++u) {
    if (!table[u]) continue;
    const FittedForm& fitted = *table[u];
    const forms::Form& form = forms::all_forms()[fitted.form];
    auto params = nlohmann::json::object();
    const auto ranges = form.ranges(fitted.group);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      params[std::string(ranges[i].name)] = fitted.params[i];
    }
    nlohmann::json& entry = out[std::string(name(static_cast<FormUse>(u)))];
    entry = {{"family", form.family},
             {"group", fitted.group},
             {"params", std::move(params)},
             {"sustained_clock", fitted.sustained_clock},
             {"launch_gap_us", fitted.launch_gap.value * 1e6},
             {"median_error", fitted.median_error},
             {"p90_error", fitted.p90_error},
             {"samples", fitted.samples},
             {"evidence", name(fitted.evidence)},
             {"source", fitted.source}};
    if (fitted.ratios.size() > 0) {
      entry["ratios"] = {{"shapes", fitted.ratios.size()},
                         {"median_error", fitted.ratios.median_error},
                         {"p90_error", fitted.ratios.p90_error}};
    }
  }
  return out;
}

}  // namespace fathom::hw
