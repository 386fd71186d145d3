#include "study/plan_pairs.hpp"

#include <algorithm>
#include <utility>

#include "study/plan_bounds.hpp"

namespace fathom::study {
namespace {

std::int64_t instance_nodes(std::int64_t instances, const mapping::Plan& plan,
                            const hw::Cluster& cluster) {
  const std::int64_t size = mapping::devices(plan);
  const std::int64_t per_node = cluster.devices_per_node;
  if (size >= per_node) return instances * ((size + per_node - 1) / per_node);
  const std::int64_t fit = per_node / size;
  return (instances + fit - 1) / fit;
}

double priced_devices(std::int64_t instances, const PhasePoint& p) {
  return static_cast<double>(instances * mapping::devices(p.plan));
}

std::int64_t spare_devices(const PlanRequest& request, std::size_t machine) {
  return request.spare_nodes * request.hardware[machine].devices_per_node;
}

// Either side may lose as many nodes, so both have spare ones.
void add_spares(const PlanRequest& request, const Machines& machines, ClusterPlan& p) {
  const std::int64_t before = p.devices;
  p.spare_nodes += request.spare_nodes;
  p.devices += spare_devices(request, machines.prefill);
  const double fewer = static_cast<double>(before) / static_cast<double>(p.devices);
  p.output_tokens_per_s_per_device *= fewer;
  p.total_tokens_per_s_per_device *= fewer;
}

std::optional<double> pair_power(const PlanRequest& request, const Machines& machines,
                                 const ClusterPlan& p) {
  const double prefill = request.hardware[machines.prefill].device.tdp_w;
  const double decode = request.hardware[machines.decode].device.tdp_w;
  if (prefill <= 0.0 || decode <= 0.0) return std::nullopt;
  const std::int64_t prefills = p.size.prefill_instances * mapping::devices(p.prefill.plan) +
                                spare_devices(request, machines.prefill);
  return (static_cast<double>(prefills) * prefill +
          static_cast<double>(p.devices - prefills) * decode) /
         1e3;
}

// Money follows device time, as in plan_cluster.cpp, at each side's price.
std::optional<Cost> pair_cost(const PlanRequest& request, const Machines& machines,
                              const ClusterPlan& p) {
  const auto prefill_price = device_price(request, request.hardware[machines.prefill]);
  const auto decode_price = device_price(request, request.hardware[machines.decode]);
  if (!prefill_price || !decode_price) return std::nullopt;
  const double input = priced_devices(p.size.prefill_instances, p.prefill) * *prefill_price;
  const double output = priced_devices(p.size.decode_instances, p.decode) * *decode_price;
  const auto spare = [&](std::size_t machine, double price) {
    return static_cast<double>(spare_devices(request, machine)) * price;
  };
  const double usd_per_hour = input + output + spare(machines.prefill, *prefill_price) +
                              spare(machines.decode, *decode_price);
  const double share = input / (input + output);  // of spare nodes too
  const Traffic& t = request.traffic;
  const double per_hour = 3600.0 * p.size.requests_per_s / t.peak_factor;
  return Cost{
      .usd_per_hour = usd_per_hour,
      .input_share = share,
      .usd_per_million_input = 1e6 * usd_per_hour * share / (per_hour * t.input_tokens),
      .usd_per_million_output = 1e6 * usd_per_hour * (1.0 - share) / (per_hour * t.output_tokens),
      .usd_per_million_blended =
          1e6 * usd_per_hour / (per_hour * (t.input_tokens + t.output_tokens))};
}

bool same_point(const PhasePoint& a, const PhasePoint& b) {
  return a.plan == b.plan && a.precision == b.precision && a.draft_tokens == b.draft_tokens &&
         a.chunk_tokens == b.chunk_tokens && a.batch == b.batch;
}

bool same_cluster(const ClusterPlan& a, const ClusterPlan& b) {
  return same_point(a.prefill, b.prefill) && same_point(a.decode, b.decode);
}

/// Pairs of one precision.
class Pairing {
 public:
  Pairing(const PlanRequest& request, const Machines& machines, bool exhaustive,
          FoundClusters& found)
      : request_(request),
        machines_(machines),
        found_(found),
        demand_(demand_of(request)),
        least_(least_demand(request)),
        quick_(without_queues(least_)),
        transfer_(kv_transfer_time(request, machines)),
        exhaustive_(exhaustive) {
    const auto a = device_price(request, request.hardware[machines.prefill]);
    const auto b = device_price(request, request.hardware[machines.decode]);
    if (a && b) lowest_price_ = std::min(*a, *b);
  }

  void run(const std::vector<PhasePoint>& prefills, const std::vector<PhasePoint>& decodes) {
    if (prefills.empty() || decodes.empty()) return;
    PhasePoint any = prefills.front();
    for (const PhasePoint& p : prefills) widen(any, p);
    for (const PhasePoint& decode : decodes) {
      entry_ = entry(decode);
      if (!exhaustive_ && !worthwhile(any, decode)) continue;
      for (const PhasePoint& prefill : prefills) try_pair(prefill, decode);
    }
  }

 private:
  double devices(const Sizing& s, const PhasePoint& prefill, const PhasePoint& decode) const {
    return priced_devices(s.prefill_instances, prefill) +
           priced_devices(s.decode_instances, decode);
  }

