#include "whatif/estimate_json.hpp"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "study/class_memory.hpp"

namespace fathom::whatif {
namespace {

using nlohmann::json;

constexpr double kSecondsPerHour = 3600.0;

json operator_json(const study::OperatorRow& row) {
  const timing::OpTime& time = row.node.time;
  return {{"block", row.block},
          {"operator", row.name},
          {"kind", row.kind},
          {"stage", model::name(row.node.stage)},
          {"lane", mapping::name(row.node.lane)},
          {"calls", row.calls},
          {"flops", row.cost.flops.value},
          {"math", name(row.cost.math)},
          {"weight_bytes", row.cost.weight_read.value},
          {"activation_bytes", (row.cost.act_read + row.cost.act_write).value},
          {"kv_bytes", (row.cost.kv_read + row.cost.kv_write).value},
          {"wire_bytes", row.wire_bytes.value},
          {"time_s", time.total.value},
          {"ideal_s", time.ideal.value},
          {"total_s", row.calls * time.total.value},
          {"share", row.share},
          {"bound", timing::name(time.bound)},
          {"efficiency_family", hw::name(time.family)},
          {"fidelity", timing::name(time.fidelity)},
          {"evidence", hw::name(time.evidence)}};
}

json operators_json(const study::Answer& answer) {
  json rows = json::array();
  for (const study::OperatorRow& row : study::operator_rows(answer))
    rows.push_back(operator_json(row));
  return rows;
}

json memory_json(const study::Scenario& scenario, const study::Answer& answer) {
  json rows = json::array();
  const std::vector<mapping::MemoryFootprint> memory = study::class_memory(scenario, answer);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    json row = mapping::to_json(memory[i]);
    row["rank_class"] = answer.model.classes[i].name;
    row["ranks"] = answer.model.classes[i].ranks;
    rows.push_back(std::move(row));
  }
  return rows;
}

// Devices bought by the hour, busy with this step alone.
json cost_json(const hw::Price& price, const infer::InferEstimate& estimate) {
  const double per_hour = price.per_device_hour.value;
  return {{"usd_per_device_hour", per_hour},
          {"usd_per_million_tokens", 1e6 * per_hour / kSecondsPerHour / estimate.per_device.value}};
}

}  // namespace

json estimate_json(const study::Scenario& scenario, const study::Answer& answer) {
  json out{{"scenario", study::to_json(scenario)}};
  if (const auto* no = std::get_if<infer::Infeasible>(&answer.outcome)) {
    out["infeasible"] = no->reason;
    return out;
  }
  const auto& estimate = std::get<infer::InferEstimate>(answer.outcome);
  out["estimate"] = infer::to_json(estimate);
  const hw::Price& price = scenario.cluster.price;
  if (price.per_device_hour.value > 0.0) out["cost"] = cost_json(price, estimate);
  out["operators"] = operators_json(answer);
  out["memory"] = memory_json(scenario, answer);
  out["mla_form"] = study::mla_form(answer);
  out["notes"] = answer.notes;
  out["assumed"] = scenario.cluster.assumed;
  if (scenario.load) out["expert_load"] = study::to_json(*scenario.load);
  return out;
}

}  // namespace fathom::whatif
