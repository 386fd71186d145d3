#include "model/params.hpp"

#include "catch.hpp"
#include "model/model_files.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

using test::message_of;
using test::missing;

using test::load;

TEST_CASE("DeepSeek-V3 has the parameters its dimensions give", "[model][params]") {
  const std::int64_t d = 7168, ql = 1536, c = 512, n = 128, r = 64, v = 128, heads = 128;
  const std::int64_t attention =
      d * ql + ql + ql * heads * (n + r) + d * (c + r) + c + c * heads * (n + v) + heads * v * d;
  const std::int64_t norms = 2 * d, expert = 3 * d * 2048, router = 256 * d + 256;
  const std::int64_t dense_layer = attention + norms + 3 * d * 18432;
  const std::int64_t moe_layer = attention + norms + router + expert + 256 * expert;
  const std::int64_t embedding = 129280 * d;
  const std::int64_t total = 3 * dense_layer + 58 * moe_layer + 2 * embedding + d;
  const std::int64_t activated = total - 58 * (256 - 8) * expert;
  const std::int64_t mtp = moe_layer + 2 * d * d + 3 * d;

  const ParamCount count = count_params(load("deepseek-v3"));
  CHECK(count.total_main == total);
  CHECK(count.activated_main_incl_embedding_and_head == activated);
  CHECK(count.activated_main_excl_embedding == activated - embedding);
  CHECK(count.activated_main_excl_embedding_and_head == activated - 2 * embedding);
  CHECK(count.mtp_unique == mtp);
  CHECK(count.mtp_activated_unique == mtp - (256 - 8) * expert);
}

TEST_CASE("GPT-3 has 12 d^2 + 13 d parameters a layer, tied embedding and positions",
          "[model][params]") {
  const std::int64_t d = 12288;
  const std::int64_t total = 96 * (12 * d * d + 13 * d) + (50257 + 2048 + 2) * d;
  CHECK(count_params(load("gpt-3-175b")).total_main == total);
}

TEST_CASE("a tied matrix is counted once and stays when the input embedding is left out",
          "[model][params]") {
  const ParamCount count = count_params(load("gemma-2-9b"));
  CHECK(count.activated_main_excl_embedding == count.total_main);
  CHECK(count.activated_main_excl_embedding_and_head == count.total_main - 256000LL * 3584);
}

TEST_CASE("the tensors of a model sum to its parameter count", "[model][params][property]") {
  const std::string name = GENERATE("deepseek-v3.2", "deepseek-v4-flash", "gpt-oss-20b",
                                    "qwen3-next-80b-a3b", "llama-4-maverick", "starcoder-15b");
  CAPTURE(name);
  const ArchSpec arch = load(name);
  std::int64_t main = 0;
  for (const Tensor& tensor : all_tensors(arch)) {
    if (!tensor.parameter || tensor.in_mtp) continue;
    main += tensor.elements() * (tensor.kind < 0 ? 1 : layer_count(arch, tensor.kind));
  }
  CHECK(main == count_params(arch).total_main);
}

TEST_CASE("the V3 checkpoint weighs what its safetensors headers say", "[model][checkpoint]") {
  const CheckpointBytes bytes = checkpoint_bytes(load("deepseek-v3"));
  // 61 + 1 layers carry one fp32 scale per started 128 x 128 block, 59 of them router biases.
  const std::int64_t scales = 41540496;
  CHECK(bytes.elements_by_dtype.at("F8_E4M3") == 680571043840);
  CHECK(bytes.elements_by_dtype.at("BF16") == 3918786560);
  CHECK(bytes.elements_by_dtype.at("F32") == scales + 59 * 256);
  CHECK(bytes.tensor_bytes == 680571043840 + 2 * 3918786560LL + 4 * (scales + 59 * 256));
}

TEST_CASE("V4 packs two FP4 weights to a byte with one scale byte per 32", "[model][checkpoint]") {
  const CheckpointBytes bytes = checkpoint_bytes(load("deepseek-v4-flash"));
  // 43 layers and one MTP block of 256 experts.
  const std::int64_t experts = 44LL * 256 * 3 * 4096 * 2048;
  CHECK(bytes.bytes_by_dtype.at("I8") == experts / 2);
  CHECK(bytes.bytes_by_dtype.at("F8_E8M0") >= experts / 32);
  CHECK(bytes.tensor_bytes == 159609485896);
}

TEST_CASE("training FLOPs per token reproduce the two published DeepSeek figures",
          "[model][flops]") {
  const auto giga = [](const char* name) {
    return training_flops_per_token(load(name), 4096) / 1e9;
  };
  // 6 N + 3 L 2 H (n + r + v) S / 2 with N without the input embedding.
  const double v3 = 6 * 36.625618432 + 3 * 61 * 2.0 * 128 * 320 * 2048 / 1e9;
  CHECK(std::abs(giga("deepseek-v3") / v3 - 1.0) < 1e-12);
  CHECK(std::round(giga("deepseek-v3") * 10.0) == 2505.0);
  CHECK(std::round(giga("deepseek-v2") * 10.0) == 1553.0);
}

TEST_CASE("every tensor says how it may be cut", "[model][tensors]") {
  const ArchSpec arch = load("deepseek-v3");
  const auto shard_of = [&](std::string_view name) {
    for (const Tensor& tensor : all_tensors(arch)) {
      if (tensor.name == name) return tensor.shard;
    }
    FAIL("no tensor " << name);
    return Shard::replicated;
  };
  CHECK(shard_of("q_b_proj") == Shard::heads);
  CHECK(shard_of("kv_b_proj") == Shard::heads);
  CHECK(shard_of("kv_a_proj_with_mqa") == Shard::replicated);
  CHECK(shard_of("o_proj") == Shard::rows);
  CHECK(shard_of("gate_proj") == Shard::columns);
  CHECK(shard_of("down_proj") == Shard::rows);
  CHECK(shard_of("gate") == Shard::replicated);
  CHECK(shard_of("experts.up_proj") == Shard::experts);
  CHECK(shard_of("embed_tokens") == Shard::vocab);
  CHECK(shard_of("lm_head") == Shard::vocab);
}

TEST_CASE("a file that describes only a cache refuses to be counted", "[model][params]") {
  const ArchSpec arch = load("deepseek-v4.1-flash");
  CHECK_THROWS_AS(count_params(arch), InputError);
  CHECK(missing(message_of([&] { checkpoint_bytes(arch); }), {"Engram", "DSpark"}) == "");
}

}  // namespace
}  // namespace fathom::model
