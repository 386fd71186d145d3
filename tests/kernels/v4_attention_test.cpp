#include "kernels/ref/v4_attention.hpp"

#include <set>

#include "catch.hpp"
#include "v4_samples.hpp"

namespace fathom::kernels::ref {
namespace {

using test::max_difference;
using test::random_tensor;
using test::random_v4;
using test::some_rows;
using test::V4Kind;
using test::V4Sample;

constexpr V4Kind kWindowOnly{};
constexpr V4Kind kHca{.ratio = 6};
constexpr V4Kind kOverlapping{.ratio = 3, .overlap = true};
constexpr V4Kind kCsa{.ratio = 4, .overlap = true, .select = true};

Tensor<double> attend(const V4Sample& s, const Tensor<double>& x, std::int64_t start_pos,
                      V4LayerCache<double>& cache) {
  return v4_attention(s.spec, s.weights, x, start_pos, cache);
}

TEST_CASE("the window of a token is the newest window_size positions up to its own",
          "[kernels][v4_attention]") {
  const std::int64_t window = GENERATE(1, 3, 8);
  CAPTURE(window);
  const std::int64_t tokens = 12;
  const Indices prompt = prompt_window(tokens, window);
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::set<std::int64_t> want;
    for (std::int64_t p = 0; p <= t; ++p) {
      if (t - p < window) want.insert(p);
    }
    std::set<std::int64_t> seen(prompt.row(t).begin(), prompt.row(t).end());
    seen.erase(-1);
    CHECK(seen == want);
    std::set<std::int64_t> slots;  // the same positions in the ring
    for (const std::int64_t p : want) slots.insert(p % window);
    const Indices ring = ring_window(t, window);
    std::set<std::int64_t> ring_seen(ring.data.begin(), ring.data.end());
    ring_seen.erase(-1);
    CHECK(ring_seen == slots);
  }
}

// Plain causal attention of every head over one shared key-value vector per position, the sink in
// the denominator only.
Tensor<double> plain_attention(const V4Sample& s, const Tensor<double>& q,
                               const Tensor<double>& kv) {
  const std::int64_t dim = s.spec.head_dim;
  Tensor<double> out{q.shape};
  for (std::int64_t row = 0; row < q.rows(); ++row) {
    double denominator = std::exp(s.weights.attn_sink[row % s.spec.n_heads]);
    for (std::int64_t p = 0; p <= row / s.spec.n_heads; ++p) {
      double product = 0.0;
      for (std::int64_t c = 0; c < dim; ++c) product += q[row * dim + c] * kv[p * dim + c];
      const double weight = std::exp(product / std::sqrt(static_cast<double>(dim)));
      denominator += weight;
      for (std::int64_t c = 0; c < dim; ++c) out[row * dim + c] += weight * kv[p * dim + c];
    }
    for (double& v : out.row(row)) v /= denominator;
  }
  return out;
}

TEST_CASE("a window longer than the prompt is plain causal attention with a sink",
          "[kernels][v4_attention]") {
  V4Sample s = random_v4(kWindowOnly, 1);
  const std::int64_t tokens = 9;
  s.spec.window_size = GENERATE(9, 20);
  const auto x = random_tensor({tokens, s.dim}, 2);
  const auto latent = rms_norm(linear(x, s.weights.wq_a), s.weights.q_norm, s.spec.norm_eps);
  const auto tables = rope_tables<double>(inv_freq<double>(s.spec.rope), 0, tokens);
  const V4Step<double> step{x, latent, tables, 0};
  auto o =
      plain_attention(s, v4_queries(s.spec, s.weights, step), v4_entries(s.spec, s.weights, step));
  rotate_tail(o, tables, RopeLayout::inverse_interleaved);
  V4LayerCache<double> cache;
  CHECK(max_difference(attend(s, x, 0, cache), v4_output(s.spec, s.weights, o)) < 1e-12);
}

TEST_CASE("a prompt gives what its first part and then its tokens one by one give",
          "[kernels][v4_attention]") {
  const auto kind = GENERATE(kWindowOnly, kHca, kOverlapping, kCsa);
  const bool quantised = GENERATE(false, true);
  const std::int64_t first = GENERATE(1, 3, 4, 8, 17);
  CAPTURE(kind.ratio, quantised, first);
  V4Sample s = random_v4(kind, 3);
  s.spec.quantised = quantised;
  const std::int64_t tokens = 26;
  const auto x = random_tensor({tokens, s.dim}, 4);
  V4LayerCache<double> whole;
  const auto out = attend(s, x, 0, whole);
  V4LayerCache<double> split;
  const auto head = attend(s, some_rows(x, 0, first), 0, split);
  const auto tail = attend(s, some_rows(x, first, tokens - first), first, split);
  CHECK(max_difference(some_rows(out, 0, first), head) < 1e-12);
  CHECK(max_difference(some_rows(out, first, tokens - first), tail) < 1e-12);
  CHECK(max_difference(whole.window, split.window) < 1e-12);
  CHECK(max_difference(whole.compressed, split.compressed) < 1e-12);
  CHECK(max_difference(whole.index_keys, split.index_keys) < 1e-12);
}

TEST_CASE("a layer keeps its window and one entry per complete block", "[kernels][v4_attention]") {
  const auto kind = GENERATE(kWindowOnly, kHca, kOverlapping, kCsa);
  const V4Sample s = random_v4(kind, 5);
  V4LayerCache<double> cache;
  attend(s, random_tensor({3, s.dim}, 6), 0, cache);
  for (std::int64_t length = 4; length < 20; ++length) {
    attend(s, random_tensor({1, s.dim}, 7), length - 1, cache);
    CAPTURE(kind.ratio, length);
    const std::int64_t blocks = kind.ratio > 0 ? length / kind.ratio : 0;
    CHECK(cache.window.shape == Shape{s.spec.window_size, s.spec.head_dim});
    CHECK(cache.compressed.shape == Shape{blocks, s.spec.head_dim});
    CHECK(cache.index_keys.shape == Shape{kind.select ? blocks : 0, s.spec.index_head_dim});
  }
}

TEST_CASE("later tokens do not change earlier outputs", "[kernels][v4_attention]") {
  const auto kind = GENERATE(kWindowOnly, kHca, kOverlapping, kCsa);
  const V4Sample s = random_v4(kind, 8);
  const auto x = random_tensor({24, s.dim}, 9);
  for (const std::int64_t changed : {11, 12, 23}) {
    Tensor<double> other = x;
    for (double& v : other.row(changed)) v = -v;
    V4LayerCache<double> a;
    V4LayerCache<double> b;
    const auto before = attend(s, x, 0, a);
    const auto after = attend(s, other, 0, b);
    CHECK(some_rows(before, 0, changed) == some_rows(after, 0, changed));
    CHECK(max_difference(some_rows(before, changed, 1), some_rows(after, changed, 1)) > 1e-6);
  }
}

TEST_CASE("an indexer that may choose every block reads what a layer without one reads",
          "[kernels][v4_attention]") {
  V4Sample s = random_v4(kCsa, 10);
  s.spec.index_topk = 100;
  V4Sample dense = s;
  dense.weights.indexer = {};
  const auto x = random_tensor({30, s.dim}, 11);
  V4LayerCache<double> a;
  V4LayerCache<double> b;
  CHECK(max_difference(attend(s, x, 0, a), attend(dense, x, 0, b)) < 1e-13);
  s.spec.index_topk = 1;
  CHECK(max_difference(attend(s, x, 0, a), attend(dense, x, 0, b)) > 1e-6);
}

TEST_CASE("the indexer reads the blocks of the highest scores, complete ones only",
          "[kernels][v4_attention]") {
  const Tensor<double> scores{{2, 4}, {1.0, 3.0, 2.0, 9.0, 0.5, 0.0, 0.0, 0.0}};
  const Indices chosen = v4_select(scores, 3, {3, 1});
  CHECK(chosen.row(0)[0] == -1);  // block 3 scores best but is not complete
  CHECK(chosen.row(0)[1] == 1);
  CHECK(chosen.row(0)[2] == 2);
  CHECK(chosen.row(1)[0] == 0);
}

TEST_CASE("a cache that was copied before drafts continues as if they had never been",
          "[kernels][v4_attention]") {
  const V4Sample s = random_v4(kCsa, 12);
  V4LayerCache<double> cache;
  attend(s, random_tensor({14, s.dim}, 13), 0, cache);
  V4LayerCache<double> saved = cache;
  attend(s, random_tensor({7, s.dim}, 14), 14, cache);  // rejected: rows of the ring are gone
  V4LayerCache<double> untouched = saved;
  const auto x = random_tensor({9, s.dim}, 15);
  const auto direct = attend(s, x, 14, untouched);
  cache = saved;
  CHECK(attend(s, x, 14, cache) == direct);
  CHECK(cache == untouched);
}

TEST_CASE("without gate and position bias an entry is the mean of its block",
          "[kernels][v4_attention]") {
  const bool overlap = GENERATE(false, true);
  CAPTURE(overlap);
  const V4Kind kind{.ratio = 4, .overlap = overlap};
  auto w = test::random_compressor(kind, 6, 5, 16);
  std::ranges::fill(w.ape.data, 0.0);
  const auto x = random_tensor({8, 5}, 17);
  const auto kv = linear(x, w.wkv);
  auto state = empty_state(w);
  const auto entries = compress(w, {kv, Tensor<double>{kv.shape}}, 0, state);
  REQUIRE(entries.shape == Shape{2, 6});
  for (std::int64_t c = 0; c < 6; ++c) {
    double own = 0.0;
    double previous = 0.0;
    for (std::int64_t t = 0; t < 4; ++t) {
      own += kv[(4 + t) * kv.dim(1) + c + (overlap ? 6 : 0)];
      previous += kv[t * kv.dim(1) + c];
    }
    const double mean = overlap ? (own + previous) / 8.0 : own / 4.0;
    CHECK(entries[6 + c] == Approx(mean).margin(1e-14));
  }
}

TEST_CASE("rounded entries move the output a little and leave rotated elements alone",
          "[kernels][v4_attention]") {
  V4Sample s = random_v4(kCsa, 18);
  const auto x = random_tensor({13, s.dim}, 19);
  V4LayerCache<double> exact;
  attend(s, x, 0, exact);
  s.spec.quantised = true;
  V4LayerCache<double> rounded;
  attend(s, x, 0, rounded);
  CHECK(max_difference(exact.window, rounded.window) > 1e-4);
  const std::int64_t plain = s.spec.head_dim - s.spec.rope_head_dim;
  for (std::int64_t i = 0; i < exact.window.size(); ++i) {
    const double difference = std::abs(exact.window[i] - rounded.window[i]);
    CAPTURE(i);
    if (i % s.spec.head_dim >= plain) {
      CHECK(difference == 0.0);
    } else {  // e4m3 keeps 3 bits: half a step is 1/16 of the value, or half a subnormal step
      CHECK(difference <= std::abs(exact.window[i]) / 16.0 + 0x1p-9);
    }
  }
}

TEST_CASE("core and index scores cost two products per pair that is read, none for absent pairs",
          "[kernels][v4_attention]") {
  using C = Counted<double>;
  const V4Sample s = random_v4(kCsa, 20);
  const std::int64_t tokens = 19;
  const std::int64_t ratio = 4;
  const auto x = random_tensor({tokens, s.dim}, 21);
  V4LayerCache<double> cache;
  const auto result = v4_attention_step(s.spec, s.weights, x, 0, cache);
  std::int64_t pairs = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    pairs += std::min(t + 1, s.spec.window_size);
    pairs += std::min((t + 1) / ratio, s.spec.index_topk);
  }
  const auto q = converted<C>(random_tensor({tokens, s.spec.n_heads, s.spec.head_dim}, 22));
  const auto near = converted<C>(result.kv);
  const auto far = converted<C>(cache.compressed);
  const CountScope core;
  v4_attention_core<C>(s.spec, q, {near, far}, result.rows, converted<C>(s.weights.attn_sink));
  CHECK(flops(core.count()) ==
        2.0 * static_cast<double>(s.spec.n_heads * 2 * s.spec.head_dim * pairs));

  std::vector<std::int64_t> visible;
  std::int64_t index_pairs = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    visible.push_back((t + 1) / ratio);
    index_pairs += (t + 1) / ratio;
  }
  const CountScope scores;
  v4_index_scores(converted<C>(result.selection.q), converted<C>(result.selection.weights),
                  converted<C>(cache.index_keys), visible);
  CHECK(flops(scores.count()) ==
        2.0 * static_cast<double>(s.spec.index_n_heads * s.spec.index_head_dim * index_pairs));
}

}  // namespace
}  // namespace fathom::kernels::ref
