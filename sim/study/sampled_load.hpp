#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "hw/cluster.hpp"
#include "mapping/plan.hpp"
#include "model/arch_spec.hpp"
#include "study/load_source.hpp"

namespace fathom::study {

/// Rows of the slowest rank over the mean, layer by layer: ranks wait for each other in every one,
/// so the mean over layers is what a step pays.
struct LayerPeaks {
  double mean = 1.0;
  double worst = 1.0;
  std::int64_t worst_layer = 0;  // counted among MoE layers
  bool operator==(const LayerPeaks&) const = default;
};

/// A load source asked for one plan.
struct SampledLoad {
  LoadSource source;
  LayerPeaks in_order;           // experts as numbered, redundant ones repeating the first
  LayerPeaks eplb;               // placed and replicated by the loads' expectation (EPLB)
  bool balanced = false;         // the plan runs with EPLB
  std::int64_t layers = 0;       // looked at
  std::optional<double> tokens;  // of one step; without: no noise of a finite batch
  std::string policy;            // "hierarchical" (groups stay on a node) or "global"
  bool operator==(const SampledLoad&) const = default;
};
const LayerPeaks& used(const SampledLoad& load);

/// `tokens` of one step over the whole expert group serve where the source names none. The plan
/// must be feasible. Deterministic: equal arguments give equal results.
SampledLoad sample_load(const LoadSource& source, const model::ArchSpec& arch,
                        const mapping::Plan& plan, const hw::Cluster& cluster,
                        std::optional<double> tokens);

nlohmann::json to_json(const SampledLoad& load);
/// One sentence for the assumptions of an answer.
std::string describe(const SampledLoad& load);

}  // namespace fathom::study
