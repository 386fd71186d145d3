#include "model/kv_cache.hpp"

#include "catch.hpp"
#include "model/model_files.hpp"

namespace fathom::model {
namespace {

using test::message_of;
using test::missing;

using test::load;

constexpr KvLayout kBf16{KvFormat::bf16, IndexKeyFormat::bf16};
constexpr KvLayout kSparse{KvFormat::fp8_mla, IndexKeyFormat::fp8};
constexpr KvLayout kSparseFp4{KvFormat::fp8_mla, IndexKeyFormat::fp4};

TEST_CASE("MLA caches the latent and one rope key, whatever the number of heads", "[model][kv]") {
  const auto heads = GENERATE(16, 64, 128);
  const MlaSpec mla{.num_attention_heads = heads,
                    .q_lora_rank = 1536,
                    .kv_lora_rank = 512,
                    .qk_nope_head_dim = 128,
                    .qk_rope_head_dim = 64,
                    .v_head_dim = 128};
  CHECK(layer_kv(mla, kBf16).per_token == Bytes{2.0 * (512 + 64)});
  CHECK(layer_kv(mla, kSparse).per_token == Bytes{512 + 4 * 4 + 2 * 64});
  CHECK(layer_kv(mla, {.kv = KvFormat::nvfp4}).per_token == Bytes{576 * 0.5625});
}

TEST_CASE("V3 caches 56.9 times less than MHA with the same heads", "[model][kv]") {
  const ArchSpec arch = load("deepseek-v3");
  const ArchSpec mha = with_attention(arch, "mha");
  const double ratio = kv_growth_per_token(mha, kBf16) / kv_growth_per_token(arch, kBf16);
  CHECK(ratio == 2.0 * 128 * 128 / 576);
  const ArchSpec lite = load("deepseek-v2-lite");
  const double small =
      kv_growth_per_token(with_attention(lite, "mha"), kBf16) / kv_growth_per_token(lite, kBf16);
  CHECK(small == 2.0 * 16 * 128 / 576);
}

TEST_CASE("absorbed decoding of V3 does 241.8 FLOPs per cached byte", "[model][kv]") {
  const ArchSpec arch = load("deepseek-v3");
  const auto bf16_flops = [&](std::int64_t context) {
    const auto row = decode_flops_json(arch, {context})[std::to_string(context)];
    return row["bf16"].get<double>();
  };
  const double flops = bf16_flops(4096) - bf16_flops(0);
  const double bytes = 4096 * kv_growth_per_token(arch, kBf16).value;
  CHECK(flops / bytes == 2.0 * 128 * (2 * 512 + 64) / (2.0 * 576));
}

TEST_CASE("DSA adds one 132 byte key per layer", "[model][kv]") {
  const ArchSpec v3 = load("deepseek-v3");
  const ArchSpec v32 = load("deepseek-v3.2");
  const Bytes more = kv_growth_per_token(v32, kSparse) - kv_growth_per_token(v3, kSparse);
  CHECK(more == Bytes{61.0 * 132});
}

TEST_CASE("layers that share an index keep no keys", "[model][kv]") {
  const ArchSpec all = load("glm-5");
  const ArchSpec some = load("glm-5.2");
  const Bytes saved = kv_growth_per_token(all, kSparse) - kv_growth_per_token(some, kSparse);
  CHECK(saved == Bytes{57.0 * 132});
}

TEST_CASE("a window caps what a sequence keeps", "[model][kv]") {
  const ArchSpec arch = load("mistral-7b");
  const Bytes at_window = kv_bytes_per_sequence(arch, kBf16, 4096);
  CHECK(at_window == Bytes{131072.0 * 4096});
  CHECK(kv_bytes_per_sequence(arch, kBf16, 32768) == at_window);
  CHECK(kv_growth_per_token(arch, kBf16) == Bytes{0.0});
}

TEST_CASE("the cache never shrinks as the context grows", "[model][kv][property]") {
  const std::string name = GENERATE("deepseek-v4-pro", "gpt-oss-120b", "qwen3-next-80b-a3b",
                                    "llama-4-maverick", "deepseek-v4.1-flash");
  CAPTURE(name);
  const ArchSpec arch = load(name);
  Bytes before;
  for (std::int64_t context = 0; context < 300; ++context) {
    const Bytes now = kv_bytes_per_sequence(arch, kSparse, context);
    CHECK(now >= before);
    before = now;
  }
}

TEST_CASE("V4 appends a block only when it is complete", "[model][kv]") {
  const ArchSpec arch = load("deepseek-v4-pro");
  const auto bytes = [&](std::int64_t s) { return kv_bytes_per_sequence(arch, kSparseFp4, s); };
  CHECK(bytes(3) == bytes(0));
  CHECK(bytes(4) - bytes(3) == Bytes{30.0 * (584 + 68)});
  CHECK(bytes(128) - bytes(127) == Bytes{30.0 * (584 + 68) + 31.0 * 584});
  CHECK(kv_growth_per_token(arch, kSparseFp4) == Bytes{30 * (584 + 68) / 4.0 + 31 * 584 / 128.0});
}

TEST_CASE("V4.1 reads four caches in forty layers", "[model][kv]") {
  const ArchSpec arch = load("deepseek-v4.1-flash");
  const KvLayout fp4{KvFormat::nvfp4, IndexKeyFormat::fp4};
  const double entry = 512 / 2.0 + 512 / 16.0, key = 128 / 2.0 + 128 / 32.0;
  CHECK(kv_growth_per_token(arch, fp4) == Bytes{(3 / 2.0 + 1) * (entry + key)});
}

TEST_CASE("linear attention keeps a state and does not grow", "[model][kv]") {
  const LinearAttentionSpec gdn{.linear_num_key_heads = 16,
                                .linear_key_head_dim = 128,
                                .linear_num_value_heads = 32,
                                .linear_value_head_dim = 128,
                                .linear_conv_kernel_dim = 4};
  const LayerKv kv = layer_kv(gdn, kBf16);
  CHECK(kv.per_token == Bytes{0.0});
  CHECK(kv.constant == Bytes{4.0 * 32 * 128 * 128 + 2.0 * 3 * (2 * 16 * 128 + 32 * 128)});
}

TEST_CASE("tensor product attention caches factors", "[model][kv]") {
  const TpaSpec tpa{
      .num_attention_heads = 32, .head_dim = 128, .q_rank = 6, .k_rank = 2, .v_rank = 2};
  CHECK(layer_kv(tpa, kBf16).per_token == Bytes{2.0 * (2 + 2) * (32 + 128)});
}

TEST_CASE("a KV layout is named by its format and its index keys", "[model][kv]") {
  CHECK(parse_kv_layout("bf16", "--kv") == KvLayout{});
  CHECK(parse_kv_layout("fp8_mla+index-fp4", "--kv") == kSparseFp4);
  CHECK(missing(message_of([&] { parse_kv_layout("fp8_mlaa", "--kv"); }),
                {"--kv", "did you mean 'fp8_mla'"}) == "");
  CHECK_THROWS_AS(parse_kv_layout("bf16+fp4", "--kv"), InputError);
  CHECK_THROWS_AS(parse_kv_layout("", "--kv"), InputError);
}

}  // namespace
}  // namespace fathom::model
