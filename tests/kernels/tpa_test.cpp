#include "kernels/ref/tpa_attention.hpp"

#include "attention_samples.hpp"
#include "catch.hpp"

namespace fathom::kernels {
namespace {

using ref::TpaSpec;
using ref::TpaWeights;
using samples::between;
using samples::distance;
using samples::random_tensor;

struct Layer {
  TpaSpec spec;
  TpaWeights<double> weights;
  std::int64_t dim = 0;

  ref::TpaProjection<double> project(const Tensor<double>& x, std::int64_t first) const {
    const auto frequencies = ref::inv_freq<double>({.dim = spec.head_dim, .theta = 50.0});
    return ref::tpa_project(spec, weights, x,
                            ref::rope_tables<double>(frequencies, first, x.dim(0)));
  }
};

Layer random_layer(std::mt19937_64& random, std::int64_t q_rank) {
  Layer layer{.dim = between(random, 4, 9)};
  auto& s = layer.spec;
  s = {.heads = between(random, 1, 4),
       .head_dim = 2 * between(random, 1, 3),
       .q_rank = q_rank,
       .k_rank = between(random, 1, 3),
       .v_rank = between(random, 1, 3)};
  const auto factors = [&](std::int64_t rank) -> ref::FactorWeights<double> {
    return {.a = random_tensor(random, {s.heads * rank, layer.dim}),
            .b = random_tensor(random, {rank * s.head_dim, layer.dim})};
  };
  auto& w = layer.weights;
  if (q_rank > 0) {
    w.q = factors(q_rank);
  } else {
    w.wq = random_tensor(random, {s.heads * s.head_dim, layer.dim});
  }
  w.k = factors(s.k_rank);
  w.v = factors(s.v_rank);
  w.wo = random_tensor(random, {layer.dim, s.heads * s.head_dim});
  return layer;
}

TEST_CASE("the factor product is the mean of its rank-one products", "[kernels][tpa]") {
  std::mt19937_64 random{1};
  const ref::Factors<double> f{.a = random_tensor(random, {3, 4, 2}),
                               .b = random_tensor(random, {3, 2, 5})};
  const auto product = ref::factor_product(f);
  REQUIRE(product.shape == Shape{3, 4, 5});
  for (std::int64_t i = 0; i < product.size(); ++i) {
    const std::int64_t t = i / 20;
    const std::int64_t h = i / 5 % 4;
    const std::int64_t d = i % 5;
    const double first = f.a[(t * 4 + h) * 2] * f.b[t * 10 + d];
    const double second = f.a[(t * 4 + h) * 2 + 1] * f.b[t * 10 + 5 + d];
    CHECK(std::abs(product[i] - (first + second) / 2.0) < 1e-15);
  }
}

TEST_CASE("rotating the factor over the head dimension rotates the product", "[kernels][tpa]") {
  std::mt19937_64 random{2};
  const Layer layer = random_layer(random, 3);
  const auto x = random_tensor(random, {5, layer.dim});
  const auto frequencies = ref::inv_freq<double>({.dim = layer.spec.head_dim, .theta = 50.0});
  const auto tables = ref::rope_tables<double>(frequencies, 7, 5);
  const auto plain = ref::factor_product(ref::factors(layer.spec, layer.weights.q, x, 3));
  CHECK(distance(ref::apply_rope<double>(plain, tables, layer.spec.rope), layer.project(x, 7).q) <
        1e-14);
}

TEST_CASE("TPA with one rank and constant head factors is attention with shared keys and values",
          "[kernels][tpa]") {
  std::mt19937_64 random{3};
  Layer layer = random_layer(random, 0);
  auto& s = layer.spec;
  auto& w = layer.weights;
  s.k_rank = s.v_rank = 1;
  // a last input of one makes every head factor one; the query does not look at it
  const auto with_constant = [&](std::int64_t tokens) {
    auto x = random_tensor(random, {tokens, layer.dim});
    for (std::int64_t t = 0; t < tokens; ++t) x.row(t).back() = 1.0;
    return x;
  };
  for (auto* f : {&w.k, &w.v}) {
    f->a = Tensor<double>{{s.heads, layer.dim}};
    for (std::int64_t h = 0; h < s.heads; ++h) f->a.row(h).back() = 1.0;
    f->b = random_tensor(random, {s.head_dim, layer.dim});
  }
  const auto x = with_constant(6);
  ref::ContiguousCache<double> cache{s.factor_row()};
  const auto p = layer.project(x, 0);
  const auto trace = ref::tpa_step(s, w, p, cache);
  const ref::AttentionSpec mqa{.heads = s.heads,
                               .kv_heads = 1,
                               .v_head_dim = s.head_dim,
                               .softmax_scale = s.softmax_scale,
                               .visible = {.keys = 6}};
  const auto expected =
      ref::attention<double>(mqa, p.q, ref::head_rows(p.k.b), ref::head_rows(p.v.b));
  CHECK(distance(trace.attention.out, expected.out) < 1e-14);
}

TEST_CASE("TPA by decode steps equals TPA at once, full and K/V-only", "[kernels][tpa]") {
  const std::int64_t q_rank = GENERATE(0, 2);
  std::mt19937_64 random{4};
  for (int trial = 0; trial < 10; ++trial) {
    const Layer layer = random_layer(random, q_rank);
    const auto x = random_tensor(random, {5, layer.dim});
    ref::ContiguousCache<double> whole{layer.spec.factor_row()};
    const auto at_once = ref::tpa_step(layer.spec, layer.weights, layer.project(x, 0), whole).out;
    ref::ContiguousCache<double> cache{layer.spec.factor_row()};
    for (std::int64_t t = 0; t < 5; ++t) {
      const auto token = samples::rows_of(x, t, 1);
      const auto step =
          ref::tpa_step(layer.spec, layer.weights, layer.project(token, t), cache).out;
      CHECK(distance(step, samples::rows_of(at_once, t, 1)) < 1e-14);
    }
  }
}

TEST_CASE("a TPA cache holds rank (heads + head_dim) elements per token for keys, and for values",
          "[kernels][tpa]") {
  std::mt19937_64 random{5};
  const Layer layer = random_layer(random, 2);
  const auto& s = layer.spec;
  ref::ContiguousCache<double> cache{s.factor_row()};
  ref::append_factors(layer.project(random_tensor(random, {3, layer.dim}), 0), cache);
  CHECK(cache.length() == 3);
  CHECK(static_cast<std::int64_t>(cache.row(0).size()) ==
        s.k_rank * (s.heads + s.head_dim) + s.v_rank * (s.heads + s.head_dim));
}

TEST_CASE(
    "a decode step rebuilds keys and values and attends: (k_rank + v_rank + 2) products per "
    "head, element and cached token",
    "[kernels][tpa]") {
  using C = Counted<double>;
  std::mt19937_64 random{6};
  const Layer layer = random_layer(random, 2);
  const auto& s = layer.spec;
  ref::ContiguousCache<C> cache{s.factor_row()};
  for (int t = 0; t < 4; ++t) {
    cache.append(std::vector<C>(static_cast<std::size_t>(s.factor_row()), C{0.1}));
  }
  const CountScope scope;
  const auto kv = ref::tpa_expand<C>(s, cache);
  const ref::AttentionSpec core{.heads = s.heads,
                                .kv_heads = s.heads,
                                .v_head_dim = s.head_dim,
                                .visible = {.keys = 4, .prefix = 3}};
  ref::attention<C>(core, Tensor<C>{{1, s.heads, s.head_dim}}, ref::head_rows(kv.keys),
                    ref::head_rows(kv.values));
  CHECK(scope.count().multiply_adds ==
        (s.k_rank + s.v_rank + 2) * s.heads * s.head_dim * cache.length());
}

}  // namespace
}  // namespace fathom::kernels
