#include "proof/side_by_side.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_config.hpp"
#include "proof/layer_case.hpp"

namespace fathom::proof {
namespace {

Placement placed_here(const measure::CaseResult& r) {
  const double ridge = r.compute_ceiling.median / r.memory_ceiling.median;
  const double over = ops::intensity(r.cost).value / ridge;
  return {.over_ridge = over,
          .share = r.of_compute.median,
          .seconds = r.time_s.median,
          .bound = over >= 1.0 ? timing::Bound::compute : timing::Bound::memory};
}

Placement placed_on(const hw::Cluster& cluster, const measure::CaseResult& r) {
  Placement out{.over_ridge =
                    ops::intensity(r.cost).value / hw::ridge(cluster.device, r.cost.math).value};
  double longest = -1.0;
  for (const ops::Op& op : r.ops) {
    const timing::OpTime time = timing::time_of(op, cluster, {});
    out.seconds += time.total.value;
    if (time.total.value <= longest) continue;
    longest = time.total.value;
    out.bound = time.bound;
  }
  out.share = r.cost.flops.value / out.seconds / cluster.device.peak_of(r.cost.math).value;
  return out;
}

nlohmann::json placement_json(const Placement& p, std::string_view machine, bool measured) {
  return {{"machine", machine},
          {"basis", measured ? "measured" : "estimated"},
          {"intensity_over_ridge", p.over_ridge},
          {"side", p.compute_side() ? "compute" : "memory"},
          {"bound", timing::name(p.bound)},
          {"share_of_peak", p.share},
          {"time_s", p.seconds}};
}

}  // namespace

bool SideBySideRow::agrees() const {
  return std::ranges::all_of(
      there, [&](const Placement& p) { return p.compute_side() == here.compute_side(); });
}

measure::KernelCase small_mtp_module() {
  // Proportions of V3 (arXiv 2412.19437, 4.2) at a seventh of its width; two new tokens a sequence:
  // the accepted one and its draft.
  const model::ArchSpec arch =
      model::load_model(
          "deepseek-v3",
          {.sets = {"hidden_size=1024", "intermediate_size=4096", "moe_intermediate_size=512",
                    "n_routed_experts=32", "num_experts_per_tok=4", "n_group=4", "topk_group=2",
                    "num_attention_heads=16", "num_key_value_heads=16", "q_lora_rank=384",
                    "vocab_size=16384"}})
          .arch;
  measure::KernelCase out = mtp_case("deepseek-v3 form, hidden 1024", arch,
                                     {.sequences = 4, .new_tokens = 2, .context = 1024});
  out.group = "mtp";
  return out;
}

SideBySide side_by_side(measure::Measurement measurement, std::vector<hw::Cluster> clusters) {
  SideBySide out{.measurement = std::move(measurement), .clusters = std::move(clusters)};
  for (const measure::CaseResult& r : out.measurement.results) {
    if (r.time_s.count == 0 || r.cost.flops.value <= 0.0) continue;
    SideBySideRow row{.id = r.id,
                      .group = r.group,
                      .intensity = ops::intensity(r.cost).value,
                      .here = placed_here(r)};
    for (const hw::Cluster& cluster : out.clusters) {
      if (cluster.device.peak_of(r.cost.math).value <= 0.0)
        throw InputError{cluster.id + ": has no peak for the arithmetic of " + r.id};
      row.there.push_back(placed_on(cluster, r));
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

nlohmann::json to_json(const SideBySide& c) {
  using nlohmann::json;
  json rows = json::array();
  for (const SideBySideRow& row : c.rows) {
    json machines = json::array({placement_json(row.here, "here", true)});
    for (std::size_t i = 0; i < c.clusters.size(); ++i)
      machines.push_back(placement_json(row.there[i], c.clusters[i].id, false));
    rows.push_back({{"id", row.id},
                    {"group", row.group},
                    {"flops_per_byte", row.intensity},
                    {"same_side", row.agrees()},
                    {"machines", machines}});
  }
  const auto same = std::ranges::count_if(c.rows, &SideBySideRow::agrees);
  return {{"schema", "side-by-side/1"},
          {"kernels", c.rows.size()},
          {"same_side", same},
          {"rows", rows},
          {"measurement", to_json(c.measurement)}};
}

}  // namespace fathom::proof
