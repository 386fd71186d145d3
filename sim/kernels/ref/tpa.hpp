#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ref/attention.hpp"
#include "kernels/ref/rope.hpp"

namespace fathom::kernels::ref {

/// Tensor product attention (arXiv 2501.06425, section 3): a head's query, key and value are means
/// of rank-one products of a factor over heads (A) and one over the head dimension (B).
struct TpaSpec {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t q_rank = 0;  // 0: queries are projected directly (K/V-only TPA)
  std::int64_t k_rank = 0;
  std::int64_t v_rank = 0;
  double softmax_scale = 1.0;
  RopeLayout rope = RopeLayout::half_negative;

  /// Elements cached per token: A and B of the key, then of the value.
  std::int64_t factor_row() const { return (k_rank + v_rank) * (heads + head_dim); }
};

/// One factored projection: a [heads * rank, dim] (head-major), b [rank * head_dim, dim].
template <class T>
struct FactorWeights {
  Tensor<T> a;
  Tensor<T> b;
};

/// Weights of tensorgi/TPA model/T6.py, T6_kvonly.py.
template <class T>
struct TpaWeights {
  FactorWeights<T> q;
  Tensor<T> wq;  // [heads * head_dim, dim], only without q_rank
  FactorWeights<T> k;
  FactorWeights<T> v;
  Tensor<T> wo;  // [dim, heads * head_dim]
};

/// From tensors named "c_qkv.W_A_q.weight" and so on; names not present stay empty.
template <class T>
TpaWeights<T> tpa_weights(std::map<std::string, Tensor<T>> named) {
  const auto take = [&named](const std::string& name) {
    const auto found = named.find(name + ".weight");
    return found == named.end() ? Tensor<T>{} : std::move(found->second);
  };
  return {.q = {take("c_qkv.W_A_q"), take("c_qkv.W_B_q")},
          .wq = take("c_qkv.c_q"),
          .k = {take("c_qkv.W_A_k"), take("c_qkv.W_B_k")},
          .v = {take("c_qkv.W_A_v"), take("c_qkv.W_B_v")},
          .wo = take("c_proj")};
}

template <class T>
struct Factors {
  Tensor<T> a;  // [tokens, heads, rank]
  Tensor<T> b;  // [tokens, rank, head_dim], rotated where the product is to be rotated
};

/// Factors of x [tokens, dim] before rotation.
template <class T>
Factors<T> factors(const TpaSpec& spec, const FactorWeights<T>& w, const Tensor<T>& x,
                   std::int64_t rank) {
  return {.a = linear(x, w.a).reshaped({x.dim(0), spec.heads, rank}),
          .b = linear(x, w.b).reshaped({x.dim(0), rank, spec.head_dim})};
}

/// 1/rank sum_r A[h, r] B[r, :] -> [tokens, heads, head_dim]: rank * heads * head_dim multiply-adds
/// per token.
template <class T>
Tensor<T> factor_product(const Factors<T>& f) {
  const std::int64_t heads = f.a.dim(1);
  const std::int64_t rank = f.a.dim(2);
  const std::int64_t dim = f.b.dim(2);
  Tensor<T> out{{f.a.dim(0), heads, dim}};
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    std::vector<Sum<T>> sum(static_cast<std::size_t>(dim), Sum<T>{0});
    for (std::int64_t k = 0; k < rank; ++k) {
      const auto b = f.b.row(r / heads * rank + k);
      for (std::size_t d = 0; d < sum.size(); ++d) multiply_add<T>(sum[d], f.a[r * rank + k], b[d]);
    }
    for (std::size_t d = 0; d < sum.size(); ++d) {
      out.row(r)[d] = static_cast<T>(sum[d]) / T(static_cast<double>(rank));
    }
  }
  return out;
}

/// Factors of new tokens. Rotation acts on B alone: it is linear, so the product is rotated too.
template <class T>
struct TpaProjection {
  Factors<T> q_factors;  // empty without q_rank
  Tensor<T> q;           // [tokens, heads, head_dim], rotated
  Factors<T> k;
  Factors<T> v;
};

/// x [tokens, dim], tables of the tokens' positions.
template <class T>
TpaProjection<T> tpa_project(const TpaSpec& spec, const TpaWeights<T>& w, const Tensor<T>& x,
                             const RopeTables<T>& tables) {
  TpaProjection<T> p;
  if (spec.q_rank > 0) {
    p.q_factors = factors(spec, w.q, x, spec.q_rank);
    p.q_factors.b = apply_rope(std::move(p.q_factors.b), tables, spec.rope);
    p.q = factor_product(p.q_factors);
  } else {
    const Tensor<T> q = linear(x, w.wq).reshaped({x.dim(0), spec.heads, spec.head_dim});
    p.q = apply_rope(q, tables, spec.rope);
  }
  p.k = factors(spec, w.k, x, spec.k_rank);
  p.k.b = apply_rope(std::move(p.k.b), tables, spec.rope);
  p.v = factors(spec, w.v, x, spec.v_rank);
  return p;
}

}  // namespace fathom::kernels::ref
