#include "catch.hpp"
#include "core/error.hpp"
#include "proof/gqa_layer.hpp"
#include "proof/mla_layer.hpp"
#include "small_models.hpp"
#include "stepping.hpp"

// What is timed as attention of a layer computes it: absorbed over a cache, naive, in chunks and
// with several new tokens, all against the same sum in double over all tokens.

namespace fathom::proof {
namespace {

using kernels::cpu::Isa;

// Inputs, weights and caches are bf16; queries, probabilities and heads are rounded to it on the
// way. Half a unit of 2^-8 a time, five roundings deep.
constexpr double kRounding = 5.0 * 0x1p-9;
constexpr std::int64_t kTokens = 12;

std::vector<LayerShape> forms() {
  return {{.sequences = 2, .new_tokens = 1, .max_context = kTokens},
          {.sequences = 1, .new_tokens = 2, .max_context = kTokens},
          {.sequences = 2, .new_tokens = kTokens, .max_context = 0, .prefill = true},
          {.sequences = 1, .new_tokens = 4, .max_context = kTokens, .prefill = true}};
}

std::string shown(const LayerShape& s) {
  return std::to_string(s.sequences) + " sequences, " + std::to_string(s.new_tokens) + " tokens, " +
         (s.prefill ? "prefill" : "decode");
}

}  // namespace

TEST_CASE("MLA in every form is the naive sum in double", "[proof][mla]") {
  const bool compressed = GENERATE(true, false);
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  const int threads = GENERATE(1, 2);
  const model::ArchSpec arch = compressed ? test::small_v3() : test::small_v2_lite();
  const auto& spec = std::get<model::MlaSpec>(arch.kinds.front().attention);
  REQUIRE((spec.q_lora_rank > 0) == compressed);
  kernels::cpu::ThreadPool pool{threads, false};
  for (const LayerShape& shape : forms()) {
    CAPTURE(shown(shape), name(isa), threads, compressed);
    const test::Batch batch{shape.sequences, kTokens, arch.hidden_size, 5};
    MlaLayer layer{arch, spec, shape, {isa, pool, 9}};
    const auto got = test::through(layer, shape, batch);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      CHECK(test::distance(got[static_cast<std::size_t>(s)],
                           test::mla(arch, spec, 9, batch.sequence(s))) < kRounding);
  }
}

TEST_CASE("GQA in every form is the plain sum in double", "[proof][gqa]") {
  const bool normed = GENERATE(true, false);
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  const int threads = GENERATE(1, 2);
  const model::ArchSpec arch = normed ? test::small_qwen3() : test::small_llama();
  const auto& spec = std::get<model::GqaSpec>(arch.kinds.front().attention);
  REQUIRE(spec.qk_norm == normed);
  kernels::cpu::ThreadPool pool{threads, false};
  for (const LayerShape& shape : forms()) {
    CAPTURE(shown(shape), name(isa), threads, normed);
    const test::Batch batch{shape.sequences, kTokens, arch.hidden_size, 6};
    GqaLayer layer{arch, spec, shape, {isa, pool, 4}};
    const auto got = test::through(layer, shape, batch);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      CHECK(test::distance(got[static_cast<std::size_t>(s)],
                           test::gqa(arch, spec, 4, batch.sequence(s))) < kRounding);
  }
}

TEST_CASE("a prompt at once is as many absorbed steps, one token each", "[proof][mla]") {
  const model::ArchSpec arch = test::small_v3();
  const auto& spec = std::get<model::MlaSpec>(arch.kinds.front().attention);
  kernels::cpu::ThreadPool pool{1, false};
  const measure::Bench bench{kernels::cpu::preferred_isa(), pool, 2};
  const test::Batch batch{1, 40, arch.hidden_size, 3};
  const LayerShape whole{.new_tokens = 40, .prefill = true};
  const LayerShape single{.new_tokens = 1, .max_context = 40};
  MlaLayer naive{arch, spec, whole, bench};
  MlaLayer absorbed{arch, spec, single, bench};
  CHECK(test::distance(test::through(naive, whole, batch).front(),
                       test::through(absorbed, single, batch).front()) < 2.0 * kRounding);
}

TEST_CASE("filling the cache is the same for the same seed and matters", "[proof][mla]") {
  const model::ArchSpec arch = test::small_v3();
  const auto& spec = std::get<model::MlaSpec>(arch.kinds.front().attention);
  kernels::cpu::ThreadPool pool{1, false};
  const auto x = test::random_tokens(1, arch.hidden_size, 1);
  const auto after = [&](std::uint64_t seed) {
    MlaLayer layer{arch, spec, {.max_context = 30}, {Isa::portable, pool, 2}};
    layer.fill_cache(30, seed);
    std::vector<float> y(static_cast<std::size_t>(arch.hidden_size));
    layer.run({.x = x.data(), .y = y.data(), .context = 30}, nullptr);
    return y;
  };
  CHECK(after(1) == after(1));
  CHECK(after(1) != after(2));
}

TEST_CASE("attention that is not executed is refused by name", "[proof][bad]") {
  kernels::cpu::ThreadPool pool{1, false};
  model::ArchSpec arch = test::small_llama();
  auto spec = std::get<model::GqaSpec>(arch.kinds.front().attention);
  spec.sliding_window = 8;
  CHECK_THROWS_AS((GqaLayer{arch, spec, {}, {Isa::portable, pool}}), InputError);
}

}  // namespace fathom::proof
