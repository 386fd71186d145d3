#include "kernels/ref/indexer.hpp"

#include <numeric>

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/ref/index_select.hpp"

namespace fathom::kernels {
namespace {

using ref::ContiguousCache;
using ref::IndexerSpec;
using ref::IndexerWeights;
using samples::between;
using samples::distance;
using samples::random_tensor;

constexpr double kNever = -std::numeric_limits<double>::infinity();

TEST_CASE("the Hadamard transform keeps dot products and is its own inverse",
          "[kernels][indexer]") {
  std::mt19937_64 random{1};
  for (const std::int64_t dim : {1, 2, 8, 128}) {
    const auto a = random_tensor(random, {1, dim});
    const auto b = random_tensor(random, {1, dim});
    const auto ha = ref::hadamard<double>(a);
    const auto hb = ref::hadamard<double>(b);
    CHECK(std::abs(ref::dot<double>(ha.row(0), hb.row(0)) - ref::dot<double>(a.row(0), b.row(0))) <
          1e-13);
    CHECK(distance(ref::hadamard<double>(ha), a) < 1e-14);
  }
  CHECK_THROWS_AS(ref::hadamard<double>(Tensor<double>{{1, 12}}), BugError);
}

TEST_CASE("the Hadamard transform spreads one outlier evenly", "[kernels][indexer]") {
  Tensor<double> x{{1, 16}};
  x[5] = 8.0;
  for (const double v : ref::hadamard<double>(x).data) CHECK(std::abs(v) == 2.0);
}

/// An indexer beside an MLA layer, sharing its input and its rotary part.
struct Layer {
  samples::MlaLayer mla;
  IndexerSpec spec;
  IndexerWeights<double> weights;

  ref::IndexerProjection<double> project(const Tensor<double>& x, std::int64_t first) const {
    return ref::indexer_project(spec, weights, mla.project(x, first).q_latent, x,
                                ref::rope_tables<double>(mla.frequencies, first, x.dim(0)));
  }
};

Layer random_layer(std::mt19937_64& random, std::int64_t topk) {
  Layer layer{.mla = samples::random_mla(random, 5)};
  layer.spec = {.heads = between(random, 1, 4), .head_dim = 8, .topk = topk};
  layer.weights = {.wq_b = random_tensor(random, {layer.spec.heads * 8, 5}),
                   .wk = random_tensor(random, {8, layer.mla.dim}),
                   .k_norm = random_tensor(random, {8}),
                   .k_norm_bias = random_tensor(random, {8}),
                   .weights_proj = random_tensor(random, {layer.spec.heads, layer.mla.dim})};
  return layer;
}

/// Caches of one sequence through indexer and sparse MLA.
struct Sparse {
  ContiguousCache<double> latents;
  ContiguousCache<double> keys;

  explicit Sparse(const Layer& layer)
      : latents(layer.mla.spec.latent_row()), keys(layer.spec.row_width()) {}

