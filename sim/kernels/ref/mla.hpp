#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "kernels/ref/named_linear.hpp"
#include "kernels/ref/norm.hpp"
#include "kernels/ref/rope.hpp"

namespace fathom::kernels::ref {

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).
struct MlaSpec {
  std::int64_t heads = 0;
  std::int64_t q_lora_rank = 0;       // d_c'; 0: queries come from the input directly
  std::int64_t kv_lora_rank = 0;      // d_c
  std::int64_t qk_nope_head_dim = 0;  // d_h
  std::int64_t qk_rope_head_dim = 0;  // d_h^R
  std::int64_t v_head_dim = 0;
  double softmax_scale = 1.0;
  double norm_eps = 1e-6;
  RopeLayout rope = RopeLayout::interleaved;

  std::int64_t qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
  std::int64_t latent_row() const { return kv_lora_rank + qk_rope_head_dim; }
};

/// Weights under the names of DeepSeek-V3 inference/model.py, projections [out, in]. wkv_b holds
/// per head first the rows of k_nope, then those of v.
template <class T>
struct MlaWeights {
  Tensor<T> wq;       // [heads * qk_head_dim, dim], only without q_lora_rank
  Tensor<T> wq_a;     // [q_lora_rank, dim]
  Tensor<T> q_norm;   // [q_lora_rank]
  Tensor<T> wq_b;     // [heads * qk_head_dim, q_lora_rank]
  Tensor<T> wkv_a;    // [kv_lora_rank + qk_rope_head_dim, dim]
  Tensor<T> kv_norm;  // [kv_lora_rank]
  Tensor<T> wkv_b;    // [heads * (qk_nope_head_dim + v_head_dim), kv_lora_rank]
  Tensor<T> wo;       // [dim, heads * v_head_dim]
};

/// From tensors named "wkv_a.weight" and so on; names not present stay empty, others are ignored.
template <class T>
MlaWeights<T> mla_weights(std::map<std::string, Tensor<T>> named) {
  const auto take = [&named](const char* name) {
    const auto found = named.find(std::string{name} + ".weight");
    return found == named.end() ? Tensor<T>{} : std::move(found->second);
  };
  return {.wq = take("wq"),
          .wq_a = take("wq_a"),
          .q_norm = take("q_norm"),
          .wq_b = take("wq_b"),
          .wkv_a = take("wkv_a"),
          .kv_norm = take("kv_norm"),
          .wkv_b = take("wkv_b"),
          .wo = take("wo")};
}

/// What new tokens contribute before any attention.
template <class T>
struct MlaProjection {
  Tensor<T> q_latent;       // [tokens, q_lora_rank], normed; empty without q_lora_rank
  Tensor<T> q_before_rope;  // [tokens, heads, qk_nope_head_dim + qk_rope_head_dim]
  Tensor<T> q;              // the same with the rope part rotated
  Tensor<T> latent;         // [tokens, kv_lora_rank], normed
  Tensor<T> k_pe;           // [tokens, qk_rope_head_dim], rotated, shared by all heads
};

/// Columns [first, first + count) of every row.
template <class T>
Tensor<T> columns(const Tensor<T>& x, std::int64_t first, std::int64_t count) {
  Shape shape = x.shape;
  shape.back() = count;
  Tensor<T> out{shape};
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const auto part =
        x.row(r).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    std::ranges::copy(part, out.row(r).begin());
  }
  return out;
}

/// Queries of x [tokens, dim]: {normed query latent, heads before rope}.
template <class T>
std::pair<Tensor<T>, Tensor<T>> mla_queries(const MlaSpec& spec, const MlaWeights<T>& w,
                                            const Tensor<T>& x) {
  const Shape heads{x.dim(0), spec.heads, spec.qk_head_dim()};
  if (spec.q_lora_rank == 0) return {Tensor<T>{}, linear("q_proj", x, w.wq).reshaped(heads)};
  Tensor<T> latent = rms_norm<T>(linear("q_a_proj", x, w.wq_a), w.q_norm, spec.norm_eps);
  Tensor<T> q = linear("q_b_proj", latent, w.wq_b).reshaped(heads);
  return {std::move(latent), std::move(q)};
}

/// x [tokens, dim] of one sequence, tables [tokens, qk_rope_head_dim / 2] of their positions. The
/// norm touches the latent only, never k_pe.
template <class T>
MlaProjection<T> mla_project(const MlaSpec& spec, const MlaWeights<T>& w, const Tensor<T>& x,
                             const RopeTables<T>& tables) {
  const std::int64_t tokens = x.dim(0);
  MlaProjection<T> p;
  std::tie(p.q_latent, p.q_before_rope) = mla_queries(spec, w, x);
  p.q = apply_rope(p.q_before_rope, tables, spec.rope, spec.qk_nope_head_dim);
  const Tensor<T> kv = linear("kv_a_proj_with_mqa", x, w.wkv_a);
  p.latent = rms_norm<T>(columns(kv, 0, spec.kv_lora_rank), w.kv_norm, spec.norm_eps);
  const Tensor<T> k_pe = columns(kv, spec.kv_lora_rank, spec.qk_rope_head_dim)
                             .reshaped({tokens, 1, spec.qk_rope_head_dim});
  p.k_pe = apply_rope(k_pe, tables, spec.rope).reshaped({tokens, spec.qk_rope_head_dim});
  return p;
}

}  // namespace fathom::kernels::ref
