#include "kernels/ref/attention.hpp"

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/ref/gqa.hpp"
#include "kernels/ref/paged_cache.hpp"

namespace fathom::kernels {
namespace {

using ref::AttentionSpec;
using ref::GqaSpec;
using ref::GqaWeights;
using samples::between;
using samples::distance;
using samples::random_tensor;

/// Queries, keys and values of one random sequence.
struct Problem {
  AttentionSpec spec;
  Tensor<double> q;
  Tensor<double> k;
  Tensor<double> v;
};

Problem random_problem(std::mt19937_64& random, std::int64_t group) {
  const std::int64_t kv_heads = between(random, 1, 3);
  const std::int64_t tokens = between(random, 2, 9);
  const std::int64_t prefix = between(random, 0, 6);
  Problem p;
  p.spec = {.heads = kv_heads * group,
            .kv_heads = kv_heads,
            .v_head_dim = between(random, 1, 6),
            .softmax_scale = 0.5,
            .visible = {.keys = prefix + tokens, .prefix = prefix}};
  const std::int64_t qk_head_dim = between(random, 1, 6);
  p.q = random_tensor(random, {tokens, p.spec.heads, qk_head_dim});
  p.k = random_tensor(random, {prefix + tokens, kv_heads, qk_head_dim});
  p.v = random_tensor(random, {prefix + tokens, kv_heads, p.spec.v_head_dim});
  return p;
}

ref::AttentionTrace<double> run(const Problem& p, const Tensor<double>& sinks = {}) {
  return ref::attention<double>(p.spec, p.q, ref::head_rows(p.k), ref::head_rows(p.v), sinks);
}

/// KV heads repeated so that every query head has its own.
Tensor<double> repeated(const Tensor<double>& x, std::int64_t group) {
  Tensor<double> out{{x.dim(0), x.dim(1) * group, x.dim(2)}};
  for (std::int64_t r = 0; r < out.rows(); ++r)
    std::ranges::copy(x.row(r / group), out.row(r).begin());
  return out;
}

TEST_CASE("grouped heads equal full heads over repeated keys and values", "[kernels][attention]") {
  std::mt19937_64 random{1};
  for (int trial = 0; trial < 20; ++trial) {
    const std::int64_t group = between(random, 1, 4);
    Problem p = random_problem(random, group);
    const auto grouped = run(p);
    p.k = repeated(p.k, group);
    p.v = repeated(p.v, group);
    p.spec.kv_heads = p.spec.heads;
    CHECK(run(p).out == grouped.out);
  }
}

TEST_CASE("probabilities of a query sum to one over the keys up to its own",
          "[kernels][attention]") {
  std::mt19937_64 random{2};
  const Problem p = random_problem(random, 2);
  const auto trace = run(p);
  for (std::int64_t r = 0; r < trace.probs.rows(); ++r) {
    const std::int64_t position = p.spec.visible.prefix + r / p.spec.heads;
    double sum = 0.0;
    for (std::int64_t t = 0; t < p.spec.visible.keys; ++t) {
      const double prob = trace.probs[r * p.spec.visible.keys + t];
      CHECK((prob > 0.0) == (t <= position));
      sum += prob;
    }
    CHECK(std::abs(sum - 1.0) < 1e-14);
  }
}

TEST_CASE("without the causal rule every query sees every key", "[kernels][attention]") {
  std::mt19937_64 random{3};
  Problem p = random_problem(random, 1);
  p.spec.visible.causal = false;
  for (const double prob : run(p).probs.data) CHECK(prob > 0.0);
}

TEST_CASE("a window as long as the sequence changes nothing, a shorter one drops old keys",
          "[kernels][attention]") {
  std::mt19937_64 random{4};
  Problem p = random_problem(random, 2);
  const auto full = run(p);
  p.spec.visible.window = p.spec.visible.keys;
  CHECK(run(p).out == full.out);
  p.spec.visible.window = 1;  // a query sees itself alone: its value comes back
  const auto trace = run(p);
  for (std::int64_t r = 0; r < trace.out.rows(); ++r) {
    const std::int64_t position = p.spec.visible.prefix + r / p.spec.heads;
    const auto value = p.v.row(position * p.spec.kv_heads + p.spec.kv_head(r % p.spec.heads));
    CHECK(std::ranges::equal(trace.out.row(r), value));
  }
}

TEST_CASE("a sink is one more key with that score and the value zero", "[kernels][attention]") {
  std::mt19937_64 random{5};
  Problem p = random_problem(random, 1);
  p.spec.visible.causal = false;  // so that the key appended last is visible
  const auto sinks = random_tensor(random, {p.spec.heads});
  const auto with_sink = run(p, sinks).out;
  // one more element in q and k carries the sink's score through the softmax scale
  const std::int64_t dim = p.q.dim(2);
  Problem wide = p;
  wide.spec.visible.keys += 1;
  wide.q = Tensor<double>{{p.q.dim(0), p.spec.heads, dim + 1}};
  for (std::int64_t r = 0; r < p.q.rows(); ++r) {
    std::ranges::copy(p.q.row(r), wide.q.row(r).begin());
    wide.q.row(r).back() = 1.0;
  }
  wide.k = Tensor<double>{{p.k.dim(0) + 1, p.spec.heads, dim + 1}};
  for (std::int64_t r = 0; r < p.k.rows(); ++r)
    std::ranges::copy(p.k.row(r), wide.k.row(r).begin());
  for (std::int64_t h = 0; h < p.spec.heads; ++h) {
    wide.k.row(p.k.rows() + h).back() = sinks[h] / p.spec.softmax_scale;
  }
  wide.v = Tensor<double>{{p.v.dim(0) + 1, p.spec.heads, p.spec.v_head_dim}};
  std::ranges::copy(p.v.data, wide.v.data.begin());
  CHECK(distance(with_sink, run(wide).out) < 1e-14);
  CHECK(distance(with_sink, run(p).out) > 1e-3);
}

TEST_CASE("an allowed set of all keys changes nothing, a single allowed key is copied",
          "[kernels][attention]") {
  std::mt19937_64 random{6};
  Problem p = random_problem(random, 1);
  const auto full = run(p);
  Indices allowed{{p.q.dim(0), p.spec.visible.keys}};
  std::ranges::fill(allowed.data, 1);
  p.spec.visible.allowed = &allowed;
  CHECK(run(p).out == full.out);
  std::ranges::fill(allowed.data, 0);
  for (std::int64_t s = 0; s < p.q.dim(0); ++s) allowed[s * p.spec.visible.keys] = 1;
  const auto trace = run(p);
  for (std::int64_t r = 0; r < trace.out.rows(); ++r) {
    CHECK(std::ranges::equal(trace.out.row(r), p.v.row(r % p.spec.heads)));
  }
}

TEST_CASE("an attention core does two FLOPs per element of q, k and v of a visible pair",
          "[kernels][attention]") {
  std::mt19937_64 random{7};
  for (const std::int64_t window : {0, 3}) {
    Problem p = random_problem(random, 3);
    p.spec.visible.window = window;
    const auto q = converted<Counted<double>>(p.q);
    const auto k = converted<Counted<double>>(p.k);
    const auto v = converted<Counted<double>>(p.v);
    std::int64_t pairs = 0;
    for (std::int64_t s = 0; s < p.q.dim(0); ++s) {
      const std::int64_t seen = p.spec.visible.prefix + s + 1;
      pairs += window > 0 ? std::min(seen, window) : seen;
    }
    const CountScope scope;
    ref::attention<Counted<double>>(p.spec, q, ref::head_rows(k), ref::head_rows(v));
    CHECK(scope.count().multiply_adds == p.spec.heads * (p.q.dim(2) + p.spec.v_head_dim) * pairs);
  }
}

TEST_CASE("keys and values that no query may see are never read", "[kernels][attention]") {
  std::mt19937_64 random{8};
  Problem p = random_problem(random, 2);
  p.spec.visible.prefix = p.spec.visible.keys - 1;
  p.spec.visible.window = 2;
  const auto q = converted<Counted<double>>(random_tensor(random, {1, p.spec.heads, p.q.dim(2)}));
  const auto k = converted<Counted<double>>(p.k);
  auto v = converted<Counted<double>>(p.v);
  forget(v);
  ref::attention<Counted<double>>(p.spec, q, ref::head_rows(k), ref::head_rows(v));
  CHECK(elements_read(v) == 2 * p.spec.kv_heads * p.spec.v_head_dim);
}

// --- the layer: projections, rotation, cache ---

struct Layer {
  GqaSpec spec;
  GqaWeights<double> weights;
  std::int64_t dim = 0;

