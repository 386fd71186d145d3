#include "ops/gemm.hpp"

#include "catch.hpp"
#include "ops/op.hpp"

using namespace fathom;
using namespace fathom::ops;

TEST_CASE("gemm reads its weights once, however many rows it serves", "[ops][gemm]") {
  const auto m = GENERATE(1.0, 8.0, 4096.0);
  CAPTURE(m);
  CHECK(cost(Gemm{.m = m, .n = 2048, .k = 7168, .weight = Dtype::fp8}).weight_read ==
        Bytes{2048.0 * 7168.0});
}

TEST_CASE("a multiply-add counts as two", "[ops][gemm]") {
  CHECK(cost(Gemm{.m = 3, .n = 5, .k = 7}).flops == Flops{2.0 * 3 * 5 * 7});
}

TEST_CASE("FP8 blocks carry one fp32 scale per 128x128 weights and per 128 activations",
          "[ops][gemm]") {
  const OpCost c = cost(
      Gemm{.m = 10, .n = 256, .k = 384, .weight = Dtype::fp8_block, .input = Dtype::fp8_block});
  CHECK(c.weight_read == Bytes{256.0 * 384 + 4.0 * 2 * 3});
  CHECK(c.act_read == Bytes{10.0 * 384 * (1.0 + 4.0 / 128)});
  CHECK(c.math == Math::fp8);
}

TEST_CASE("a grouped gemm reads only the experts that received a row", "[ops][gemm]") {
  const OpCost c =
      cost(GroupedGemm{.rows = 12, .experts = 8, .touched_experts = 5.5, .n = 64, .k = 32});
  CHECK(c.weight_read == Bytes{5.5 * 64 * 32 * 2});
  CHECK(c.flops == Flops{2.0 * 12 * 64 * 32});
}

TEST_CASE("communication costs the device nothing; its bytes are on wires", "[ops]") {
  CHECK(traffic(cost(Op{Collective{}})) == Bytes{});
  CHECK(is_communication(Op{ExpertExchange{}}));
  CHECK_FALSE(is_communication(Op{Gemm{}}));
}
