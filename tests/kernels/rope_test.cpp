#include "kernels/ref/rope.hpp"

#include <numbers>

#include "attention_samples.hpp"
#include "catch.hpp"

namespace fathom::kernels {
namespace {

using ref::RopeLayout;
using samples::distance;
using samples::random_tensor;

constexpr std::array kLayouts{RopeLayout::interleaved, RopeLayout::inverse_interleaved,
                              RopeLayout::deinterleaved, RopeLayout::half,
                              RopeLayout::half_negative};

Tensor<double> frequencies(std::int64_t dim) {
  return ref::inv_freq<double>({.dim = dim, .theta = 1000.0});
}

/// `x` [dim] at `position`.
Tensor<double> rotated(const Tensor<double>& x, std::int64_t position, RopeLayout layout) {
  const std::int64_t dim = x.size();
  const auto tables = ref::rope_tables<double>(frequencies(dim), position, 1);
  return ref::apply_rope<double>(x.reshaped({1, 1, dim}), tables, layout).reshaped({dim});
}

double product(const Tensor<double>& a, const Tensor<double>& b) {
  return ref::dot<double>(a.row(0), b.row(0));
}

TEST_CASE("rotation keeps lengths, and moving q and k together keeps their product",
          "[kernels][rope]") {
  const auto layout = GENERATE(from_range(kLayouts));
  std::mt19937_64 random{static_cast<std::uint64_t>(layout)};
  for (int trial = 0; trial < 20; ++trial) {
    const std::int64_t dim = 2 * samples::between(random, 1, 16);
    const auto q = random_tensor(random, {dim});
    const auto k = random_tensor(random, {dim});
    const std::int64_t at = samples::between(random, 0, 50);
    const std::int64_t shift = samples::between(random, 1, 500);
    CHECK(std::abs(product(rotated(q, at, layout), rotated(q, at, layout)) - product(q, q)) <
          1e-12);
    CHECK(std::abs(product(rotated(q, at, layout), rotated(k, 3, layout)) -
                   product(rotated(q, at + shift, layout), rotated(k, 3 + shift, layout))) < 1e-11);
  }
}

TEST_CASE("products depend on the distance of q and k", "[kernels][rope]") {
  std::mt19937_64 random{3};
  const auto q = random_tensor(random, {8});
  const double near = product(rotated(q, 5, RopeLayout::half), rotated(q, 5, RopeLayout::half));
  const double far = product(rotated(q, 5, RopeLayout::half), rotated(q, 8, RopeLayout::half));
  CHECK(far < near - 1e-3);  // a vector is most like itself where it is
}

TEST_CASE("interleaved and deinterleaved layouts give the same products", "[kernels][rope]") {
  std::mt19937_64 random{4};
  for (int trial = 0; trial < 20; ++trial) {
    const auto q = random_tensor(random, {12});
    const auto k = random_tensor(random, {12});
    const auto in_place = [](const auto& x, auto p) {
      return rotated(x, p, RopeLayout::interleaved);
    };
    const auto moved = [](const auto& x, auto p) {
      return rotated(x, p, RopeLayout::deinterleaved);
    };
    CHECK(std::abs(product(in_place(q, 9), in_place(k, 2)) - product(moved(q, 9), moved(k, 2))) <
          1e-14);
    // [evens | odds] of the same rotated pairs
    const auto a = in_place(q, 9);
    const auto b = moved(q, 9);
    for (std::int64_t i = 0; i < 6; ++i) {
      CHECK(a[2 * i] == b[i]);
      CHECK(a[2 * i + 1] == b[6 + i]);
    }
  }
}

TEST_CASE("the backward layouts undo the forward ones", "[kernels][rope]") {
  std::mt19937_64 random{5};
  const auto x = random_tensor(random, {10});
  const auto there = rotated(x, 77, RopeLayout::interleaved);
  CHECK(distance(rotated(there, 77, RopeLayout::inverse_interleaved), x) < 1e-14);
  CHECK(distance(rotated(rotated(x, 77, RopeLayout::half), 77, RopeLayout::half_negative), x) <
        1e-14);
  CHECK(distance(there, x) > 1e-2);
}

TEST_CASE("the first pair turns one radian per token", "[kernels][rope]") {
  const Tensor<double> x{{4}, {1.0, 0.0, 0.0, 0.0}};
  const auto y = rotated(x, 3, RopeLayout::interleaved);
  CHECK(std::abs(y[0] - std::cos(3.0)) < 1e-15);
  CHECK(std::abs(y[1] - std::sin(3.0)) < 1e-15);
}

TEST_CASE("a partial rotation leaves the rest of the head alone", "[kernels][rope]") {
  std::mt19937_64 random{6};
  const auto x = random_tensor(random, {5, 3, 10});
  const auto tables = ref::rope_tables<double>(frequencies(4), 1, 5);
  const auto y = ref::apply_rope<double>(x, tables, RopeLayout::interleaved, 6);
  CHECK(ref::columns(y, 0, 6) == ref::columns(x, 0, 6));
  CHECK(ref::columns(y, 6, 4) ==
        ref::apply_rope<double>(ref::columns(x, 6, 4), tables, RopeLayout::interleaved));
  CHECK_THROWS_AS(ref::apply_rope<double>(x, tables, RopeLayout::interleaved, 7), BugError);
}

TEST_CASE("without stretching every scaling is the plain one", "[kernels][rope]") {
  const ref::RopeSpec plain{.dim = 32, .theta = 10000.0};
  const auto expected = ref::inv_freq<double>(plain);
  CHECK(expected[0] == 1.0);
  const auto scaled = [&](const ref::RopeScaling& scaling) {
    return ref::inv_freq<double>({plain.dim, plain.theta, scaling});
  };
  CHECK(distance(scaled(ref::LinearRope{1.0}), expected) == 0.0);
  CHECK(distance(scaled(ref::NtkRope{1.0}), expected) == 0.0);
  CHECK(distance(scaled(ref::DynamicNtkRope{8.0, 4096.0, 4096.0}), expected) == 0.0);
  CHECK(distance(scaled(ref::DynamicNtkRope{8.0, 4096.0, 100.0}), expected) == 0.0);
  CHECK(distance(scaled(ref::YarnRope{1.0, 4096.0}), expected) < 1e-16);
  CHECK(distance(scaled(ref::Llama3Rope{1.0, 1.0, 4.0, 8192.0}), expected) < 1e-16);
}

TEST_CASE("linear scaling is the same on frequencies and on positions", "[kernels][rope]") {
  const Tensor<double> plain = frequencies(16);
  const auto scaled =
      ref::inv_freq<double>({.dim = 16, .theta = 1000.0, .scaling = ref::LinearRope{4.0}});
  const std::vector<std::int64_t> positions{0, 3, 999};
  CHECK(distance(ref::rope_tables<double>(plain, positions, 4.0).cos,
                 ref::rope_tables<double>(scaled, positions).cos) < 1e-13);
}

TEST_CASE("NTK scaling keeps the fastest frequency and stretches the slowest by the factor",
          "[kernels][rope]") {
  const double factor = 4.0;
  const auto plain = ref::inv_freq<double>({.dim = 64, .theta = 10000.0});
  const auto ntk =
      ref::inv_freq<double>({.dim = 64, .theta = 10000.0, .scaling = ref::NtkRope{factor}});
  CHECK(ntk[0] == plain[0]);
  CHECK(std::abs(plain[31] / ntk[31] / factor - 1.0) < 1e-12);
  for (std::int64_t i = 1; i < 31; ++i) {
    CHECK(plain[i] > ntk[i]);
    CHECK(plain[i] / factor < ntk[i]);
  }
}

TEST_CASE("YaRN keeps fast turns, divides slow ones and ramps between", "[kernels][rope]") {
  const ref::YarnRope yarn{.factor = 40.0, .original_max_position_embeddings = 4096.0};
  const auto plain = ref::inv_freq<double>({.dim = 64, .theta = 10000.0});
  const auto scaled = ref::inv_freq<double>({.dim = 64, .theta = 10000.0, .scaling = yarn});
  double last_ratio = 1.0;
  for (std::int64_t i = 0; i < 32; ++i) {
    const double turns = 4096.0 * plain[i] / (2.0 * std::numbers::pi);
    const double ratio = plain[i] / scaled[i];
    CAPTURE(i, turns, ratio);
    // the range is rounded outwards, so both rules hold where the paper states them up to one step
    if (turns > 32.0 * 1.34) CHECK(std::abs(ratio - 1.0) < 1e-12);
    if (turns < 1.0 / 1.34) CHECK(std::abs(ratio - 40.0) < 1e-10);
    CHECK(ratio >= last_ratio - 1e-12);
    last_ratio = ratio;
  }
}

TEST_CASE("Llama 3 scaling has three regions, split by wavelength", "[kernels][rope]") {
  const ref::Llama3Rope llama{8.0, 1.0, 4.0, 8192.0};
  const auto plain = ref::inv_freq<double>({.dim = 128, .theta = 5e5});
  const auto scaled = ref::inv_freq<double>({.dim = 128, .theta = 5e5, .scaling = llama});
  for (std::int64_t i = 0; i < 64; ++i) {
    const double wavelength = 2.0 * std::numbers::pi / plain[i];
    const double ratio = plain[i] / scaled[i];
    if (wavelength < 8192.0 / 4.0) CHECK(ratio == 1.0);
    if (wavelength > 8192.0) CHECK(std::abs(ratio - 8.0) < 1e-12);
    CHECK(ratio >= 1.0);
    CHECK(ratio <= 8.0 + 1e-12);
  }
}

TEST_CASE("DeepSeek's softmax scale carries YaRN's temperature squared", "[kernels][rope]") {
  const double temperature = 0.1 * std::log(40.0) + 1.0;
  CHECK(std::abs(ref::yarn_softmax_scale(192, 40.0, 1.0) * std::sqrt(192.0) -
                 temperature * temperature) < 1e-14);
  CHECK(ref::yarn_softmax_scale(64, 1.0, 1.0) == 1.0 / 8.0);
  CHECK(ref::yarn_attention_factor(40.0, 0.707, 0.707) == 1.0);
  CHECK(std::abs(ref::yarn_attention_factor(40.0, 0.0, 0.0) - temperature) < 1e-15);
}

}  // namespace
}  // namespace fathom::kernels
