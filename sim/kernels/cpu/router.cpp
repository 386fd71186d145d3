#include "kernels/cpu/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "kernels/cpu/product_plan.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr std::int64_t kMostExperts = 4096;
constexpr std::int64_t kMostChoices = 64;

/// Positions of the k largest values to `best`, best first; the lowest position wins among equals.
/// An insertion into a list of k: k is small, and most values fail the first comparison.
void top_positions(const float* values, std::int64_t count, std::int64_t k, std::int32_t* best) {
  if (k == 0) return;
  std::int64_t held = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (held == k && !(values[i] > values[best[k - 1]])) continue;
    std::int64_t at = held < k ? held++ : k - 1;
    for (; at > 0 && values[i] > values[best[at - 1]]; --at) best[at] = best[at - 1];
    best[at] = static_cast<std::int32_t>(i);
  }
}

float group_score(const float* ranking, std::int64_t width, bool two_best) {
  std::int32_t best[2] = {};
  const std::int64_t k = std::min<std::int64_t>(two_best ? 2 : 1, width);
  top_positions(ranking, width, k, best);
  return k == 2 ? ranking[best[0]] + ranking[best[1]] : ranking[best[0]];
}

/// Takes the experts of all but the best groups out of the ranking.
void limit_groups(const ref::GateSpec& spec, bool biased, std::int64_t experts, float* ranking) {
  using ref::GroupScore;
  const bool two_best = spec.group_score == GroupScore::two_best ||
                        (spec.group_score == GroupScore::two_best_if_biased && biased);
  const std::int64_t width = experts / spec.n_group;
  float* scores = ranking + experts;  // the workspace holds both
  for (std::int64_t g = 0; g < spec.n_group; ++g)
    scores[g] = group_score(ranking + g * width, width, two_best);
  std::int32_t best[kMostChoices] = {};
  top_positions(scores, spec.n_group, spec.topk_group, best);
  const float excluded =
      spec.excluded == ref::Excluded::zero ? 0.0F : -std::numeric_limits<float>::infinity();
  for (std::int64_t g = 0; g < spec.n_group; ++g)
    if (std::find(best, best + spec.topk_group, g) == best + spec.topk_group)
      std::fill_n(ranking + g * width, width, excluded);
}

void weigh(const ref::GateSpec& spec, const float* scores, const std::int32_t* chosen,
           float* weights) {
  using Wide = Sum<float>;
  Wide sum{0};
  for (std::int64_t i = 0; i < spec.num_experts_per_tok; ++i) {
    weights[i] = scores[chosen[i]];
    sum += Wide{weights[i]};
  }
  const bool renormalise = ref::renormalises(spec);
  sum = std::max(sum, renormalise ? Wide{spec.weight_sum_floor} : sum);
  for (std::int64_t i = 0; i < spec.num_experts_per_tok; ++i) {
    if (renormalise) weights[i] = static_cast<float>(Wide{weights[i]} / sum);
    weights[i] *= static_cast<float>(spec.routed_scaling_factor);
  }
}

/// One token: `scratch` holds scores, ranking and group scores, [3, experts].
void route_token(const RouterCall& call, std::int64_t token, const float* logits, float* scratch) {
  const std::int64_t experts = call.weight->n;
  const auto width = static_cast<std::size_t>(experts);
  float* scores = scratch;
  float* ranking = scratch + experts;
  std::copy_n(logits, experts, scores);
  ref::router_scores<float>(call.spec.score, std::span<float>{scores, width});
  std::copy_n(call.spec.rank_by_logits ? logits : scores, experts, ranking);
  if (call.bias != nullptr)
    for (std::int64_t e = 0; e < experts; ++e) ranking[e] += call.bias[e];
  if (call.spec.n_group > 1) limit_groups(call.spec, call.bias != nullptr, experts, ranking);
  const std::int64_t choices = call.spec.num_experts_per_tok;
  std::int32_t* chosen = call.indices + token * choices;
  top_positions(ranking, experts, choices, chosen);
  weigh(call.spec, scores, chosen, call.weights + token * choices);
}

void check(const RouterCall& call) {
  FATHOM_EXPECT(call.weight != nullptr, "a router has a weight");
  const std::int64_t experts = call.weight->n;
  const ref::GateSpec& spec = call.spec;
  FATHOM_EXPECT(experts <= kMostExperts && spec.num_experts_per_tok <= kMostChoices, "router size");
  FATHOM_EXPECT(spec.num_experts_per_tok <= experts, "top-k of fewer experts");
  FATHOM_EXPECT(spec.n_group >= 1 && experts % spec.n_group == 0, "groups of unequal size");
  FATHOM_EXPECT(spec.topk_group <= std::min(spec.n_group, kMostChoices),
                "more groups than there are");
}

}  // namespace

void route_logits(const RouterCall& call, const float* logits, RouterWorkspace& workspace,
                  ThreadPool& pool) {
  check(call);
  const int workers = pool.size();
  const std::int64_t experts = call.weight->n;
  workspace.ranking.resize(std::max(workspace.ranking.size(), static_cast<std::size_t>(workers)));
  for (Buffer<float>& ranking : workspace.ranking) grow(ranking, 3 * experts);
  pool.run([&](int worker) {
    float* scratch = workspace.ranking[static_cast<std::size_t>(worker)].data();
    const Range tokens = part_of(call.tokens, 1, worker, workers);
    for (std::int64_t t = tokens.begin; t < tokens.end; ++t)
      route_token(call, t, logits + t * experts, scratch);
  });
}

void route(const RouterCall& call, RouterWorkspace& workspace, Isa isa, ThreadPool& pool) {
  check(call);
  grow(workspace.logits, call.tokens * call.weight->n);
  linear({.x = call.x,
          .rows = call.tokens,
          .x_stride = call.x_stride,
          .w = call.weight,
          .y = workspace.logits.data(),
          .y_stride = call.weight->n},
         workspace.linear, isa, pool);
  route_logits(call, workspace.logits.data(), workspace, pool);
}

}  // namespace fathom::kernels::cpu
