#include "kernels/ref/linear_attention.hpp"

#include "attention_samples.hpp"
#include "catch.hpp"

namespace fathom::kernels {
namespace {

using ref::GatedDeltaSpec;
using ref::GatedDeltaTokens;
using samples::between;
using samples::distance;
using samples::random_tensor;

GatedDeltaTokens<double> random_tokens(std::mt19937_64& random, const GatedDeltaSpec& s,
                                       std::int64_t tokens) {
  GatedDeltaTokens<double> x{.q = random_tensor(random, {tokens, s.key_heads, s.key_dim}),
                             .k = random_tensor(random, {tokens, s.key_heads, s.key_dim}),
                             .v = random_tensor(random, {tokens, s.value_heads, s.value_dim}),
                             .gate = random_tensor(random, {tokens, s.value_heads}),
                             .beta = random_tensor(random, {tokens, s.value_heads})};
  for (std::int64_t r = 0; r < x.k.rows(); ++r) ref::l2_norm_row<double>(x.k.row(r));
  for (double& g : x.gate.data) g = std::abs(g);
  for (double& b : x.beta.data) b = std::abs(b);
  return x;
}

GatedDeltaSpec random_spec(std::mt19937_64& random) {
  GatedDeltaSpec s{.key_heads = between(random, 1, 3),
                   .key_dim = between(random, 2, 6),
                   .value_dim = between(random, 1, 6)};
  s.value_heads = s.key_heads * between(random, 1, 3);
  return s;
}

Tensor<double> empty_state(const GatedDeltaSpec& s) {
  return Tensor<double>{{s.value_heads, s.value_dim, s.key_dim}};
}

/// Tokens [first, first + count) of the inputs.
GatedDeltaTokens<double> part(const GatedDeltaTokens<double>& x, std::int64_t first,
                              std::int64_t count) {
  const auto cut = [&](const Tensor<double>& all) {
    Shape shape = all.shape;
    shape.front() = count;
    Tensor<double> out{shape};
    for (std::int64_t t = 0; t < count; ++t) {
      std::ranges::copy(all.slice(first + t), out.slice(t).begin());
    }
    return out;
  };
  return {cut(x.q), cut(x.k), cut(x.v), cut(x.gate), cut(x.beta)};
}

TEST_CASE("one step is the matrix formula of the gated delta rule", "[kernels][linear_attention]") {
  std::mt19937_64 random{1};
  const GatedDeltaSpec s{.key_heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 3};
  auto state = random_tensor(random, {1, 3, 4});
  const auto before = state;
  const auto x = random_tokens(random, s, 1);
  const auto out = ref::gated_delta(s, x, state);
  for (std::int64_t i = 0; i < 3; ++i) {
    double read = 0.0;
    for (std::int64_t j = 0; j < 4; ++j) {
      // (g S (I - beta k k^T) + beta v k^T)_ij
      double entry = x.beta[0] * x.v[i] * x.k[j];
      for (std::int64_t l = 0; l < 4; ++l) {
        const double identity = l == j ? 1.0 : 0.0;
        entry += x.gate[0] * before[i * 4 + l] * (identity - x.beta[0] * x.k[l] * x.k[j]);
      }
      CHECK(std::abs(state[i * 4 + j] - entry) < 1e-14);
      read += entry * x.q[j];
    }
    CHECK(std::abs(out[i] - read) < 1e-14);
  }
}

TEST_CASE("without decay, orthonormal keys recall what was stored under them",
          "[kernels][linear_attention]") {
  std::mt19937_64 random{2};
  const GatedDeltaSpec s{.key_heads = 1, .value_heads = 2, .key_dim = 5, .value_dim = 3};
  auto x = random_tokens(random, s, 5);
  std::ranges::fill(x.gate.data, 1.0);
  std::ranges::fill(x.beta.data, 1.0);
  std::ranges::fill(x.k.data, 0.0);
  for (std::int64_t t = 0; t < 5; ++t) x.k[t * 5 + t] = 1.0;
  auto state = empty_state(s);
  ref::gated_delta(s, x, state);
  for (std::int64_t t = 0; t < 5; ++t) {
    for (std::int64_t h = 0; h < 2; ++h) {
      for (std::int64_t i = 0; i < 3; ++i) {
        CHECK(state[(h * 3 + i) * 5 + t] == x.v[(t * 2 + h) * 3 + i]);
      }
    }
  }
}

TEST_CASE("writing at full strength under a used key replaces its value",
          "[kernels][linear_attention]") {
  std::mt19937_64 random{3};
  const GatedDeltaSpec s{.key_heads = 1, .value_heads = 1, .key_dim = 6, .value_dim = 4};
  auto x = random_tokens(random, s, 2);
  std::ranges::fill(x.gate.data, 1.0);
  std::ranges::fill(x.beta.data, 1.0);
  ref::l2_norm_row<double>(x.k.row(0), 0.0);
  std::ranges::copy(x.k.row(0), x.k.row(1).begin());
  std::ranges::copy(x.k.row(0), x.q.row(1).begin());
  auto state = empty_state(s);
  const auto out = ref::gated_delta(s, x, state);
  for (std::int64_t i = 0; i < 4; ++i) CHECK(std::abs(out[4 + i] - x.v[4 + i]) < 1e-14);
}

TEST_CASE("the state carries a sequence across any cut", "[kernels][linear_attention]") {
  std::mt19937_64 random{4};
  for (int trial = 0; trial < 10; ++trial) {
    const GatedDeltaSpec s = random_spec(random);
    const auto x = random_tokens(random, s, 7);
    auto whole = empty_state(s);
    const auto at_once = ref::gated_delta(s, x, whole);
    const std::int64_t cut = between(random, 1, 6);
    auto state = empty_state(s);
    auto out = ref::gated_delta(s, part(x, 0, cut), state);
    const auto rest = ref::gated_delta(s, part(x, cut, 7 - cut), state);
    out.data.insert(out.data.end(), rest.data.begin(), rest.data.end());
    CHECK(out.data == at_once.data);
    CHECK(state == whole);
  }
}

TEST_CASE("without the delta correction's key overlap it is decayed linear attention",
          "[kernels][linear_attention]") {
  std::mt19937_64 random{5};
  const GatedDeltaSpec s{.key_heads = 1, .value_heads = 1, .key_dim = 4, .value_dim = 2};
  auto x = random_tokens(random, s, 4);
  std::ranges::fill(x.k.data, 0.0);
  for (std::int64_t t = 0; t < 4; ++t) x.k[t * 4 + t] = 1.0;  // orthogonal: nothing to correct
  auto state = empty_state(s);
  const auto out = ref::gated_delta(s, x, state);
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t i = 0; i < 2; ++i) {
      double expected = 0.0;
      for (std::int64_t past = 0; past <= t; ++past) {
        double kept = x.beta[past];
        for (std::int64_t later = past + 1; later <= t; ++later) kept *= x.gate[later];
        expected += kept * x.v[past * 2 + i] * x.q[t * 4 + past];
      }
      CHECK(std::abs(out[t * 2 + i] - expected) < 1e-14);
    }
  }
}