  ref::GqaProjection<double> project(const Tensor<double>& x, std::int64_t first) const {
    const auto frequencies = ref::inv_freq<double>({.dim = spec.head_dim, .theta = 100.0});
    return ref::gqa_project(spec, weights, x,
                            ref::rope_tables<double>(frequencies, first, x.dim(0)));
  }
  std::int64_t row_width() const { return 2 * spec.kv_heads * spec.head_dim; }
};

Layer random_layer(std::mt19937_64& random) {
  Layer layer{.dim = between(random, 4, 9)};
  auto& s = layer.spec;
  s.kv_heads = 2 * between(random, 1, 2);
  s.heads = s.kv_heads * between(random, 1, 3);
  s.head_dim = 2 * between(random, 1, 3);
  layer.weights = {.wq = random_tensor(random, {s.heads * s.head_dim, layer.dim}),
                   .wk = random_tensor(random, {s.kv_heads * s.head_dim, layer.dim}),
                   .wv = random_tensor(random, {s.kv_heads * s.head_dim, layer.dim}),
                   .wo = random_tensor(random, {layer.dim, s.heads * s.head_dim})};
  return layer;
}

/// The sequence cut at `cut`, into a cache of its own.
template <class Cache>
Tensor<double> in_two_chunks(const Layer& layer, const Tensor<double>& x, std::int64_t cut,
                             Cache& cache) {
  const auto first = samples::rows_of(x, 0, cut);
  const auto second = samples::rows_of(x, cut, x.dim(0) - cut);
  auto out = ref::gqa_step(layer.spec, layer.weights, layer.project(first, 0), cache).out;
  const auto rest = ref::gqa_step(layer.spec, layer.weights, layer.project(second, cut), cache).out;
  out.data.insert(out.data.end(), rest.data.begin(), rest.data.end());
  return {x.shape, out.data};
}

TEST_CASE("prefill in chunks equals prefill at once, whatever the cut", "[kernels][attention]") {
  std::mt19937_64 random{9};
  for (int trial = 0; trial < 10; ++trial) {
    const Layer layer = random_layer(random);
    const auto x = random_tensor(random, {7, layer.dim});
    ref::ContiguousCache<double> whole{layer.row_width()};
    const auto at_once = ref::gqa_step(layer.spec, layer.weights, layer.project(x, 0), whole).out;
    ref::ContiguousCache<double> cut{layer.row_width()};
    CHECK(distance(in_two_chunks(layer, x, between(random, 1, 6), cut), at_once) < 1e-14);
  }
}

TEST_CASE("a paged cache gives the contiguous result bit for bit", "[kernels][attention]") {
  std::mt19937_64 random{10};
  for (int trial = 0; trial < 10; ++trial) {
    const Layer layer = random_layer(random);
    const auto x = random_tensor(random, {11, layer.dim});
    ref::ContiguousCache<double> contiguous{layer.row_width()};
    ref::PagedCache<double> pool{between(random, 1, 5), layer.row_width()};
    ref::PagedSequence<double> paged{&pool, pool.add_sequence()};
    CHECK(in_two_chunks(layer, x, 5, contiguous) == in_two_chunks(layer, x, 5, paged));
  }
}

/// Rows of `w` that belong to `rank` of two.
Tensor<double> half_of_rows(const Tensor<double>& w, std::int64_t rank) {
  return samples::rows_of(w, rank * w.dim(0) / 2, w.dim(0) / 2);
}

TEST_CASE("heads split over two ranks sum to the unsharded output", "[kernels][attention]") {
  std::mt19937_64 random{11};
  for (int trial = 0; trial < 10; ++trial) {
    const Layer layer = random_layer(random);
    const auto x = random_tensor(random, {6, layer.dim});
    ref::ContiguousCache<double> cache{layer.row_width()};
    const auto whole = ref::gqa_step(layer.spec, layer.weights, layer.project(x, 0), cache).out;
    Tensor<double> sum{whole.shape};
    for (const std::int64_t rank : {0, 1}) {
      Layer part = layer;
      part.spec.heads /= 2;
      part.spec.kv_heads /= 2;
      const std::int64_t columns = part.spec.heads * part.spec.head_dim;
      part.weights = {.wq = half_of_rows(layer.weights.wq, rank),
                      .wk = half_of_rows(layer.weights.wk, rank),
                      .wv = half_of_rows(layer.weights.wv, rank),
                      .wo = ref::columns(layer.weights.wo, rank * columns, columns)};
      ref::ContiguousCache<double> own{part.row_width()};
      sum = ref::add(sum, ref::gqa_step(part.spec, part.weights, part.project(x, 0), own).out);
    }
    CHECK(distance(sum, whole) < 1e-13);
  }
}

TEST_CASE("a layer's window reaches across chunks", "[kernels][attention]") {
  std::mt19937_64 random{12};
  Layer layer = random_layer(random);
  layer.spec.window = 3;
  const auto x = random_tensor(random, {8, layer.dim});
  ref::ContiguousCache<double> one{layer.row_width()};
  ref::ContiguousCache<double> two{layer.row_width()};
  CHECK(distance(in_two_chunks(layer, x, 7, one), in_two_chunks(layer, x, 2, two)) < 1e-14);
}

}  // namespace
}  // namespace fathom::kernels
