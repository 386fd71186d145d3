#include "validate/interval.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/error.hpp"

namespace fathom::validate {
namespace {

// Rows of the slowest expert rank over the mean, where the routing of the source is not known.
constexpr double kLoadSpread = 0.15;
// Host time and kernels that are not fused only ever slow a step down: rates by up to 20 %.
constexpr double kSoftwareLoss = 0.20;
constexpr double kBatchSigma = 0.15;        // judgement: a mean batch derived from published means
constexpr double kAcceptanceSpread = 0.05;  // published second-token acceptance: 0.80 to 0.90

// An 80 % band of +-5 % on gains and ratios.
constexpr double kShapeSigma = 0.05 / 1.2816;

double of(const Draw& draw, Cause cause) { return draw[static_cast<std::size_t>(cause)]; }

// Standard normal to uniform in (0, 1).
double uniform(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double software_factor(const Draw& draw, Unknowns unknowns) {
  if (!unknowns.test(static_cast<std::size_t>(Unknown::software))) return 1.0;
  return 1.0 / (1.0 - kSoftwareLoss * uniform(of(draw, Cause::software)));
}

void vary_load(mapping::Plan& plan, const Draw& draw, Unknowns unknowns) {
  if (!unknowns.test(static_cast<std::size_t>(Unknown::load))) return;
  plan.expert_load = std::max(1.0, plan.expert_load + kLoadSpread * of(draw, Cause::load));
}

struct VaryWorkload {
  const Draw& draw;
  Unknowns unknowns;
  double batch() const {
    const bool open = unknowns.test(static_cast<std::size_t>(Unknown::batch));
    return open ? std::exp(kBatchSigma * of(draw, Cause::batch)) : 1.0;
  }
  void operator()(infer::DecodeQuery& q) const {
    q.sequences *= batch();
    if (q.draft_tokens == 0 || !unknowns.test(static_cast<std::size_t>(Unknown::acceptance)))
      return;
    q.acceptance =
        std::clamp(q.acceptance + kAcceptanceSpread * of(draw, Cause::acceptance), 0.0, 1.0);
  }
  void operator()(infer::PrefillQuery& q) const { q.prompts *= batch(); }
};

// The parts of a set-up that draws move: scenarios, or a cluster by itself.
template <class Scenario, class Cluster>
struct Movable {
  std::vector<Scenario*> scenarios;
  std::vector<Cluster*> clusters;  // those of the scenarios first
};

template <class AnySetup>
auto movable(AnySetup& setup) {
  constexpr bool fixed = std::is_const_v<AnySetup>;
  using Scenario = std::conditional_t<fixed, const study::Scenario, study::Scenario>;
  using Cluster = std::conditional_t<fixed, const hw::Cluster, hw::Cluster>;
  Movable<Scenario, Cluster> out;
  if (auto* scenario = std::get_if<study::Scenario>(&setup)) out.scenarios = {scenario};
  if (auto* day = std::get_if<ProductionDay>(&setup)) out.scenarios = {&day->prefill, &day->decode};
  for (Scenario* scenario : out.scenarios) out.clusters.push_back(&scenario->cluster);
  if (auto* kernels = std::get_if<OperatorSetup>(&setup)) out.clusters = {&kernels->cluster};
  return out;
}

void vary(Setup& setup, const Draw& draw, Unknowns unknowns,
          const std::vector<study::FormPowers>& powers) {
  const auto parts = movable(setup);
  for (std::size_t i = 0; i < parts.clusters.size(); ++i)
    study::vary(*parts.clusters[i], draw, powers[i], software_factor(draw, unknowns));
  for (study::Scenario* scenario : parts.scenarios) {
    vary_load(scenario->plan, draw, unknowns);
    std::visit(VaryWorkload{draw, unknowns}, scenario->workload);
  }
}

}  // namespace

Setup varied(const Setup& setup, const Draw& draw, Unknowns unknowns) {
  return Variations{setup}.at(draw, unknowns);
}

Variations::Variations(const Setup& setup) : original_(setup), varied_(setup) {
  for (const hw::Cluster* cluster : movable(varied_).clusters)
    powers_.push_back(study::form_powers(cluster->efficiency.forms));
}

Setup& Variations::at(const Draw& draw, Unknowns unknowns) {
  const auto from = movable(original_);
  const auto to = movable(varied_);
  for (std::size_t i = 0; i < to.clusters.size(); ++i)
    study::restore(*to.clusters[i], *from.clusters[i]);
  for (std::size_t i = 0; i < to.scenarios.size(); ++i) {
    to.scenarios[i]->plan.expert_load = from.scenarios[i]->plan.expert_load;
    to.scenarios[i]->workload = from.scenarios[i]->workload;
  }
  vary(varied_, draw, unknowns, powers_);
  return varied_;
}

double shape_factor(const Draw& draw) { return std::exp(kShapeSigma * of(draw, Cause::shape)); }

Interval interval_of(std::vector<double> sample) {
  FATHOM_EXPECT(!sample.empty(), "an interval needs a sample");
  std::ranges::sort(sample);
  const auto at = [&sample](double share) {
    const double position = share * static_cast<double>(sample.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sample.size() - 1);
    return std::lerp(sample[below], sample[above], position - static_cast<double>(below));
  };
  return {at(0.1), at(0.9)};
}

std::string_view interval_basis() {
  return "Intervals are p10 to p90 over draws of the operator families' times (log-normal sigma: "
         "GEMM 8 %, grouped GEMM 15 %, attention core 8 %, elementwise 25 %, communication 15 %, "
         "SM time of low-latency all-to-all 40 %; an efficiency that is assumed for the device "
         "adds "
         "15 %, one taken from another device what such transfers were measured to err: 7 to 11 % "
         "within a generation, 14 to 44 % between two; a fitted form counts with its own held-out "
         "error where that is larger), the step "
         "scheduled again for each draw. Where a row says so they also cover the "
         "expert load (+-0.15), unfused kernels and host time (rates down by 0 to 20 %), the mean "
         "batch (15 %) and the acceptance (+-0.05); the last two spreads are judgement. Both sides "
         "of "
         "a ratio take the same draw, and 5 % more for what their shapes do not share.";
}

}  // namespace fathom::validate