  Tensor<double> step(const Layer& layer, const Tensor<double>& x, ref::MlaForm form) {
    const std::int64_t first = latents.length();
    const auto p = layer.project(x, first);
    ref::append_index_keys(layer.spec, p, keys);
    const auto chosen = ref::select_keys(ref::indexer_scores(layer.spec, p, keys), layer.spec.topk);
    return ref::mla_step(layer.mla.spec, layer.mla.weights, layer.mla.project(x, first), latents,
                         {.form = form, .allowed = &chosen.allowed})
        .out;
  }
};

TEST_CASE("sparse attention that selects every key is dense attention", "[kernels][indexer]") {
  std::mt19937_64 random{2};
  for (const auto form : {ref::MlaForm::naive, ref::MlaForm::absorbed}) {
    const Layer layer = random_layer(random, 7);
    const auto x = random_tensor(random, {7, layer.mla.dim});
    Sparse sparse{layer};
    ContiguousCache<double> latents{layer.mla.spec.latent_row()};
    const auto dense = ref::mla_step(layer.mla.spec, layer.mla.weights, layer.mla.project(x, 0),
                                     latents, {.form = form});
    CHECK(sparse.step(layer, x, form) == dense.out);
  }
}

TEST_CASE("sparse prefill by chunks, in either form, equals sparse prefill at once",
          "[kernels][indexer]") {
  std::mt19937_64 random{3};
  for (int trial = 0; trial < 10; ++trial) {
    const Layer layer = random_layer(random, 3);
    const auto x = random_tensor(random, {8, layer.mla.dim});
    Sparse whole{layer};
    const auto at_once = whole.step(layer, x, ref::MlaForm::naive);
    Sparse cut{layer};
    const auto first = cut.step(layer, samples::rows_of(x, 0, 5), ref::MlaForm::naive);
    const auto rest = cut.step(layer, samples::rows_of(x, 5, 3), ref::MlaForm::absorbed);
    CHECK(distance(first, samples::rows_of(at_once, 0, 5)) < 1e-13);
    CHECK(distance(rest, samples::rows_of(at_once, 5, 3)) < 1e-13);
  }
}

TEST_CASE("selection takes the best scores, the lowest position among equals",
          "[kernels][indexer]") {
  const Tensor<double> scores{{3, 5},
                              {1.0, kNever, kNever, kNever, kNever,  //
                               0.0, 2.0, 0.0, 2.0, kNever,           //
                               -3.0, 0.0, 0.0, 5.0, 0.0}};
  const auto chosen = ref::select_keys(scores, 3);
  CHECK(chosen.topk.data == std::vector<std::int64_t>{0, -1, -1, 1, 3, 0, 3, 1, 2});
  CHECK(chosen.allowed.data ==
        std::vector<std::int64_t>{1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0});
  CHECK(ref::select_keys(scores, 100).topk.shape == Shape{3, 5});
}

TEST_CASE("the index score is the weighted sum of rectified products", "[kernels][indexer]") {
  std::mt19937_64 random{4};
  const Layer layer = random_layer(random, 3);
  const auto& spec = layer.spec;
  const auto p = layer.project(random_tensor(random, {6, layer.mla.dim}), 0);
  ContiguousCache<double> keys{spec.row_width()};
  ref::append_index_keys(spec, p, keys);
  const auto scores = ref::indexer_scores(spec, p, keys);
  for (std::int64_t s = 0; s < 6; ++s) {
    for (std::int64_t t = 0; t < 6; ++t) {
      double expected = 0.0;
      for (std::int64_t h = 0; h < spec.heads; ++h) {
        const double product = ref::dot<double>(p.q.row(s * spec.heads + h), p.k.row(t));
        expected += p.weights[s * spec.heads + h] * std::max(product, 0.0);
      }
      const double got = scores[s * 6 + t];
      CHECK((t > s ? got == kNever : std::abs(got - expected) < 1e-14));
    }
  }
}

TEST_CASE("the Hadamard transform leaves index scores as they are without quantisation",
          "[kernels][indexer]") {
  std::mt19937_64 random{5};
  const Layer layer = random_layer(random, 3);
  auto p = layer.project(random_tensor(random, {5, layer.mla.dim}), 0);
  const auto score = [&] {
    ContiguousCache<double> keys{layer.spec.row_width()};
    ref::append_index_keys(layer.spec, p, keys);
    return ref::indexer_scores(layer.spec, p, keys);
  };
  const auto transformed = score();
  p.queries.elements = ref::hadamard<double>(p.q);  // the inverse
  p.keys.elements = ref::hadamard<double>(p.k);
  const auto plain = score();
  for (std::int64_t i = 0; i < plain.size(); ++i) {
    CHECK((plain[i] == transformed[i] || std::abs(plain[i] - transformed[i]) < 1e-13));
  }
}

TEST_CASE("an FP8 indexer errs by at most one e4m3 rounding of query and of key",
          "[kernels][indexer]") {
  std::mt19937_64 random{6};
  Layer layer = random_layer(random, 3);
  const auto x = random_tensor(random, {9, layer.mla.dim});
  const auto exact = layer.project(x, 0);
  layer.spec.format = ref::kActivationUe8m0;
  const auto rounded = layer.project(x, 0);
  CHECK(layer.spec.row_width() == 9);
  for (std::int64_t r = 0; r < exact.k.rows(); ++r) {
    const double scale = rounded.keys.scale[r];
    CHECK(std::ldexp(1.0, std::ilogb(scale)) == scale);  // a power of two
    for (std::size_t d = 0; d < 8; ++d) {
      const double value = exact.k.row(r)[d];
      const double error = std::abs(rounded.keys.elements.row(r)[d] * scale - value);
      // half a unit of three mantissa bits, or half the smallest subnormal
      CHECK(error <= std::max(std::abs(value) * 0x1p-4, scale * 0x1p-10) * (1.0 + 1e-6));
    }
  }
}

TEST_CASE("index scores cost two FLOPs per head, element and visible pair", "[kernels][indexer]") {
  using C = Counted<double>;
  const IndexerSpec spec{.heads = 3, .head_dim = 8, .topk = 2};
  const std::int64_t prefix = 4;
  const std::int64_t tokens = 2;
  ContiguousCache<C> keys{spec.row_width()};
  for (std::int64_t t = 0; t < prefix + tokens; ++t) keys.append(std::vector<C>(8, C{1.0}));
  ref::IndexerProjection<C> p;
  p.q = Tensor<C>{{tokens, 3, 8}};
  p.queries.elements = p.q;
  p.weights = Tensor<C>{{tokens, 3}};
  const CountScope scope;
  ref::indexer_scores(spec, p, keys);
  const std::int64_t pairs = tokens * prefix + tokens * (tokens + 1) / 2;
  CHECK(scope.count().multiply_adds == spec.heads * spec.head_dim * pairs);
}

}  // namespace
}  // namespace fathom::kernels
