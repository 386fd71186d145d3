#include "study/plan_outage.hpp"
#include "lang/say.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom::study {
namespace {

using lang::say;
using nlohmann::json;

std::int64_t lost(std::int64_t nodes, std::int64_t per_node, const PhasePoint& point) {
  const std::int64_t size = mapping::devices(point.plan);
  return nodes * std::max<std::int64_t>(1, per_node / size);
}

json seconds_json(Seconds t) { return std::isfinite(t.value) ? json(t.value) : json(nullptr); }

}  // namespace

std::vector<Outage> outages_of(const PlanRequest& request, const ClusterPlan& plan) {
  std::vector<Outage> out;
  const std::int64_t nodes = request.spare_nodes;
  if (nodes == 0) return out;
  const std::int64_t per_node = request.hardware[plan.hardware].devices_per_node;
  const std::int64_t prefill_node = request.hardware[plan.prefill_hardware].devices_per_node;
  const Demand demand = demand_of(request);
  const auto add = [&](std::string when, std::int64_t prefills, std::int64_t decodes) {
    Outage o{.when = std::move(when),
             .prefill_instances = std::max<std::int64_t>(0, plan.size.prefill_instances - prefills),
             .decode_instances = std::max<std::int64_t>(0, plan.size.decode_instances - decodes)};
    Fleet left = fleet_of(plan);
    left.prefill_instances = o.prefill_instances;
    left.decode_instances = o.decode_instances;
    o.delivered = deliver(demand, left);
    o.missed = missed(demand, o.delivered);
    o.serves = o.missed ? std::min(1.0, headroom(demand, left)) : 1.0;
    out.push_back(std::move(o));
  };
  const std::string which = nodes == 1 ? "a node" : say("{} nodes", nodes);
  if (plan.serving == Serving::disaggregated) {
    add(say("{} of prefill lost", which), lost(nodes, prefill_node, plan.prefill), 0);
    add(say("{} of decode lost", which), 0, lost(nodes, per_node, plan.decode));
  } else {
    add(say("{} lost", which), 0, lost(nodes, per_node, plan.decode));
  }
  add("replaced by spare nodes", 0, 0);
  return out;
}

json to_json(const Outage& o) {
  return {{"when", o.when},
          {"prefill_instances", o.prefill_instances},
          {"decode_instances", o.decode_instances},
          {"ttft_s", seconds_json(o.delivered.ttft)},
          {"tpot_s", seconds_json(o.delivered.tpot)},
          {"prefill_utilisation", std::isfinite(o.delivered.prefill_utilisation)
                                      ? json(o.delivered.prefill_utilisation)
                                      : json(nullptr)},
          {"decode_utilisation", std::isfinite(o.delivered.decode_utilisation)
                                     ? json(o.delivered.decode_utilisation)
                                     : json(nullptr)},
          {"serves", o.serves},
          {"misses", o.missed ? json(name(*o.missed)) : json(nullptr)}};
}

}  // namespace fathom::study
