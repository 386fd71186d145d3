#pragma once

#include <utility>
#include <vector>

#include "kernels/ref/attention.hpp"
#include "kernels/ref/mla.hpp"

namespace fathom::kernels::ref {

/// Appends the tokens' rows [latent | k_pe] to the cache of their sequence.
template <class T, class Cache>
void append_latents(const MlaProjection<T>& p, Cache& cache) {
  for (std::int64_t s = 0; s < p.latent.dim(0); ++s) {
    std::vector<T> row(p.latent.row(s).begin(), p.latent.row(s).end());
    row.insert(row.end(), p.k_pe.row(s).begin(), p.k_pe.row(s).end());
    cache.append(row);
  }
}

/// Keys and values per head, as the naive form caches them.
template <class T>
struct ExpandedKv {
  Tensor<T> keys;    // [positions, heads, qk_nope_head_dim + qk_rope_head_dim]
  Tensor<T> values;  // [positions, heads, v_head_dim]
};

/// Per head k = [W_k latent | k_pe], v = W_v latent, for every cached row.
template <class T, class Cache>
ExpandedKv<T> mla_expand(const MlaSpec& spec, const MlaWeights<T>& w, const Cache& cache) {
  const OpScope scope{"kv_b_proj"};
  const std::int64_t positions = cache.length();
  const auto nope = static_cast<std::size_t>(spec.qk_nope_head_dim);
  const auto rank = static_cast<std::size_t>(spec.kv_lora_rank);
  ExpandedKv<T> kv{.keys = Tensor<T>{{positions, spec.heads, spec.qk_head_dim()}},
                   .values = Tensor<T>{{positions, spec.heads, spec.v_head_dim}}};
  for (std::int64_t t = 0; t < positions; ++t) {
    const std::span<const T> row = cache.row(t);
    for (std::int64_t h = 0; h < spec.heads; ++h) {
      const auto key = kv.keys.row(t * spec.heads + h);
      const auto value = kv.values.row(t * spec.heads + h);
      const std::int64_t first = h * (spec.qk_nope_head_dim + spec.v_head_dim);
      for (std::size_t d = 0; d < nope + value.size(); ++d) {
        const auto weight = w.wkv_b.row(first + static_cast<std::int64_t>(d));
        (d < nope ? key[d] : value[d - nope]) = dot<T>(row.first(rank), weight);
      }
      std::ranges::copy(row.subspan(rank), key.subspan(nope).begin());
    }
  }
  return kv;
}

/// W_k moved to the query side: q [tokens, heads, nope + rope] -> [tokens, heads, kv_lora_rank +
/// rope], whose product with a cached row [latent | k_pe] is the score.
template <class T>
Tensor<T> mla_absorb_queries(const MlaSpec& spec, const MlaWeights<T>& w, const Tensor<T>& q) {
  const OpScope scope{"absorb_uk"};
  Tensor<T> out{{q.dim(0), spec.heads, spec.latent_row()}};
  const auto nope = static_cast<std::size_t>(spec.qk_nope_head_dim);
  for (std::int64_t r = 0; r < q.rows(); ++r) {
    const std::int64_t first = r % spec.heads * (spec.qk_nope_head_dim + spec.v_head_dim);
    std::vector<Sum<T>> sum(static_cast<std::size_t>(spec.kv_lora_rank), Sum<T>{0});
    for (std::size_t d = 0; d < nope; ++d) {
      const auto weight = w.wkv_b.row(first + static_cast<std::int64_t>(d));
      for (std::size_t c = 0; c < sum.size(); ++c) multiply_add<T>(sum[c], q.row(r)[d], weight[c]);
    }
    for (std::size_t c = 0; c < sum.size(); ++c) out.row(r)[c] = static_cast<T>(sum[c]);
    std::ranges::copy(q.row(r).subspan(nope), out.row(r).subspan(sum.size()).begin());
  }
  return out;
}

/// W_v after the weighted sum: [tokens, heads, kv_lora_rank] -> [tokens, heads, v_head_dim].
template <class T>
Tensor<T> mla_absorbed_values(const MlaSpec& spec, const MlaWeights<T>& w, const Tensor<T>& o) {
  const OpScope scope{"absorb_uv"};
  Tensor<T> out{{o.dim(0), spec.heads, spec.v_head_dim}};
  for (std::int64_t r = 0; r < o.rows(); ++r) {
    const std::int64_t first =
        r % spec.heads * (spec.qk_nope_head_dim + spec.v_head_dim) + spec.qk_nope_head_dim;
    for (std::int64_t d = 0; d < spec.v_head_dim; ++d) {
      out[r * spec.v_head_dim + d] = dot<T>(o.row(r), w.wkv_b.row(first + d));
    }
  }
  return out;
}

enum class MlaForm {
  naive,     // keys and values expanded per head: compute-bound prefill
  absorbed,  // every head reads the latent rows themselves: memory-bound decode
};

/// How to attend: the form, and for sparse attention the allowed keys [queries, keys].
struct MlaCall {
  MlaForm form = MlaForm::absorbed;
  const Indices* allowed = nullptr;
};

/// What an MLA layer computed for new tokens. The output of `attention` is over values in the naive
/// form and over latents in the absorbed one.
template <class T>
struct MlaTrace {
  Tensor<T> queries;       // as they met the keys: q, or absorbed [tokens, heads, latent_row]
  ExpandedKv<T> expanded;  // naive form only
  AttentionTrace<T> attention;
  Tensor<T> out;  // [tokens, dim]
};

/// Attention of the projected tokens, whose rows are the newest of `cache`.
template <class T, class Cache>
MlaTrace<T> mla_attend(const MlaSpec& spec, const MlaWeights<T>& w, const MlaProjection<T>& p,
                       const Cache& cache, const MlaCall& call) {
  const std::int64_t tokens = p.q.dim(0);
  const bool naive = call.form == MlaForm::naive;
  const AttentionSpec core{
      .heads = spec.heads,
      .kv_heads = naive ? spec.heads : 1,
      .v_head_dim = naive ? spec.v_head_dim : spec.kv_lora_rank,
      .softmax_scale = spec.softmax_scale,
      .visible = {
          .keys = cache.length(), .prefix = cache.length() - tokens, .allowed = call.allowed}};
  const Shape flat{tokens, spec.heads * spec.v_head_dim};
  MlaTrace<T> trace;
  if (naive) {
    trace.queries = p.q;
    trace.expanded = mla_expand(spec, w, cache);
    trace.attention = attention<T>(core, trace.queries, head_rows(trace.expanded.keys),
                                   head_rows(trace.expanded.values));
    trace.out = linear("o_proj", trace.attention.out.reshaped(flat), w.wo);
  } else {
    trace.queries = mla_absorb_queries(spec, w, p.q);
    trace.attention = attention<T>(core, trace.queries, head_rows(cache, 0, spec.latent_row()),
                                   head_rows(cache, 0, spec.kv_lora_rank));
    trace.out =
        linear("o_proj", mla_absorbed_values(spec, w, trace.attention.out).reshaped(flat), w.wo);
  }
  return trace;
}

/// Appends and attends: prefill, a chunk after a prefix, or decode of one or more tokens.
template <class T, class Cache>
MlaTrace<T> mla_step(const MlaSpec& spec, const MlaWeights<T>& w, const MlaProjection<T>& p,
                     Cache& cache, const MlaCall& call) {
  append_latents(p, cache);
  return mla_attend(spec, w, p, cache, call);
}

}  // namespace fathom::kernels::ref
