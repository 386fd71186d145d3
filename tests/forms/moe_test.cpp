#include "forms/moe.hpp"

#include "catch.hpp"
#include "fixtures.hpp"

using namespace fathom::forms;
using namespace fathom::forms::test;

namespace {

std::vector<double> even_layer(double tokens, double local, double topk = 8, double experts = 256) {
  ExpertLoads loads;
  const LoadKey key{.tokens = static_cast<std::int64_t>(tokens),
                    .experts = static_cast<std::int64_t>(experts),
                    .topk = static_cast<std::int64_t>(topk),
                    .ranks = static_cast<std::int64_t>(experts / local)};
  const auto c = columns(MoeShape{.tokens = tokens,
                                  .hidden = 7168,
                                  .inter = 2048,
                                  .local_experts = local,
                                  .load = loads.most_loaded(key)});
  return {c.begin(), c.end()};
}

}  // namespace

TEST_CASE("few tokens pay for the weights of the experts they wake", "[forms][moe]") {
  // All 8 local experts are active at one row each: 3 x 7168 x 2048 FP8 weights an expert.
  const double weights = 8.0 * 3.0 * 7168.0 * 2048.0;
  const double t = params("moe", "fp8_block").set("memory_share", 1.0).seconds(even_layer(256, 8));
  CHECK(t > weights / hopper().memory_bandwidth);
  CHECK(t < 4.0 * weights / hopper().memory_bandwidth);
}

TEST_CASE("many tokens pay for arithmetic", "[forms][moe]") {
  const double share = 0.6;
  const double flops = 6.0 * 7168.0 * 2048.0 * 65536.0 * 8.0 / 32.0;
  const Params p = params("moe", "fp8_block").set("compute_share", share);
  const double t = p.seconds(even_layer(65536, 8));
  CHECK(t > flops / (share * hopper().peak_fp8));
  CHECK(t < 2.0 * flops / (share * hopper().peak_fp8));
}

TEST_CASE("a layer's time never falls with the tokens", "[forms][moe][property]") {
  const auto group = GENERATE("bf16", "fp8_block/deepgemm", "nvfp4/cutlass");
  const Params p = params("moe", group);
  double last = 0.0;
  for (double tokens = 32.0; tokens <= 65536.0; tokens *= 2.0) {
    const double t = p.seconds(even_layer(tokens, 8));
    CAPTURE(group, tokens);
    CHECK(t >= last * (1.0 - 1e-12));
    last = t;
  }
}
