#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/builders/decode_instance.hpp"
#include "report/workings.hpp"

namespace fathom::report {

/// Key figures of a capacity page whose workings it shows.
enum class ClusterFigure : std::uint8_t { devices, ttft, tpot, output, cost, speed };
std::string anchor(ClusterFigure figure);

/// One per operator of the decoding instance: "how-decode-mla-moe-q-b-proj". A page that shows the
/// estimate of a step beside a plan has "how-mla-moe-q-b-proj" too.
std::vector<std::string> decode_anchors(const std::vector<study::OperatorRow>& rows);

/// How the figures of the smallest cluster came about: GPUs from the rate and what one instance
/// serves, TTFT, TPOT, output per GPU; cost of the cheapest, speed of the fastest. Formulas are
/// those of study/plan_size.hpp and plan_cluster.hpp, the numbers put in what these kept. Then the
/// step of a decoding instance of the smallest cluster, as on its own page, if `instance` is there.
/// Percentiles have none: they come from a distribution. The result has a cluster.
Workings capacity_workings(const study::PlanResult& result,
                           const std::optional<DecodeInstance>& instance);

}  // namespace fathom::report
