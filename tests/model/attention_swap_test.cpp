#include "catch.hpp"
#include "model/kv_cache.hpp"
#include "model/model_files.hpp"
#include "model/params.hpp"

namespace fathom::model {
namespace {

using test::missing;

using test::load;

constexpr KvLayout kBf16{KvFormat::bf16, IndexKeyFormat::bf16};

std::string refusal(const ArchSpec& arch, const char* attention) {
  return test::message_of([&] { with_attention(arch, attention); });
}

TEST_CASE("a swap keeps width, depth, heads and FFN", "[model][swap]") {
  const auto attention = GENERATE("mha", "mqa", "gqa-8", "mla", "mla+dsa", "tpa");
  CAPTURE(attention);
  const ArchSpec before = load("deepseek-v3");
  const ArchSpec after = with_attention(before, attention);
  CHECK(after.layers == before.layers);
  CHECK(after.hidden_size == before.hidden_size);
  CHECK(after.kinds[1].moe == before.kinds[1].moe);
  CHECK(kind_name(after.kinds[0].attention) ==
        std::string(attention).substr(0, std::string(attention).find('-')));
  CHECK(after.mtp_layer.attention == after.kinds[0].attention);
}

TEST_CASE("GQA with 8 heads caches 16 times less than MHA with 128", "[model][swap]") {
  const ArchSpec arch = load("deepseek-v3");
  const auto growth = [&](const char* a) {
    return kv_growth_per_token(with_attention(arch, a), kBf16);
  };
  CHECK(growth("mha") / growth("gqa-8") == 16.0);
  CHECK(growth("gqa-8") / growth("mqa") == 8.0);
  CHECK(growth("mqa") == Bytes{61.0 * 2 * 128 * 2});
}

TEST_CASE("MLA for a GQA model takes DeepSeek's proportions", "[model][swap]") {
  const ArchSpec arch = with_attention(load("llama-3.1-70b"), "mla");
  const auto& mla = std::get<MlaSpec>(arch.kinds[0].attention);
  CHECK(mla.num_attention_heads == 64);
  CHECK(mla.kv_lora_rank == 4 * 128);
  CHECK(mla.q_lora_rank == 3 * mla.kv_lora_rank);
  CHECK(mla.qk_rope_head_dim == 128 / 2);
  CHECK(kv_growth_per_token(arch, kBf16) == Bytes{80.0 * 2 * (512 + 64)});
  const ArchSpec small = with_attention(load("qwen3-30b-a3b"), "mla");
  CHECK(std::get<MlaSpec>(small.kinds[0].attention).q_lora_rank == 0);
}

TEST_CASE("CSA and HCA alternate as in DeepSeek-V4-Pro", "[model][swap]") {
  const ArchSpec v4 = load("deepseek-v4-pro");
  const ArchSpec arch = with_attention(load("deepseek-v3"), "csa+hca");
  REQUIRE(arch.layers.size() == v4.layers.size());
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    CAPTURE(i);
    // The same heads over the same vectors: V4-Pro's layers come out one by one.
    CHECK(arch.kinds[static_cast<std::size_t>(arch.layers[i])].attention ==
          v4.kinds[static_cast<std::size_t>(v4.layers[i])].attention);
  }
  CHECK(arch.mtp_layer.attention == v4.mtp_layer.attention);
  CHECK(count_params(with_attention(v4, "csa+hca")) == count_params(v4));
}

TEST_CASE("swapping a model for its own kind of attention changes nothing", "[model][swap]") {
  const ArchSpec v3 = load("deepseek-v3");
  CHECK(count_params(with_attention(v3, "mla")) == count_params(v3));
  CHECK(count_params(with_attention(v3, "mla+dsa")) == count_params(load("deepseek-v3.2")));
}

TEST_CASE("DSA brings compressed queries to a model without them", "[model][swap]") {
  const ArchSpec arch = with_attention(load("deepseek-v2-lite"), "mla+dsa");
  CHECK(std::get<MlaSpec>(arch.kinds[0].attention).q_lora_rank == 3 * 512);
}

TEST_CASE("a swap that has no meaning says why", "[model][swap]") {
  const ArchSpec v3 = load("deepseek-v3");
  CHECK(missing(refusal(v3, "gqa-7"), {"128"}) == "");
  CHECK(missing(refusal(v3, "gqa-0"), {"128"}) == "");
  CHECK(missing(refusal(v3, "gqa-99999999999999999999"), {"expected"}) == "");
  CHECK(missing(refusal(v3, "mlaa"), {"did you mean 'mla'"}) == "");
  CHECK(missing(refusal(load("glm-5"), "mha"), {"v_head_dim"}) == "");
  CHECK(missing(refusal(load("deepseek-v4.1-flash"), "mha"), {"KV cache"}) == "");
}

}  // namespace
}  // namespace fathom::model
