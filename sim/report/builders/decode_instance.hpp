#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "study/evaluate.hpp"
#include "study/plan_search.hpp"

namespace fathom::report {

/// One decoding instance of the smallest cluster of a plan, as a scenario with its answer.
struct DecodeInstance {
  study::Scenario scenario;
  study::Answer answer;
};

/// Nothing where there is no cluster, or where the search looked at it with anything but a
/// scenario's means (slower kernels, a sampled load). `document`, if given, becomes what the
/// scenario is parsed from.
std::optional<DecodeInstance> decode_instance(const study::PlanResult& result,
                                              nlohmann::json* document = nullptr);

}  // namespace fathom::report
