#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// Gated delta rule (Gated DeltaNet, arXiv 2412.06464, equation 10), as Qwen3-Next uses it. Several
/// value heads share one key head.
struct GatedDeltaSpec {
  std::int64_t key_heads = 0;
  std::int64_t value_heads = 0;
  std::int64_t key_dim = 0;
  std::int64_t value_dim = 0;
};

/// Inputs of the recurrence for the tokens of one sequence, in order. Queries and keys arrive
/// normalised and scaled as the model wants them.
template <class T>
struct GatedDeltaTokens {
  Tensor<T> q;     // [tokens, key_heads, key_dim]
  Tensor<T> k;     // [tokens, key_heads, key_dim]
  Tensor<T> v;     // [tokens, value_heads, value_dim]
  Tensor<T> gate;  // [tokens, value_heads], factor in (0, 1] on the whole state
  Tensor<T> beta;  // [tokens, value_heads], writing strength in [0, 1]
};

/// exp(-exp(A_log) softplus(a + dt_bias)): how much of its state a head keeps (transformers
/// modeling_qwen3_next.py, Qwen3NextGatedDeltaNet.forward).
template <class T>
T delta_gate(const T& a_log, const T& a, const T& dt_bias) {
  using std::abs;
  using std::exp;
  using std::log1p;
  const T x = a + dt_bias;
  const T softplus = std::max<T>(x, T(0.0)) + log1p(exp(-abs(x)));
  return exp(-exp(a_log) * softplus);
}

/// In place: x / sqrt(sum x^2 + eps), as queries and keys are normalised (the same file, l2norm).
template <class T>
void l2_norm_row(std::span<T> x, double eps = 1e-6) {
  using std::sqrt;
  Sum<T> squares{eps};
  for (const T& v : x) squares += static_cast<Sum<T>>(v) * static_cast<Sum<T>>(v);
  const T scale = static_cast<T>(Sum<T>{1} / sqrt(squares));
  for (T& v : x) v *= scale;
}

/// One token of one value head.
template <class T>
struct DeltaToken {
  std::span<const T> q;  // [key_dim]
  std::span<const T> k;  // [key_dim]
  std::span<const T> v;  // [value_dim]
  T gate;
  T beta;
};

/// S <- g S (I - beta k k^T) + beta v k^T; o = S q. `state` [value_dim, key_dim] flat, `out`
/// [value_dim]. Seven operations per element of the state: decay, S k, rank-one update, S q.
template <class T>
void gated_delta_step(std::span<T> state, const DeltaToken<T>& token, std::span<T> out) {
  const std::size_t key_dim = token.k.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::span<T> row = state.subspan(i * key_dim, key_dim);
    for (T& s : row) decay(s, token.gate);
    const T recalled = dot<T>(row, token.k);
    const T correction = (token.v[i] - recalled) * token.beta;
    for (std::size_t j = 0; j < key_dim; ++j) {
      auto sum = static_cast<Sum<T>>(row[j]);
      multiply_add<T>(sum, correction, token.k[j]);
      row[j] = static_cast<T>(sum);
    }
    out[i] = dot<T>(row, token.q);
  }
}

/// The recurrence over all tokens: `state` [value_heads, value_dim, key_dim] is read and left as
/// after the last token; returns [tokens, value_heads, value_dim].
template <class T>
Tensor<T> gated_delta(const GatedDeltaSpec& spec, const GatedDeltaTokens<T>& x, Tensor<T>& state) {
  FATHOM_EXPECT(state.shape == (Shape{spec.value_heads, spec.value_dim, spec.key_dim}),
                "recurrent state of another shape");
  const std::int64_t group = spec.value_heads / spec.key_heads;
  Tensor<T> out{x.v.shape};
  for (std::int64_t t = 0; t < x.v.dim(0); ++t) {
    for (std::int64_t h = 0; h < spec.value_heads; ++h) {
      const std::int64_t row = t * spec.value_heads + h;
      const std::int64_t key_row = t * spec.key_heads + h / group;
      const DeltaToken<T> token{.q = x.q.row(key_row),
                                .k = x.k.row(key_row),
                                .v = x.v.row(row),
                                .gate = x.gate[row],
                                .beta = x.beta[row]};
      gated_delta_step<T>(state.slice(h), token, out.row(row));
    }
  }
  return out;
}

}  // namespace fathom::kernels::ref
