#include "ops/attention.hpp"

#include "catch.hpp"

using namespace fathom;
using namespace fathom::ops;

TEST_CASE("causal pairs are T P + T (T + 1) / 2", "[ops][attention]") {
  CHECK(causal_pairs(1, 0) == 1);
  CHECK(causal_pairs(4, 0) == 1 + 2 + 3 + 4);
  CHECK(causal_pairs(2, 10) == 11 + 12);
}

TEST_CASE("a capped query sees at most the cap", "[ops][attention]") {
  // queries of a fresh prompt of 6 with a window of 3 see 1, 2, 3, 3, 3, 3
  CHECK(capped_pairs(6, 0, 3) == 1 + 2 + 3 + 3 + 3 + 3);
  CHECK(capped_pairs(2, 100, 3) == 6);
  CHECK(capped_pairs(5, 7, 0) == causal_pairs(5, 7));
}

TEST_CASE("GQA decode reads a KV head once for all heads of its group", "[ops][attention]") {
  // one query over S keys: intensity 2 (H/K) / bytes, here bf16: H/K FLOP per byte, independent of
  // S
  const double s = 4096;
  const OpCost c = cost(Attention{.heads = 64,
                                  .kv_heads = 8,
                                  .qk_head_dim = 128,
                                  .v_head_dim = 128,
                                  .query_tokens = 1,
                                  .kv_tokens = s,
                                  .pairs = s});
  CHECK(c.flops / c.kv_read == FlopsPerByte{64.0 / 8.0});
}

TEST_CASE("absorbed MLA of DeepSeek-V3 does 241.8 FLOP per cached byte", "[ops][attention]") {
  const double s = 4096;
  const OpCost c = cost(LatentAttention{.heads = 128,
                                        .qk_dim = 576,
                                        .v_dim = 512,
                                        .query_tokens = 1,
                                        .kv_tokens = s,
                                        .pairs = s,
                                        .row_bytes = Bytes{1152}});
  // 2 * 128 * (576 + 512) / 1152
  CHECK(c.flops / c.kv_read == FlopsPerByte{2.0 * 128 * 1088 / 1152});
  CHECK((c.flops / c.kv_read).value == Approx(241.8).epsilon(2e-4));
}

TEST_CASE("absorbed attention costs 3.4 times the naive FLOPs a pair", "[ops][attention]") {
  const OpCost naive = cost(
      Attention{.heads = 128, .kv_heads = 128, .qk_head_dim = 192, .v_head_dim = 128, .pairs = 1});
  const OpCost absorbed =
      cost(LatentAttention{.heads = 128, .qk_dim = 576, .v_dim = 512, .pairs = 1});
  CHECK(absorbed.flops / naive.flops == Approx((576.0 + 512) / (192 + 128)).epsilon(1e-12));
  CHECK(naive.flops == Flops{81920});
  CHECK(absorbed.flops == Flops{278528});
}

TEST_CASE("the indexer of DeepSeek-V3.2 costs 16,384 FLOP a pair", "[ops][indexer]") {
  CHECK(cost(Indexer{.heads = 64, .head_dim = 128, .pairs = 1}).flops == Flops{16384});
}

TEST_CASE("a linear-attention state is read and written once a pass", "[ops][linear]") {
  const OpCost c = cost(LinearAttention{.value_heads = 32,
                                        .key_heads = 16,
                                        .key_dim = 128,
                                        .value_dim = 128,
                                        .tokens = 5,
                                        .state_passes = 5});
  CHECK(c.kv_read == Bytes{5.0 * 32 * 128 * 128 * 4});
  CHECK(c.kv_write == c.kv_read);
}
