#include "mapping/plan.hpp"
#include "lang/say.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fathom::mapping {
namespace {

using lang::say;
using Reason = std::optional<std::string>;

// The divisors of n nearest to x from below and above, for a helpful refusal.
std::string nearby_divisors(std::int64_t n, std::int64_t x) {
  std::int64_t below = 1;
  std::int64_t above = n;
  for (std::int64_t d = 1; d <= n; ++d) {
    if (n % d != 0) continue;
    if (d < x) below = d;
    if (d > x) {
      above = d;
      break;
    }
  }
  return below == above ? fmt::format("{}", below) : say("{} or {}", below, above);
}

Reason must_divide(std::string_view what, std::int64_t divisor, std::string_view field,
                   std::int64_t value) {
  if (value % divisor == 0) return std::nullopt;
  return say("{} = {} does not divide {} = {}; try {}", what, divisor, field, value,
             nearby_divisors(value, divisor));
}

Reason check_heads(const model::AttentionSpec& attention, std::int64_t tp) {
  struct Visitor {
    std::int64_t tp;
    Reason operator()(const model::GqaSpec& s) const {
      if (auto r = must_divide("tp", tp, "num_attention_heads", s.num_attention_heads)) return r;
      if (s.num_key_value_heads % tp == 0 || tp % s.num_key_value_heads == 0) return std::nullopt;
      return must_divide("tp", tp, "num_key_value_heads", s.num_key_value_heads);
    }
    Reason operator()(const model::MlaSpec& s) const {
      return must_divide("tp", tp, "num_attention_heads", s.num_attention_heads);
    }
    Reason operator()(const model::CompressedSpec& s) const {
      if (auto r = must_divide("tp", tp, "num_attention_heads", s.num_attention_heads)) return r;
      return must_divide("tp", tp, "o_groups", s.o_groups);
    }
    Reason operator()(const model::LinearAttentionSpec& s) const {
      return must_divide("tp", tp, "linear_num_key_heads", s.linear_num_key_heads);
    }
    Reason operator()(const model::TpaSpec& s) const {
      return must_divide("tp", tp, "num_attention_heads", s.num_attention_heads);
    }
  };
  return std::visit(Visitor{tp}, attention);
}

Reason check_layer(const model::LayerSpec& layer, const Plan& plan) {
  if (auto r = check_heads(layer.attention, plan.tp)) return r;
  if (layer.dense.intermediate_size > 0) {
    if (auto r = must_divide("tp", plan.tp, "intermediate_size", layer.dense.intermediate_size))
      return r;
  }
  const model::MoeSpec& moe = layer.moe;
  if (moe.n_routed_experts == 0) return std::nullopt;
  const std::int64_t slots = moe.n_routed_experts + plan.redundant_experts;
  if (slots % plan.ep != 0) {
    return must_divide(
        "ep", plan.ep,
        plan.redundant_experts > 0 ? "n_routed_experts + redundant_experts" : "n_routed_experts",
        slots);
  }
  return must_divide("tp*cp*dp/ep", expert_tp(plan), "moe_intermediate_size",
                     moe.moe_intermediate_size);
}

Reason check_machine(const Plan& plan, const hw::Cluster& cluster) {
  const std::int64_t largest = cluster.tiers.back().group;
  if (devices(plan) <= largest) return std::nullopt;
  return say("the plan needs {} devices; {} connects at most {}", devices(plan), cluster.id,
             largest);
}

}  // namespace

ExpertTraffic expert_traffic(const Plan& plan) {
  if (plan.dp * plan.cp == 1) return ExpertTraffic::none;
  const bool exchange = expert_tp(plan) == 1 && plan.all_to_all != AllToAll::gather;
  return exchange ? ExpertTraffic::exchange : ExpertTraffic::gather;
}

Reason infeasible(const model::ArchSpec& arch, const Plan& plan, const hw::Cluster& cluster) {
  bool has_experts = false;
  for (const model::LayerSpec& layer : arch.kinds)
    has_experts = has_experts || layer.moe.n_routed_experts > 0;
  if (plan.ep > 1 && !has_experts)
    return say("ep = {} but {} has no experts; use ep = 1", plan.ep, arch.name);
  if (plan.redundant_experts > 0 && !has_experts)
    return say("redundant_experts but {} has no experts", arch.name);
  if (auto r = must_divide("ep", plan.ep, "tp*cp*dp", ranks_per_stage(plan))) return r;
  if (plan.pp > static_cast<std::int64_t>(arch.layers.size())) {
    return say("pp = {} exceeds num_hidden_layers = {}", plan.pp, arch.layers.size());
  }
  for (const model::LayerSpec& layer : arch.kinds) {
    if (auto r = check_layer(layer, plan)) return r;
  }
  return check_machine(plan, cluster);
}

std::string describe(const Plan& p) {
  std::string out;
  const auto part = [&out](const char* label, std::int64_t n) {
    if (n > 1) out += fmt::format("{}{}{}", out.empty() ? "" : " ", label, n);
  };
  part("TP", p.tp);
  part("PP", p.pp);
  part("EP", p.ep);
  part("DP", p.dp);
  part("CP", p.cp);
  if (p.redundant_experts > 0) part("+R", p.redundant_experts);
  if (out.empty()) out = lang::tr("1 device");
  if (p.two_batch_overlap) out += " TBO";
  return out;
}

nlohmann::json to_json(const Plan& p) {
  constexpr std::array<std::string_view, 5> kernels{"automatic", "throughput", "low_latency",
                                                    "hybrid", "gather"};
  return {{"tp", p.tp},
          {"pp", p.pp},
          {"ep", p.ep},
          {"dp", p.dp},
          {"cp", p.cp},
          {"devices", devices(p)},
          {"redundant_experts", p.redundant_experts},
          {"expert_load", p.expert_load},
          {"two_batch_overlap", p.two_batch_overlap},
          {"fixed_order", p.fixed_order},
          {"all_to_all", kernels[static_cast<std::size_t>(p.all_to_all)]},
          {"all_remote", p.all_remote}};
}

}  // namespace fathom::mapping
