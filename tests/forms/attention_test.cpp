#include "catch.hpp"
#include "fixtures.hpp"
#include "forms/block_work.hpp"

using namespace fathom::forms;
using namespace fathom::forms::test;

TEST_CASE("a long causal prefill runs at its share of the peak over half the square",
          "[forms][attention]") {
  // 16 x 128 streams fill 132 SMs; 65536 tokens make launch, blocks and traffic vanish.
  const double s = 65536.0;
  const Params p = params("context_mla", "kv_bf16").set("compute_share", 0.7).set("exp_ps", 0.01);
  const double flops = 2.0 * 16.0 * 128.0 * (192.0 + 128.0) * s * s / 2.0;
  CHECK(p.seconds({16, s, 0, 128, 128, 192, 128}) ==
        Approx(flops / (0.7 * hopper().peak_bf16)).epsilon(0.05));
}

TEST_CASE("cached tokens add a rectangle to the triangle", "[forms][attention]") {
  const Params p = params("context_mla", "kv_bf16");
  const double fresh = p.seconds({4, 8192, 0, 128, 128, 192, 128});
  const double cached = p.seconds({4, 8192, 8192, 128, 128, 192, 128});
  CHECK(cached / fresh == Approx(3.0).epsilon(0.1));  // s^2/2 against s^2/2 + s^2
}

TEST_CASE("a single sequence decodes at the speed of its longest block, not of one SM",
          "[forms][attention]") {
  // Split-KV: 64 Ki tokens on one stream take far less than an unsplit walk would.
  const Params split = params("generation_mla", "kv_bf16");
  Params whole = params("generation_mla", "kv_bf16");
  whole.set("chunk_tokens", 1e9);
  const std::vector<double> shape{1, 1, 65536, 16, 1, 576, 512};
  CHECK(split.seconds(shape) < 0.1 * whole.seconds(shape));
}

TEST_CASE("decode time never falls with the context or the batch by more than its noise",
          "[forms][attention][property]") {
  const auto family = GENERATE("generation_mla", "generation_attention");
  const bool mla = std::string_view{family} == "generation_mla";
  const Params p = params(family, mla ? "kv_bf16" : "kv_bf16/gqa");
  const auto shape = [&](double batch, double context) -> std::vector<double> {
    if (mla) return {batch, 1, context, 128, 1, 576, 512};
    return {batch, 1, context, 64, 8, 128, 128};
  };
  for (double batch = 1.0; batch <= 256.0; batch *= 2.0) {
    double last = 0.0;
    for (double context = 1.0; context <= 65536.0; context *= 1.1) {
      const double t = p.seconds(shape(batch, context));
      CAPTURE(family, batch, context);
      CHECK(t >= last * 0.97);
      CHECK(p.seconds(shape(batch + 1.0, context)) >= t * 0.97);
      last = std::max(last, t);
    }
  }
}

TEST_CASE("verifying drafts reads the cache once", "[forms][attention]") {
  const Params p = params("generation_mla", "kv_bf16");
  const double one = p.seconds({8, 1, 65536, 16, 1, 576, 512});
  const double two = p.seconds({8, 2, 65536, 16, 1, 576, 512});
  CHECK(two < 1.2 * one);
}

TEST_CASE("projections of DeepSeek-V3's attention hold 187 million weights", "[forms][block]") {
  // q_a 7168 x 1536, q_b 1536 x 24576, kv_a 7168 x 576, kv_b 512 x 32768, o 16384 x 7168.
  const double expected =
      7168.0 * 1536 + 1536.0 * 24576 + 7168.0 * 576 + 512.0 * 32768 + 16384.0 * 7168;
  const BlockShape x{
      .batch = 1, .new_tokens = 1, .heads = 128, .hidden = 7168, .q_lora_rank = 1536};
  CHECK(mla_prefill_work(x).weights == expected);
  CHECK(mla_decode_work(x, 2.0, 132).weights == expected);
}

TEST_CASE("sparse attention reads at most its top-k", "[forms][block]") {
  BlockShape x{.batch = 3,
               .new_tokens = 1,
               .past_tokens = 99,
               .heads = 128,
               .hidden = 7168,
               .q_lora_rank = 1536};
  CHECK(dsa_work(x, 2.0, false).core_bytes == 3.0 * 100.0 * 1152.0);
  x.past_tokens = 1e5;
  CHECK(dsa_work(x, 2.0, false).core_bytes == 3.0 * 2048.0 * 1152.0);
  CHECK(dsa_work(x, 2.0, false).index_pairs == 3.0 * 100001.0);
}

TEST_CASE("compressed attention reads entries and a window of 128 tokens", "[forms][block]") {
  const BlockShape x{.batch = 1,
                     .new_tokens = 1,
                     .past_tokens = 128.0 * 1024.0 - 1.0,
                     .heads = 128,
                     .hidden = 7168,
                     .q_lora_rank = 1536,
                     .index_topk = 1024};
  CHECK(hca_work(x).core_bytes == (1024.0 + 128.0) * 584.0);  // 1024 entries of 128 tokens
  CHECK(csa_work(x).core_bytes == (1024.0 + 128.0) * 584.0);  // top-1024 of 32768 entries
  CHECK(csa_work(x).index_pairs == 32768.0);
}

TEST_CASE("a block is never faster than its launches", "[forms][block]") {
  const Params p = params("mla_generation_module", "fp8_block/kv_fp8").set("launch_us", 300.0);
  CHECK(p.seconds({1, 1, 100, 16, 7168, 1536}) >= 300e-6);
  CHECK(p.seconds({1, 1, 100, 16, 7168, 1536}) < 310e-6);
}
