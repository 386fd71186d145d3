#include <set>

#include "catch.hpp"
#include "core/error.hpp"
#include "proof/ffn_layer.hpp"
#include "small_models.hpp"
#include "stepping.hpp"

namespace fathom::proof {
namespace {

using kernels::cpu::Isa;

// The hidden activation is rounded to bf16 between the products.
constexpr double kRounding = 0x1p-8;

const model::LayerSpec& first(const model::ArchSpec& arch) {
  return arch.kinds[static_cast<std::size_t>(arch.layers.front())];
}
const model::LayerSpec& last(const model::ArchSpec& arch) {
  return arch.kinds[static_cast<std::size_t>(arch.layers.back())];
}

double error_of(const model::ArchSpec& arch, const model::LayerSpec& spec, const LayerShape& shape,
                const measure::Bench& bench) {
  const test::Batch batch{shape.sequences, shape.new_tokens, arch.hidden_size, 8};
  FfnLayer layer{arch, spec, shape, bench};
  const auto got = test::through(layer, shape, batch);
  double worst = 0.0;
  for (std::int64_t s = 0; s < shape.sequences; ++s)
    worst = std::max(worst,
                     test::distance(got[static_cast<std::size_t>(s)],
                                    test::feed_forward(arch, spec, bench.seed, batch.sequence(s))));
  return worst;
}

}  // namespace

TEST_CASE("a dense layer is its three products in double", "[proof][ffn]") {
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  kernels::cpu::ThreadPool pool{GENERATE(1, 2), false};
  for (const model::ArchSpec& arch : {test::small_v3(), test::small_llama()})
    CHECK(error_of(arch, first(arch), {.sequences = 3, .new_tokens = 2}, {isa, pool, 3}) <
          kRounding);
}

TEST_CASE("experts are chosen and added up as the router of the paper says", "[proof][ffn]") {
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  const bool prefill = GENERATE(false, true);
  kernels::cpu::ThreadPool pool{GENERATE(1, 2), false};
  const LayerShape shape{.sequences = 2, .new_tokens = 20, .prefill = prefill};
  for (const model::ArchSpec& arch : {test::small_v3(), test::small_v2_lite()}) {
    CAPTURE(arch.name, name(isa), prefill, pool.size());
    CHECK(error_of(arch, last(arch), shape, {isa, pool, 3}) < kRounding);
  }
}

TEST_CASE("a token touches its experts, many tokens all of them", "[proof][ffn]") {
  const model::ArchSpec arch = test::small_v3();
  kernels::cpu::ThreadPool pool{1, false};
  const auto touched = [&](std::int64_t tokens) {
    const LayerShape shape{.new_tokens = tokens};
    const test::Batch batch{1, tokens, arch.hidden_size, 1};
    FfnLayer layer{arch, last(arch), shape, {Isa::portable, pool, 3}};
    test::through(layer, shape, batch);
    return layer.touched_experts();
  };
  CHECK(touched(1) == 4);
  CHECK(touched(200) == 16);
}

TEST_CASE("feed-forward layers that are not executed are refused", "[proof][ffn][bad]") {
  const model::ArchSpec arch = test::small_v3();
  kernels::cpu::ThreadPool pool{1, false};
  model::LayerSpec both = last(arch);
  both.dense.intermediate_size = 64;
  CHECK_THROWS_AS((FfnLayer{arch, both, {}, {Isa::portable, pool}}), InputError);
}

}  // namespace fathom::proof
