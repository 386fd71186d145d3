#include "study/standard_plan.hpp"

#include <algorithm>
#include <utility>

#include "infer/serving_point.hpp"

namespace fathom::study {
namespace {

// Beyond this a larger instance only adds replicas of the same thing.
constexpr std::int64_t kMostRanks = 320;  // DeepSeek-V3 report, section 3.4.2: decode on EP320
constexpr std::int64_t kMostStages = 16;
constexpr std::int64_t kWidestTensorParallel = 8;

bool has_experts(const model::ArchSpec& arch) {
  return std::ranges::any_of(
      arch.kinds, [](const model::LayerSpec& layer) { return layer.moe.n_routed_experts > 0; });
}

}  // namespace

std::vector<mapping::Plan> standard_plans(const model::ArchSpec& arch, const hw::Cluster& cluster) {
  std::vector<mapping::Plan> plans;
  const auto keep = [&](const mapping::Plan& plan) {
    if (!mapping::infeasible(arch, plan, cluster)) plans.push_back(plan);
  };
  if (has_experts(arch)) {
    for (std::int64_t n = 1; n <= kMostRanks; n *= 2) keep({.ep = n, .dp = n});
    return plans;
  }
  const std::int64_t widest = std::min(kWidestTensorParallel, cluster.tiers.front().group);
  for (std::int64_t tp = 1; tp <= widest; tp *= 2) keep({.tp = tp});
  for (std::int64_t pp = 2; pp <= kMostStages; pp *= 2) keep({.tp = widest, .pp = pp});
  return plans;
}

double sequences_that_fit(const model::ArchSpec& arch, const hw::Cluster& cluster,
                          const mapping::Plan& plan, const model::LowerOptions& options,
                          double context_tokens) {
  const infer::StepModel model = infer::make_step_model(arch, cluster, plan, options);
  // Activations grow with the batch: the second round counts them for all that fitted in the first.
  mapping::MemoryQuery query{.context_tokens = context_tokens + 1.0, .step_tokens = 1.0};
  query.step_tokens = std::max(1.0, infer::tightest(model, query).max_sequences());
  return infer::tightest(model, query).max_sequences();
}

std::optional<mapping::Plan> smallest_plan(const model::ArchSpec& arch, const hw::Cluster& cluster,
                                           const model::LowerOptions& options,
                                           double context_tokens) {
  for (const mapping::Plan& plan : standard_plans(arch, cluster)) {
    if (sequences_that_fit(arch, cluster, plan, options, context_tokens) >= 1.0) return plan;
  }
  return std::nullopt;
}

}  // namespace fathom::study
