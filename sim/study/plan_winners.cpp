// The answers of a search: the best cluster of all machines and pairs.
#include <fmt/format.h>

#include "study/plan_goals.hpp"
#include "study/plan_search.hpp"

namespace fathom::study {
namespace {

// Of each list its own best first, as `own` says; null when a list has none.
template <class Own, class Better>
const ClusterPlan* best_cluster(const PlanResult& result, std::optional<Serving> serving,
                                const Own& own, const Better& better) {
  const ClusterPlan* best = nullptr;
  const auto look_at = [&](const ServingResult& s) {
    if (serving && s.serving != *serving) return;
    const ClusterPlan* c = own(s);
    if (c != nullptr && (best == nullptr || better(*c, *best))) best = c;
  };
  for (const HardwareResult& h : result.hardware) {
    for (const ServingResult& s : h.serving) look_at(s);
  }
  for (const PairResult& p : result.pairs) look_at(p.serving);
  return best;
}

const ClusterPlan* at(const ServingResult& s, std::optional<std::size_t> index) {
  return index ? &s.candidates[*index] : nullptr;
}

}  // namespace

const ClusterPlan* smallest_cluster(const PlanResult& result, std::optional<Serving> serving) {
  const auto first = [](const ServingResult& s) {
    return s.candidates.empty() ? nullptr : &s.candidates.front();
  };
  return best_cluster(result, serving, first, smaller);
}

const ClusterPlan* cheapest_cluster(const PlanResult& result, std::optional<Serving> serving) {
  const auto own = [](const ServingResult& s) { return at(s, s.cheapest); };
  return best_cluster(result, serving, own, cheaper);
}

const ClusterPlan* fastest_cluster(const PlanResult& result, std::optional<Serving> serving) {
  const auto own = [](const ServingResult& s) { return at(s, s.fastest); };
  return best_cluster(result, serving, own, faster);
}

SearchCounts& SearchCounts::operator+=(const SearchCounts& other) {
  plans += other.plans;
  decode_points += other.decode_points;
  prefill_points += other.prefill_points;
  evaluated += other.evaluated;
  pruned += other.pruned;
  return *this;
}

SearchCounts total_counts(const PlanResult& result) {
  SearchCounts all;
  for (const HardwareResult& h : result.hardware) all += h.counts;
  return all;
}

std::string hardware_name(const PlanRequest& request, const ClusterPlan& p) {
  const std::string& decode = request.hardware[p.hardware].id;
  if (p.prefill_hardware == p.hardware) return decode;
  return fmt::format("{} → {}", request.hardware[p.prefill_hardware].id, decode);
}

}  // namespace fathom::study
