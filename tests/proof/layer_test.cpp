#include "proof/layer.hpp"
#include "catch.hpp"
#include "measure/random_data.hpp"
#include "proof/mtp_module.hpp"
#include "small_models.hpp"
#include "stepping.hpp"

namespace fathom::proof {
namespace {

using test::Rows;
using test::Vector;

void add(Rows& to, const Rows& what) {
  for (std::size_t t = 0; t < to.size(); ++t)
    for (std::size_t i = 0; i < to[t].size(); ++i) to[t][i] += what[t][i];
}

Rows normed(const Rows& x, const kernels::cpu::Buffer<float>& weight) {
  Rows out;
  for (const Vector& token : x) out.push_back(test::rms_norm(token, weight.span()));
  return out;
}

// delta and stream after a layer; its parts draw from streams 0, 1 and 2 of sixteen.
void layer(const model::ArchSpec& arch, const model::LayerSpec& spec, std::uint64_t seed,
           Rows& delta, Rows& stream) {
  Draw weights{seed * 16};
  const auto attention_norm = weights.norm(arch.hidden_size);
  const auto ffn_norm = weights.norm(arch.hidden_size);
  add(stream, delta);
  const Rows x = normed(stream, attention_norm);
  const auto* latent = std::get_if<model::MlaSpec>(&spec.attention);
  delta = latent != nullptr
              ? test::mla(arch, *latent, seed * 16 + 1, x)
              : test::gqa(arch, std::get<model::GqaSpec>(spec.attention), seed * 16 + 1, x);
  add(stream, delta);
  delta = test::feed_forward(arch, spec, seed * 16 + 2, normed(stream, ffn_norm));
}

}  // namespace

TEST_CASE("a layer is norm, attention, norm and feed-forward around a residual stream",
          "[proof][layer]") {
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  kernels::cpu::ThreadPool pool{GENERATE(1, 2), false};
  constexpr std::int64_t kTokens = 10;
  for (const model::ArchSpec& arch : {test::small_v3(), test::small_qwen3(), test::small_llama()}) {
    CAPTURE(arch.name, name(isa), pool.size());
    const auto& spec = arch.kinds[static_cast<std::size_t>(arch.layers.front())];
    std::vector<float> delta(static_cast<std::size_t>(kTokens * arch.hidden_size));
    std::vector<float> stream(delta.size());
    measure::fill_random(std::span{delta}, 1.0F, 1);
    measure::fill_random(std::span{stream}, 1.0F, 2);
    Rows want = test::rows_of(std::span<const float>{delta}, arch.hidden_size);
    Rows sum = test::rows_of(std::span<const float>{stream}, arch.hidden_size);
    layer(arch, spec, 7, want, sum);

    Layer tested{arch, spec, {.new_tokens = kTokens, .prefill = true}, {isa, pool, 7}};
    tested.run(delta.data(), stream.data(), 0, nullptr);
    // Roundings of attention (sublayer_test.cpp) and of the feed-forward layer after it.
    CHECK(test::distance(test::rows_of(std::span<const float>{delta}, arch.hidden_size), want) <
          8.0 * 0x1p-9);
    CHECK(test::distance(test::rows_of(std::span<const float>{stream}, arch.hidden_size), sum) <
          5.0 * 0x1p-9);
  }
}

TEST_CASE("what a layer reads cold is what it has", "[proof][layer]") {
  const model::ArchSpec arch = test::small_llama();
  kernels::cpu::ThreadPool pool{1, false};
  Layer tested{arch, arch.kinds.front(), {.max_context = 7}, {kernels::cpu::Isa::portable, pool}};
  std::size_t bytes = 0;
  for (const measure::Region& region : tested.cold()) bytes += region.bytes;
  // q and o 96 x 192, k and v 96 x 64, three of 96 x 128; keys and values of 8 rows of 64
  const std::size_t weights = 2 * 96 * 192 + 2 * 96 * 64 + 3 * 96 * 128;
  const std::size_t cache = 2 * 8 * 64;
  CHECK(bytes >= 2 * (weights + cache));
  CHECK(bytes < 3 * (weights + cache));  // packing pads to tiles
}

TEST_CASE("an MTP module gives finite logits, the same for the same seed", "[proof][mtp]") {
  const model::ArchSpec arch = test::small_v3();
  kernels::cpu::ThreadPool pool{1, false};
  const auto logits = [&](std::uint64_t seed) {
    MtpModule module{arch,
                     {.sequences = 2, .new_tokens = 2, .max_context = 9},
                     {kernels::cpu::preferred_isa(), pool, seed}};
    module.fill_cache(9, 4);
    module.run(9, nullptr);
    return std::vector<float>(module.logits().begin(), module.logits().end());
  };
  const auto first = logits(1);
  CHECK(first.size() == static_cast<std::size_t>(2 * arch.vocab_size));
  for (const float value : first) REQUIRE(std::isfinite(value));
  CHECK(first == logits(1));
  CHECK(first != logits(2));
}

}  // namespace fathom::proof
