#include "study/sampled_load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/portable_math.hpp"
#include "core/rng.hpp"
#include "forms/expert_load.hpp"
#include "lang/say.hpp"
#include "mapping/routed_load.hpp"
#include "net/topology.hpp"

namespace fathom::study {
namespace {

using lang::say;

mapping::RouterShape router_of(const model::MoeSpec& moe) {
  return {moe.n_routed_experts, moe.num_experts_per_tok, moe.n_group, moe.topk_group};
}

std::vector<double> popularity(const LoadSource& source, const mapping::RouterShape& router,
                               double tokens, Rng& random) {
  std::vector<double> out(static_cast<std::size_t>(router.experts), 1.0);
  if (source.exponent <= 0.0) return out;
  if (source.kind == LoadSource::Kind::power_law) {
    return forms::draw_popularity({.tokens = std::llround(tokens),
                                   .experts = router.experts,
                                   .topk = router.topk,
                                   .exponent = source.exponent},
                                  random);
  }
  for (std::size_t r = 0; r < out.size(); ++r) {
    out[r] = portable::pow(static_cast<double>(r + 1), -source.exponent);
  }
  random.choose(std::span(out), out.size());  // which expert is popular differs by layer
  return out;
}

mapping::PlacementSpec placement_of(const mapping::RouterShape& router, const mapping::Plan& plan,
                                    const hw::Cluster& cluster) {
  const auto nodes = static_cast<std::int64_t>(net::span_of({plan.ep, 1}, cluster).nodes);
  return {.num_replicas = router.experts + plan.redundant_experts,
          .num_groups = router.n_group,
          .num_nodes = plan.ep % nodes == 0 ? nodes : 1,
          .num_gpus = plan.ep};
}

void add(LayerPeaks& peaks, double peak, std::int64_t layer) {
  const auto before = static_cast<double>(layer);
  peaks.mean = layer == 0 ? peak : (peaks.mean * before + peak) / (before + 1.0);
  if (layer > 0 && peak <= peaks.worst) return;
  peaks.worst = peak;
  peaks.worst_layer = layer;
}

// Seeds of neighbouring layers must differ in more than their last bits: golden-ratio steps.
Rng layer_random(std::int64_t seed, std::int64_t layer) {
  constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15U;
  return Rng{static_cast<std::uint64_t>(seed) + kStep * static_cast<std::uint64_t>(layer + 1)};
}

void sample_layer(SampledLoad& out, const mapping::RouterShape& router,
                  const mapping::PlacementSpec& spec, std::int64_t layer) {
  const LoadSource& source = out.source;
  Rng random = layer_random(source.seed, layer);
  const auto drawn = source.kind == LoadSource::Kind::trace
                         ? source.counts[static_cast<std::size_t>(layer)]
                         : popularity(source, router, out.tokens.value_or(0.0), random);
  const mapping::Inclusion chosen = mapping::inclusion(drawn, router);
  std::vector<double> rows = chosen.experts;
  if (out.tokens) rows = mapping::routed_rows(chosen, router, *out.tokens, random);
  add(out.in_order,
      mapping::peak_over_mean(rows, mapping::in_order(router.experts, spec.num_replicas),
                              spec.num_gpus),
      layer);
  // a balancer knows what it has seen before, not the batch to come
  const std::vector<float> expected(chosen.experts.begin(), chosen.experts.end());
  add(out.eplb,
      mapping::peak_over_mean(rows, mapping::place_experts(expected, spec), spec.num_gpus), layer);
}

nlohmann::json to_json(const LayerPeaks& peaks) {
  return {{"mean", peaks.mean}, {"worst", peaks.worst}, {"worst_layer", peaks.worst_layer}};
}

}  // namespace

const LayerPeaks& used(const SampledLoad& load) {
  return load.balanced ? load.eplb : load.in_order;
}

SampledLoad sample_load(const LoadSource& source, const model::ArchSpec& arch,
                        const mapping::Plan& plan, const hw::Cluster& cluster,
                        std::optional<double> tokens) {
  const std::vector<model::MoeSpec> layers = moe_layers(arch);
  SampledLoad out{.source = source, .in_order = {}, .eplb = {}};
  out.balanced = source.eplb.value_or(plan.redundant_experts > 0);
  out.layers = source.layers > 0 ? source.layers : static_cast<std::int64_t>(layers.size());
  out.tokens = source.tokens;
  if (!out.tokens && source.kind != LoadSource::Kind::trace) out.tokens = tokens;
  for (std::int64_t i = 0; i < out.layers; ++i) {
    const mapping::RouterShape router =
        router_of(layers[static_cast<std::size_t>(i) % layers.size()]);
    const mapping::PlacementSpec spec = placement_of(router, plan, cluster);
    const bool hierarchical = mapping::is_hierarchical(spec) && spec.num_nodes > 1;
    out.policy = hierarchical ? "hierarchical" : "global";
    sample_layer(out, router, spec, i);
  }
  return out;
}

nlohmann::json to_json(const SampledLoad& load) {
  return {{"load", used(load).mean},
          {"source", to_json(load.source)},
          {"eplb", load.balanced},
          {"without_eplb", to_json(load.in_order)},
          {"with_eplb", to_json(load.eplb)},
          {"policy", load.policy},
          {"layers", load.layers},
          {"tokens", load.tokens ? nlohmann::json(*load.tokens) : nlohmann::json(nullptr)}};
}

std::string describe(const SampledLoad& load) {
  const LayerPeaks& own = used(load);
  const LayerPeaks& other = load.balanced ? load.in_order : load.eplb;
  const std::string step =
      load.tokens ? say("{:.0f} tokens a step", *load.tokens) : "without a batch's noise";
  return say(
      "Expert load {:.3f} (slowest rank's rows over the mean, averaged over {} layers) follows "
      "from "
      "{}, {}, seed {}, experts placed {}; worst MoE layer {} at {:.3f}. {} EPLB it would be "
      "{:.3f} "
      "(worst {:.3f}, layer {}).",
      own.mean, load.layers, describe(load.source), step, load.source.seed,
      load.balanced ? say("by EPLB ({})", load.policy) : "in order", own.worst_layer, own.worst,
      load.balanced ? "Without" : "With", other.mean, other.worst, other.worst_layer);
}

}  // namespace fathom::study