  // What this decode plan's entry and the winners have to be undercut in.
  Reach goals() const {
    Reach out = found_.winners.goals();
    out.devices = entry_ < found_.smallest.size()
                      ? static_cast<double>(found_.smallest[entry_].devices)
                      : Reach{}.devices;
    return out;
  }

  // Even the best figures of all prefill instances at once, in the smallest of them, give no
  // cluster worth having.
  bool worthwhile(const PhasePoint& any, const PhasePoint& decode) const {
    if (!worthwhile(quick_, any, decode)) return false;
    return !least_.queueing || worthwhile(least_, any, decode);
  }

  bool worthwhile(const Demand& demand, const PhasePoint& prefill, const PhasePoint& decode) const {
    const auto size = size_disaggregated(demand, prefill, decode, transfer_);
    if (!size) return false;
    const double all = devices(*size, prefill, decode);
    return all <= limit() &&
           !hopeless(best_case(request_, all, prefill, decode, lowest_price_), goals());
  }

  double limit() const { return static_cast<double>(request_.search.max_devices); }

  void try_pair(const PhasePoint& prefill, const PhasePoint& decode) {
    if (demand_.queueing && !exhaustive_ && !worthwhile(quick_, prefill, decode)) return;
    const auto size = size_disaggregated(demand_, prefill, decode, transfer_);
    if (!size) return;
    const double all = devices(*size, prefill, decode);
    if (all > limit()) return;
    if (!exhaustive_ && hopeless(best_case(request_, all, prefill, decode, lowest_price_), goals()))
      return;
    const ClusterPlan pair = make_pair_plan(request_, machines_, prefill, decode, *size);
    if (!affordable(request_, pair)) return;
    found_.winners.offer(pair);
    if (entry_ == found_.smallest.size()) {
      found_.smallest.push_back(pair);
    } else if (smaller(pair, found_.smallest[entry_])) {
      found_.smallest[entry_] = pair;
    }
  }

  std::size_t entry(const PhasePoint& decode) const {
    const auto same = std::ranges::find_if(found_.smallest, [&](const ClusterPlan& other) {
      return other.decode.plan == decode.plan && other.decode.precision == decode.precision &&
             other.decode.draft_tokens == decode.draft_tokens;
    });
    return static_cast<std::size_t>(same - found_.smallest.begin());
  }

  const PlanRequest& request_;
  const Machines& machines_;
  FoundClusters& found_;
  Demand demand_;
  Demand least_;
  Demand quick_;
  Seconds transfer_;
  std::optional<double> lowest_price_;
  bool exhaustive_;
  std::size_t entry_ = 0;  // of the decode plan in turn; the size of the list before it has one
};

}  // namespace

Seconds kv_transfer_time(const PlanRequest& request, const Machines& machines) {
  return std::max(kv_transfer_time(request, request.hardware[machines.prefill]),
                  kv_transfer_time(request, request.hardware[machines.decode]));
}

ClusterPlan make_pair_plan(const PlanRequest& request, const Machines& machines,
                           const PhasePoint& prefill, const PhasePoint& decode,
                           const Sizing& size) {
  ClusterPlan out =
      make_cluster_plan(request, machines.decode, Serving::disaggregated, prefill, decode, size);
  if (machines.prefill == machines.decode) return out;
  out.prefill_hardware = machines.prefill;
  out.nodes =
      instance_nodes(size.prefill_instances, prefill.plan, request.hardware[machines.prefill]) +
      instance_nodes(size.decode_instances, decode.plan, request.hardware[machines.decode]) +
      2 * request.spare_nodes;
  add_spares(request, machines, out);
  out.power_kw = pair_power(request, machines, out);
  out.cost = pair_cost(request, machines, out);
  return out;
}

FoundClusters pair_phases(const std::vector<PlanRequest>& requests, const Machines& machines,
                          const PairFronts& fronts, bool exhaustive) {
  FoundClusters found;
  for (std::size_t p = 0; p < requests.size(); ++p) {
    Pairing(requests[p], machines, exhaustive, found).run(fronts.prefill[p], fronts.decode[p]);
  }
  return found;
}

void keep(FoundClusters found, std::size_t kept, ServingResult& result) {
  std::vector<ClusterPlan>& list = found.smallest;
  result.meeting_targets = list.size();
  std::ranges::stable_sort(list, smaller);
  if (list.size() > kept) list.resize(kept);
  const Winners& best = found.winners;
  const auto place_of = [&](const ClusterPlan& one) {
    return std::ranges::find_if(list, [&](const ClusterPlan& c) { return same_cluster(c, one); });
  };
  for (const auto* one : {&best.cheapest, &best.fastest}) {
    if (*one && place_of(**one) == list.end()) list.push_back(**one);
  }
  std::ranges::stable_sort(list, smaller);
  const auto index = [&](const std::optional<ClusterPlan>& one) -> std::optional<std::size_t> {
    if (!one) return std::nullopt;
    return static_cast<std::size_t>(place_of(*one) - list.begin());
  };
  result.cheapest = index(best.cheapest);
  result.fastest = index(best.fastest);
  result.candidates = std::move(list);
}

}  // namespace fathom::study