TEST_CASE("value heads of a group share their key head", "[kernels][linear_attention]") {
  std::mt19937_64 random{6};
  const GatedDeltaSpec s{.key_heads = 2, .value_heads = 4, .key_dim = 3, .value_dim = 2};
  const auto x = random_tokens(random, s, 3);
  auto state = empty_state(s);
  const auto out = ref::gated_delta(s, x, state);
  // the last value head alone, over the second key head
  const GatedDeltaSpec one{.key_heads = 1, .value_heads = 1, .key_dim = 3, .value_dim = 2};
  GatedDeltaTokens<double> own{.q = Tensor<double>{{3, 1, 3}},
                               .k = Tensor<double>{{3, 1, 3}},
                               .v = Tensor<double>{{3, 1, 2}},
                               .gate = Tensor<double>{{3, 1}},
                               .beta = Tensor<double>{{3, 1}}};
  for (std::int64_t t = 0; t < 3; ++t) {
    std::ranges::copy(x.q.row(t * 2 + 1), own.q.row(t).begin());
    std::ranges::copy(x.k.row(t * 2 + 1), own.k.row(t).begin());
    std::ranges::copy(x.v.row(t * 4 + 3), own.v.row(t).begin());
    own.gate[t] = x.gate[t * 4 + 3];
    own.beta[t] = x.beta[t * 4 + 3];
  }
  auto own_state = empty_state(one);
  const auto alone = ref::gated_delta(one, own, own_state);
  for (std::int64_t t = 0; t < 3; ++t) {
    CHECK(std::ranges::equal(out.row(t * 4 + 3), alone.row(t)));
  }
}

TEST_CASE("the recurrence does seven operations per state element and token",
          "[kernels][linear_attention]") {
  using C = Counted<double>;
  std::mt19937_64 random{7};
  const GatedDeltaSpec s = random_spec(random);
  const auto x = random_tokens(random, s, 4);
  const GatedDeltaTokens<C> counted{converted<C>(x.q), converted<C>(x.k), converted<C>(x.v),
                                    converted<C>(x.gate), converted<C>(x.beta)};
  auto state = converted<C>(empty_state(s));
  const CountScope scope;
  ref::gated_delta(s, counted, state);
  CHECK(flops(scope.count()) ==
        7.0 * 4.0 * static_cast<double>(s.value_heads * s.key_dim * s.value_dim));
}

TEST_CASE("the decay is positive, at most one and falls with its input",
          "[kernels][linear_attention]") {
  double last = 1.0;
  for (double a = -30.0; a <= 30.0; a += 1.0) {
    const double gate = ref::delta_gate<double>(-2.0, a, 0.5);
    CHECK(gate > 0.0);
    CHECK(gate <= last);
    last = gate;
  }
  // softplus(0) = ln 2, so A = 1 gives exp(-ln 2)
  CHECK(std::abs(ref::delta_gate<double>(0.0, -0.5, 0.5) - 0.5) < 1e-15);
}

}  // namespace
}  // namespace fathom::kernels
