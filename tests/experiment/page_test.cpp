#include "experiment/page.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "report/markdown.hpp"

using namespace fathom;
using namespace fathom::experiment;

TEST_CASE("the balance page has a curve per policy and the figures of its finding",
          "[experiment]") {
  const BalanceResult result = run_balance({.experts = 8,
                                            .topk = 2,
                                            .tokens = 32,
                                            .steps = 12,
                                            .ranks = 4,
                                            .redundant = 4,
                                            .balance_alphas = {1.0},
                                            .bias_update_speeds = {0.01}});
  const auto data = to_json(result);
  REQUIRE(data["curves"].size() == 3);
  for (const auto& curve : data["curves"]) CHECK(curve["max_violation"].size() == 12);
  const report::Document document = page(result);
  CHECK_THAT(document.finding, contains("Without balancing MaxVio"));
  CHECK_THAT(document.finding, contains("bias, u = 0.01"));
}

TEST_CASE("the FP8 page says what promotion is worth", "[experiment]") {
  const Fp8Result result = run_fp8({.rows = 16, .cols = 256, .gemm_k = {256, 512}});
  const auto data = to_json(result);
  CHECK(data["accumulation"].size() == 4);  // two inputs, two k
  CHECK_THAT(page(result).finding, contains("promoted to float32 every 128"));
}
