#include "kernels/ref/mla_attention.hpp"

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/ref/paged_cache.hpp"

namespace fathom::kernels {
namespace {

using ref::ContiguousCache;
using ref::MlaForm;
using samples::between;
using samples::distance;
using samples::MlaLayer;
using samples::random_mla;
using samples::random_tensor;

/// All of x at once, from an empty cache.
Tensor<double> at_once(const MlaLayer& layer, const Tensor<double>& x, MlaForm form) {
  ContiguousCache<double> cache{layer.spec.latent_row()};
  return ref::mla_step(layer.spec, layer.weights, layer.project(x, 0), cache, {.form = form}).out;
}

/// x in calls of `chunk` tokens into `cache`.
template <class Cache>
Tensor<double> chunked(const MlaLayer& layer, const Tensor<double>& x, std::int64_t chunk,
                       Cache& cache) {
  std::vector<double> out;
  for (std::int64_t first = 0; first < x.dim(0); first += chunk) {
    const auto part = samples::rows_of(x, first, std::min(chunk, x.dim(0) - first));
    const auto step = ref::mla_step(layer.spec, layer.weights, layer.project(part, first), cache,
                                    {.form = MlaForm::absorbed});
    out.insert(out.end(), step.out.data.begin(), step.out.data.end());
  }
  return {x.shape, out};
}

TEST_CASE("naive and absorbed MLA agree, with and without a query latent", "[kernels][mla]") {
  const std::int64_t q_lora_rank = GENERATE(0, 6);
  std::mt19937_64 random{static_cast<std::uint64_t>(q_lora_rank)};
  for (int trial = 0; trial < 20; ++trial) {
    const MlaLayer layer = random_mla(random, q_lora_rank);
    const auto x = random_tensor(random, {between(random, 1, 9), layer.dim});
    const auto naive = at_once(layer, x, MlaForm::naive);
    double size = 1.0;
    for (const double v : naive.data) size = std::max(size, std::abs(v));
    CHECK(distance(naive, at_once(layer, x, MlaForm::absorbed)) < 1e-13 * size);
  }
}

TEST_CASE("MLA by chunks or token by token equals MLA at once", "[kernels][mla]") {
  std::mt19937_64 random{2};
  for (const std::int64_t chunk : {1, 2, 3, 7}) {
    const MlaLayer layer = random_mla(random, 5);
    const auto x = random_tensor(random, {8, layer.dim});
    ContiguousCache<double> cache{layer.spec.latent_row()};
    CHECK(distance(chunked(layer, x, chunk, cache), at_once(layer, x, MlaForm::absorbed)) < 1e-13);
    CHECK(cache.length() == 8);
  }
}

TEST_CASE("MLA over a paged cache equals the contiguous one bit for bit", "[kernels][mla]") {
  std::mt19937_64 random{3};
  for (const std::int64_t block_size : {1, 2, 5, 64}) {
    const MlaLayer layer = random_mla(random, 4);
    const auto x = random_tensor(random, {9, layer.dim});
    ContiguousCache<double> contiguous{layer.spec.latent_row()};
    ref::PagedCache<double> pool{block_size, layer.spec.latent_row()};
    ref::PagedSequence<double> paged{&pool, pool.add_sequence()};
    CHECK(chunked(layer, x, 4, contiguous) == chunked(layer, x, 4, paged));
  }
}

TEST_CASE("two questions about a shared prompt get the answers of two separate sequences",
          "[kernels][mla]") {
  std::mt19937_64 random{4};
  const MlaLayer layer = random_mla(random, 4);
  const auto prompt = random_tensor(random, {6, layer.dim});
  const auto question = random_tensor(random, {2, layer.dim});
  ref::PagedCache<double> pool{4, layer.spec.latent_row()};
  ref::PagedSequence<double> first{&pool, pool.add_sequence()};
  chunked(layer, prompt, 6, first);
  ref::PagedSequence<double> second{&pool, pool.share_prefix(first.sequence, 6)};
  CHECK(pool.blocks_held() == 2);
  ContiguousCache<double> alone{layer.spec.latent_row()};
  chunked(layer, prompt, 6, alone);
  const auto ask = [&](auto& cache) {
    return ref::mla_step(layer.spec, layer.weights, layer.project(question, 6), cache, {}).out;
  };
  const auto expected = ask(alone);
  CHECK(ask(second) == expected);
  CHECK(ask(first) == expected);  // the other's copy did not disturb it
}

/// Rows of heads [rank * half, ...) of a matrix with `per_head` rows for each of `heads` heads.
Tensor<double> half_of_heads(const Tensor<double>& w, std::int64_t rank) {
  return samples::rows_of(w, rank * w.dim(0) / 2, w.dim(0) / 2);
}

TEST_CASE("MLA heads split over two ranks sum to the unsharded output", "[kernels][mla]") {
  std::mt19937_64 random{5};
  for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
    const MlaLayer layer = random_mla(random, 5);
    const auto x = random_tensor(random, {5, layer.dim});
    const auto whole = at_once(layer, x, form);
    Tensor<double> sum{whole.shape};
    for (const std::int64_t rank : {0, 1}) {
      MlaLayer part = layer;  // the latents are replicated, the heads divided
      part.spec.heads /= 2;
      const std::int64_t columns = part.spec.heads * part.spec.v_head_dim;
      part.weights.wq_b = half_of_heads(layer.weights.wq_b, rank);
      part.weights.wkv_b = half_of_heads(layer.weights.wkv_b, rank);
      part.weights.wo = ref::columns(layer.weights.wo, rank * columns, columns);
      sum = ref::add(sum, at_once(part, x, form));
    }
    CHECK(distance(sum, whole) < 1e-13);
  }
}

TEST_CASE("the rotary layout does not change MLA's output", "[kernels][mla]") {
  std::mt19937_64 random{6};
  MlaLayer layer = random_mla(random, 0);
  const auto x = random_tensor(random, {6, layer.dim});
  const auto interleaved = at_once(layer, x, MlaForm::absorbed);
  layer.spec.rope = ref::RopeLayout::deinterleaved;
  CHECK(distance(interleaved, at_once(layer, x, MlaForm::absorbed)) < 1e-13);
}

TEST_CASE("a token's output depends on no later token", "[kernels][mla]") {
  std::mt19937_64 random{7};
  const MlaLayer layer = random_mla(random, 3);
  auto x = random_tensor(random, {6, layer.dim});
  const auto before = at_once(layer, x, MlaForm::naive);
  for (double& v : x.row(5)) v += 1.0;
  const auto after = at_once(layer, x, MlaForm::naive);
  CHECK(samples::rows_of(before, 0, 5) == samples::rows_of(after, 0, 5));
  CHECK(distance(before, after) > 1e-6);
}

TEST_CASE("a cached row is the normed latent and the rotated key part", "[kernels][mla]") {
  std::mt19937_64 random{8};
  const MlaLayer layer = random_mla(random, 0);
  const auto& spec = layer.spec;
  const auto x = random_tensor(random, {3, layer.dim});
  ContiguousCache<double> cache{spec.latent_row()};
  ref::append_latents(layer.project(x, 40), cache);
  const auto kv = ref::linear(x, layer.weights.wkv_a);
  const auto latent =
      ref::rms_norm<double>(ref::columns(kv, 0, spec.kv_lora_rank), layer.weights.kv_norm, 1e-6);
  const auto rank = static_cast<std::size_t>(spec.kv_lora_rank);
  double before = 0.0;
  double after = 0.0;
  for (std::int64_t t = 0; t < 3; ++t) {
    CHECK(std::ranges::equal(cache.row(t).first(rank), latent.row(t)));
    for (const double v : cache.row(t).subspan(rank)) after += v * v;
    for (const double v : kv.row(t).subspan(rank)) before += v * v;
  }
  CHECK(std::abs(before - after) < 1e-12);  // rotated, neither normed nor scaled
}

/// Contractions of one call on a cache of `prefix` rows.
std::int64_t multiply_adds(const MlaLayer& layer, std::int64_t prefix, std::int64_t tokens,
                           MlaForm form) {
  using C = Counted<double>;
  const auto& w = layer.weights;
  const ref::MlaWeights<C> weights{.wq = converted<C>(w.wq),
                                   .wkv_a = converted<C>(w.wkv_a),
                                   .kv_norm = converted<C>(w.kv_norm),
                                   .wkv_b = converted<C>(w.wkv_b),
                                   .wo = converted<C>(w.wo)};
  ContiguousCache<C> cache{layer.spec.latent_row()};
  for (std::int64_t t = 0; t < prefix; ++t) {
    cache.append(std::vector<C>(static_cast<std::size_t>(layer.spec.latent_row()), C{0.5}));
  }
  const auto frequencies = converted<C>(layer.frequencies);
  const CountScope scope;
  const auto p = ref::mla_project(layer.spec, weights, Tensor<C>{{tokens, layer.dim}},
                                  ref::rope_tables<C>(frequencies, prefix, tokens));
  ref::mla_step(layer.spec, weights, p, cache, {.form = form});
  return scope.count().multiply_adds;
}

TEST_CASE("each form of MLA does the contractions of its formula", "[kernels][mla]") {
  std::mt19937_64 random{9};
  const MlaLayer layer = random_mla(random, 0);
  const auto& s = layer.spec;
  const std::int64_t prefix = 5;
  const std::int64_t tokens = 2;
  const std::int64_t pairs = tokens * prefix + tokens * (tokens + 1) / 2;
  const std::int64_t outer = tokens * (layer.dim * (s.heads * s.qk_head_dim() + s.latent_row()) +
                                       s.heads * s.v_head_dim * layer.dim);
  const std::int64_t per_row = s.heads * s.kv_lora_rank * (s.qk_nope_head_dim + s.v_head_dim);
  CHECK(multiply_adds(layer, prefix, tokens, MlaForm::naive) ==
        outer + (prefix + tokens) * per_row + s.heads * (s.qk_head_dim() + s.v_head_dim) * pairs);
  CHECK(multiply_adds(layer, prefix, tokens, MlaForm::absorbed) ==
        outer + tokens * per_row + s.heads * (s.latent_row() + s.kv_lora_rank) * pairs);
}

}  // namespace
}  // namespace fathom::kernels
