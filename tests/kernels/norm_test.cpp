#include "kernels/ref/norm.hpp"

#include "attention_samples.hpp"
#include "catch.hpp"

namespace fathom::kernels {
namespace {

using samples::distance;
using samples::random_tensor;

TEST_CASE("an RMS-normed row without weight has mean square one", "[kernels][norm]") {
  std::mt19937_64 random{1};
  const auto x = random_tensor(random, {7, 33});
  const auto y = ref::rms_norm<double>(x, 0.0);
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    double squares = 0.0;
    for (const double v : y.row(r)) squares += v * v;
    CHECK(std::abs(squares / 33.0 - 1.0) < 1e-13);
  }
}

TEST_CASE("RMS norm ignores the scale of its input, and its weight scales every column",
          "[kernels][norm]") {
  std::mt19937_64 random{2};
  const auto x = random_tensor(random, {4, 9});
  const auto weight = random_tensor(random, {9});
  auto scaled = x;
  for (double& v : scaled.data) v *= 37.0;
  const auto y = ref::rms_norm<double>(x, weight, 0.0);
  CHECK(distance(y, ref::rms_norm<double>(scaled, weight, 0.0)) < 1e-13);
  auto by_hand = ref::rms_norm<double>(x, 0.0);
  for (std::int64_t i = 0; i < by_hand.size(); ++i) by_hand[i] *= weight[i % 9];
  CHECK(distance(y, by_hand) < 1e-14);
}

TEST_CASE("epsilon keeps the norm of a zero row at zero and bounds that of a tiny one",
          "[kernels][norm]") {
  const double eps = 1e-6;
  Tensor<double> x{{2, 4}};
  for (double& v : x.row(1)) v = 1e-3;  // mean square equals eps
  const auto y = ref::rms_norm<double>(x, eps);
  for (const double v : y.row(0)) CHECK(v == 0.0);
  for (const double v : y.row(1)) CHECK(std::abs(v - std::sqrt(0.5)) < 1e-12);
}

TEST_CASE("the fused norm is the norm of the sum and hands the sum on", "[kernels][norm]") {
  std::mt19937_64 random{3};
  const auto x = random_tensor(random, {3, 2, 8});
  const auto residual = random_tensor(random, {3, 2, 8});
  const auto weight = random_tensor(random, {8});
  const auto fused = ref::add_rms_norm<double>(x, residual, weight, 1e-6);
  const auto sum = ref::add(x, residual);
  CHECK(fused.residual == sum);
  CHECK(fused.out == ref::rms_norm<double>(sum, weight, 1e-6));
  CHECK(fused.out.shape == x.shape);
}

TEST_CASE("layer norm has mean bias and variance weight squared, whatever its input's offset",
          "[kernels][norm]") {
  std::mt19937_64 random{4};
  const std::int64_t dim = 21;
  const auto x = random_tensor(random, {5, dim});
  const Tensor<double> weight{{dim}, std::vector<double>(21, 3.0)};
  const Tensor<double> bias{{dim}, std::vector<double>(21, -2.0)};
  const auto y = ref::layer_norm<double>(x, weight, bias, 0.0);
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    double mean = 0.0;
    double variance = 0.0;
    for (const double v : y.row(r)) mean += v / 21.0;
    for (const double v : y.row(r)) variance += (v - mean) * (v - mean) / 21.0;
    CHECK(std::abs(mean + 2.0) < 1e-13);
    CHECK(std::abs(variance - 9.0) < 1e-12);
  }
  auto shifted = x;
  for (double& v : shifted.data) v += 5.0;
  CHECK(distance(y, ref::layer_norm<double>(shifted, weight, bias, 0.0)) < 1e-12);
}

TEST_CASE("a float norm is the rounded double norm", "[kernels][norm]") {
  std::mt19937_64 random{5};
  const auto x = converted<float>(random_tensor(random, {6, 500}));
  const auto weight = converted<float>(random_tensor(random, {500}));
  const auto narrow = ref::rms_norm<float>(x, weight, 1e-6);
  const auto wide = ref::rms_norm<double>(converted<double>(x), converted<double>(weight), 1e-6);
  // three roundings: the scale and two products, each half an ulp of a value below 2
  CHECK(distance(converted<double>(narrow), wide) < 3.0 * 0x1p-24 * 2.0);
}

TEST_CASE("norms do no contraction: they count no FLOPs", "[kernels][norm]") {
  std::mt19937_64 random{6};
  const auto x = converted<Counted<double>>(random_tensor(random, {2, 8}));
  const auto weight = converted<Counted<double>>(random_tensor(random, {8}));
  const CountScope scope;
  ref::rms_norm(x, weight, 1e-6);
  ref::layer_norm(x, weight, weight, 1e-6);
  CHECK(flops(scope.count()) == 0.0);
  CHECK(scope.count().pointwise > 0);
}

TEST_CASE("a weight of another width than the row is refused", "[kernels][norm]") {
  const Tensor<double> x{{2, 4}};
  CHECK_THROWS_AS(ref::rms_norm<double>(x, Tensor<double>{{5}}, 1e-6), BugError);
  CHECK_THROWS_AS(ref::layer_norm<double>(x, Tensor<double>{{4}}, Tensor<double>{{3}}, 1e-6),
                  BugError);
}

}  // namespace
}  // namespace fathom::kernels
