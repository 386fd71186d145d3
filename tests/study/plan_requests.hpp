#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "study/plan_search.hpp"

namespace fathom::study::plan_test {

/// DeepSeek-V3 on H800 with a search small enough for a test.
inline nlohmann::json small_request() {
  return {{"model", "deepseek-v3"},
          {"hardware", "h800"},
          {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
          {"targets", {{"ttft_s", 5}, {"tpot_ms", 50}}},
          {"search", {{"tp", {1}}, {"pp", {1}}, {"dp", {16, 32}}, {"ep", {16, 32}}}}};
}

inline PlanRequest parsed(const nlohmann::json& document) {
  return parse_plan_request(document, "plan.json#");
}

inline PlanResult solve(const nlohmann::json& document, int threads = 1) {
  return search_plans(parsed(document), {.threads = threads});
}

/// With one field changed: at(small_request(), "/traffic/requests_per_s", 40).
inline nlohmann::json at(nlohmann::json document, const std::string& pointer,
                         nlohmann::json value) {
  document[nlohmann::json::json_pointer(pointer)] = std::move(value);
  return document;
}

}  // namespace fathom::study::plan_test
