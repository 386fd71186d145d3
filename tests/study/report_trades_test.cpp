#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "core/error.hpp"
#include "infer/serving_point.hpp"
#include "model/kv_cache.hpp"
#include "study/cache_trade.hpp"
#include "study/draft_trade.hpp"
#include "study/expert_trade.hpp"
#include "study/hardware_trade.hpp"
#include "study/load_source.hpp"

namespace fathom::study {
namespace {

constexpr const char* kWhere = "spec.json#";
constexpr double kRounding = 1e-9;

bool near(double a, double b) { return std::abs(a - b) <= kRounding * std::abs(b); }

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the longest context in a memory fits it and one token more does not",
          "[study][kv_cache]") {
  const CacheTrade trade = trade_cache({.models = {"deepseek-v3", "deepseek-v4-pro"},
                                        .contexts = {4096},
                                        .kv = {"bf16", "fp8"},
                                        .hardware = {"h200"}},
                                       kWhere);
  for (const CacheRow& row : trade.rows) {
    const model::ArchSpec arch = model::load_model(row.label).arch;
    for (const CacheCurve& curve : row.curves) {
      CAPTURE(row.label, curve.kv);
      const auto bytes = [&](double tokens) {
        return model::kv_bytes_per_sequence(arch, model::parse_kv_layout(curve.kv, "kv"),
                                            static_cast<std::int64_t>(tokens));
      };
      CHECK(bytes(curve.longest_tokens[0]) <= trade.devices[0].memory);
      CHECK(bytes(curve.longest_tokens[0] + 1.0) > trade.devices[0].memory);
    }
  }
}

TEST_CASE("a cache report needs a base for its kinds and ascending contexts", "[study][kv_cache]") {
  CHECK(message_of([] {
          trade_cache({.attentions = {"mha"}}, kWhere);
        }).starts_with("spec.json#/models: empty"));
  CHECK(message_of([] {
          trade_cache({.models = {"deepseek-v3"}, .attentions = {"mha"}}, kWhere);
        }).starts_with("spec.json#/base: missing"));
  CHECK(message_of([] {
          trade_cache({.models = {"deepseek-v3"}, .contexts = {8, 4}}, kWhere);
        }) == "spec.json#/contexts/1: found 4 after 8, expected ascending counts");
}

TEST_CASE("drafts break even where they accept what their step costs", "[study][mtp]") {
  CHECK(*break_even(1, 1.0) == 0.0);
  CHECK(*break_even(2, 0.9) == 0.0);  // a shorter step pays whatever is accepted
  // One draft: 1 + p tokens for 1.25 steps.
  CHECK(near(*break_even(1, 1.25), 0.25));
  // Two: 1 + p + p² = 1.75 at p = 1/2.
  CHECK(near(*break_even(2, 1.75), 0.5));
  CHECK_FALSE(break_even(1, 2.0 + 1e-9).has_value());
}

TEST_CASE("the speed-up of drafts is accepted tokens over the longer step", "[study][mtp]") {
  const DraftTrade trade = trade_drafts({.model = "deepseek-v3",
                                         .hardware = "h800",
                                         .devices = 32,
                                         .batches = {4, 64},
                                         .drafts = {1, 2},
                                         .acceptances = {0.0, 0.8, 1.0}},
                                        kWhere);
  REQUIRE(trade.points.size() == 4);
  CHECK(trade.weights_mtp > trade.weights);
  for (const DraftPoint& point : trade.points) {
    CAPTURE(point.batch, point.drafts);
    REQUIRE(point.speedup.size() == 3);
    CHECK(point.step_ratio > 1.0);
    CHECK(near(point.speedup[0], 1.0 / point.step_ratio));
    CHECK(near(point.speedup[2], (1.0 + static_cast<double>(point.drafts)) / point.step_ratio));
    REQUIRE(point.break_even.has_value());
    CHECK(near(infer::expected_accepted(point.drafts, *point.break_even), point.step_ratio));
  }
}

TEST_CASE("drafts of a model without MTP modules are refused", "[study][mtp]") {
  CHECK(message_of([] {
          trade_drafts({.model = "llama-3.1-70b", .hardware = "h800"}, kWhere);
        }).starts_with("spec.json#/model: "));
}

TEST_CASE("finer experts keep the width of all and of the chosen ones", "[study][moe]") {
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  const double factor = GENERATE(0.125, 0.5, 1.0, 2.0);
  CAPTURE(factor);
  const model::MoeSpec moe = moe_layers(with_granularity(arch, factor, kWhere)).back();
  CHECK(moe.n_routed_experts * moe.moe_intermediate_size == 256 * 2048);
  CHECK(moe.num_experts_per_tok * moe.moe_intermediate_size == 8 * 2048);
  CHECK(moe.shared_intermediate_size == 2048);
}

TEST_CASE("experts cannot be cut into fractions", "[study][moe]") {
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  CHECK(message_of([&] {
          with_granularity(arch, 0.3, "spec.json#/granularity/0");
        }).starts_with("spec.json#/granularity/0: found 0.3, n_routed_experts = 256"));
}

TEST_CASE("a shared expert takes the place of a chosen one", "[study][moe]") {
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  for (const std::int64_t shared : {0, 1, 4}) {
    const model::MoeSpec moe = moe_layers(with_shared_experts(arch, shared, kWhere)).back();
    CHECK(moe.num_experts_per_tok + moe.n_shared_experts == 8 + 1);
    CHECK(moe.shared_intermediate_size == shared * 2048);
  }
  CHECK_FALSE(message_of([&] { with_shared_experts(arch, 9, kWhere); }).empty());
}

TEST_CASE("a larger expert group leaves each rank fewer experts with more rows each",
          "[study][moe]") {
  const ExpertTrade trade = trade_experts({.model = "deepseek-v3",
                                           .hardware = "h800",
                                           .ep = {32, 64, 128},
                                           .ep_of_others = 32,
                                           .skew = {0.0, 1.0},
                                           .granularity = {},
                                           .shared = {}},
                                          kWhere);
  for (std::size_t i = 0; i < trade.sizes.size(); ++i) {
    const ExpertPoint& point = trade.sizes[i];
    CAPTURE(point.plan.ep, point.infeasible);
    REQUIRE(point.infeasible.empty());
    CHECK(point.experts_per_rank == 256.0 / static_cast<double>(point.plan.ep));
    CHECK(point.touched <= point.experts_per_rank);
    if (i == 0) continue;
    CHECK(point.weights < trade.sizes[i - 1].weights);
    CHECK(point.rows_per_touched > trade.sizes[i - 1].rows_per_touched);
  }
  REQUIRE(trade.skews.size() == 4);  // each exponent in order, then balanced
  CHECK(trade.skews[2].load > trade.skews[0].load);
  CHECK(trade.skews[3].load < trade.skews[2].load);
  CHECK(trade.skews[2].point.per_device < trade.skews[0].point.per_device);
}

TEST_CASE("money is price over speed", "[study][compare_hardware]") {
  const HardwareTrade trade = trade_hardware({.model = "deepseek-v3",
                                              .hardware = {"h800", "h200"},
                                              .batches = {32},
                                              .contexts = {4096},
                                              .devices = 32},
                                             kWhere);
  REQUIRE(trade.rows.size() == 2);
  for (const HardwareRow& row : trade.rows) {
    CAPTURE(row.cluster.id);
    REQUIRE(row.plan.has_value());
    CHECK(mapping::devices(*row.plan) == 32);
    for (const HardwarePoint& point : {row.decode.front(), row.prefill.front()}) {
      REQUIRE(point.infeasible.empty());
      REQUIRE(point.usd_per_million_tokens.has_value());
      const double tokens_per_hour = 3600.0 * point.per_device.value;
      CHECK(near(*point.usd_per_million_tokens * tokens_per_hour / 1e6,
                 row.cluster.price.per_device_hour.value));
    }
  }
}

TEST_CASE("a system that cannot hold the model says so and the others answer",
          "[study][compare_hardware]") {
  const HardwareTrade trade = trade_hardware({.model = "deepseek-v3",
                                              .hardware = {"rtx-4090", "h200"},
                                              .batches = {1},
                                              .contexts = {4096},
                                              .devices = 8},
                                             kWhere);
  CHECK_FALSE(trade.rows[0].plan.has_value());
  CHECK_FALSE(trade.rows[0].infeasible.empty());
  CHECK(trade.rows[1].decode.front().infeasible.empty());
  CHECK(message_of([] {
          trade_hardware({.model = "deepseek-v3", .hardware = {"h800", "h800"}}, kWhere);
        }) == "spec.json#/hardware/1: 'h800' is listed twice");
}

}  // namespace fathom::study
