#include "kernels/ref/hyper_connections.hpp"

#include "catch.hpp"
#include "random_tensor.hpp"

namespace fathom::kernels::ref {
namespace {

using test::max_difference;
using test::random_tensor;

// sum over j of m[t, i, j] (rows) or over i of m[t, i, j] (columns), furthest from one.
double worst_sum(const Tensor<double>& m, bool rows) {
  const std::int64_t n = m.dim(-1);
  double worst = 0.0;
  for (std::int64_t t = 0; t < m.dim(0); ++t) {
    for (std::int64_t a = 0; a < n; ++a) {
      double sum = 0.0;
      for (std::int64_t b = 0; b < n; ++b) sum += m[t * n * n + (rows ? a * n + b : b * n + a)];
      worst = std::max(worst, std::abs(sum - 1.0));
    }
  }
  return worst;
}

HyperConnectionWeights<double> random_mixing(std::uint64_t& next_seed, std::int64_t n,
                                             std::int64_t d) {
  return {.fn = random_tensor({n * (n + 2), n * d}, ++next_seed),
          .base = random_tensor({n * (n + 2)}, ++next_seed),
          .scale = random_tensor({3}, ++next_seed)};
}

TEST_CASE("Sinkhorn's columns sum to one and its rows come closer with every round",
          "[kernels][hyper_connections]") {
  const auto seed = GENERATE(1U, 2U, 3U);
  const std::int64_t n = GENERATE(2, 4, 7);
  CAPTURE(seed, n);
  std::uint64_t next_seed = seed * 100;
  const double eps = 1e-6;
  const auto logits = random_tensor({5, n, n}, ++next_seed, 3.0);
  const auto one = sinkhorn_normalise(logits, 1, eps);
  const auto twenty = sinkhorn_normalise(logits, 20, eps);
  // a column of sum s becomes s / (s + eps); logits within +-3 leave no s below exp(-6)
  CHECK(worst_sum(one, false) < eps * std::exp(6.0));
  CHECK(worst_sum(twenty, false) < 2.0 * eps);
  CHECK(worst_sum(twenty, true) < 0.1 * worst_sum(one, true));
  CHECK(worst_sum(sinkhorn_normalise(logits, 400, 0.0), true) < 1e-6);
}

TEST_CASE("Sinkhorn does not see what is added to a whole row of logits",
          "[kernels][hyper_connections]") {
  std::uint64_t next_seed = 400;
  const auto logits = random_tensor({1, 4, 4}, ++next_seed);
  Tensor<double> shifted = logits;
  for (double& v : shifted.row(2)) v += 5.0;
  CHECK(max_difference(sinkhorn_normalise(logits, 7, 1e-6), sinkhorn_normalise(shifted, 7, 1e-6)) <
        1e-14);
}

TEST_CASE("one stream with open gates is a plain residual connection",
          "[kernels][hyper_connections]") {
  std::uint64_t next_seed = 500;
  const HyperConnectionSpec spec{.hc_mult = 1, .hc_eps = 0.0};
  // sigmoid(50) = 1 in double; post = 2 sigmoid(0) = 1; a 1 x 1 doubly stochastic matrix is 1
  const HyperConnectionWeights<double> w{
      .fn = Tensor<double>{{3, 8}}, .base = {{3}, {50.0, 0.0, 0.3}}, .scale = {{3}, {1, 1, 1}}};
  const auto streams = random_tensor({6, 1, 8}, ++next_seed);
  const auto in = hc_pre(spec, w, streams);
  CHECK(max_difference(in.y, streams.reshaped({6, 8})) < 1e-15);
  const auto x = random_tensor({6, 8}, ++next_seed);
  const auto out = hc_post(x, streams, in.mix);
  CHECK(max_difference(out.reshaped({6, 8}), add(x, streams.reshaped({6, 8}))) < 1e-15);
}

TEST_CASE("the first index of comb is the stream that is read, the second the one written",
          "[kernels][hyper_connections]") {
  StreamMix<double> mix{.post = Tensor<double>{{1, 3}}, .comb = Tensor<double>{{1, 3, 3}}};
  mix.comb[0 * 3 + 2] = 1.0;  // stream 0 -> stream 2
  const Tensor<double> streams{{1, 3, 2}, {1, 2, 3, 4, 5, 6}};
  const auto out = hc_post(Tensor<double>{{1, 2}}, streams, mix);
  CHECK(out.data == std::vector<double>{0, 0, 0, 0, 1, 2});
}

TEST_CASE("mixing back adds post times the output and conserves the sum of the streams",
          "[kernels][hyper_connections]") {
  std::uint64_t next_seed = 600;
  const std::int64_t n = 4;
  const std::int64_t d = 10;
  const HyperConnectionSpec spec{.hc_sinkhorn_iters = 500, .hc_eps = 0.0};
  const auto streams = random_tensor({3, n, d}, ++next_seed);
  const auto in = hc_pre(spec, random_mixing(next_seed, n, d), streams);
  const auto x = random_tensor({3, d}, ++next_seed);
  const auto out = hc_post(x, streams, in.mix);
  for (std::int64_t t = 0; t < 3; ++t) {
    for (std::int64_t c = 0; c < d; ++c) {
      double before = 0.0;
      double after = 0.0;
      for (std::int64_t i = 0; i < n; ++i) {
        before += streams[(t * n + i) * d + c] + in.mix.post[t * n + i] * x[t * d + c];
        after += out[(t * n + i) * d + c];
      }
      CHECK(after == Approx(before).margin(1e-6));  // rows of comb sum to one within Sinkhorn
    }
  }
}

TEST_CASE("mixes do not change when all streams grow together", "[kernels][hyper_connections]") {
  std::uint64_t next_seed = 700;
  const auto streams = random_tensor({2, 3, 8}, ++next_seed);
  const auto fn = random_tensor({15, 24}, ++next_seed);
  Tensor<double> larger = streams;
  for (double& v : larger.data) v *= 64.0;
  CHECK(max_difference(hc_mixes(streams, fn, 0.0), hc_mixes(larger, fn, 0.0)) < 1e-13);
}

TEST_CASE("the input of a sublayer costs one product with fn, everything else is pointwise",
          "[kernels][hyper_connections]") {
  using C = Counted<double>;
  std::uint64_t next_seed = 800;
  const std::int64_t n = 4;
  const std::int64_t d = 6;
  const std::int64_t tokens = 3;
  const auto w = random_mixing(next_seed, n, d);
  const HyperConnectionWeights<C> counted{converted<C>(w.fn), converted<C>(w.base),
                                          converted<C>(w.scale)};
  const auto streams = converted<C>(random_tensor({tokens, n, d}, ++next_seed));
  const CountScope scope;
  const auto in = hc_pre<C>({}, counted, streams);
  CHECK(scope.count().multiply_adds == tokens * n * (n + 2) * n * d);
  hc_post(in.y, streams, in.mix);
  CHECK(scope.count().multiply_adds == tokens * n * (n + 2) * n * d);
  CHECK(scope.count().pointwise > 0);
}

}  // namespace
}  // namespace fathom::kernels::ref
