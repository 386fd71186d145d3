#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/ref/attention.hpp"
#include "kernels/ref/trace.hpp"
#include "kernels/ref/v4_indexer.hpp"

namespace fathom::kernels::ref {

/// The entries a query may read, numbered as one list: `near` from 0 on, then `far`.
template <class T>
struct V4Rows {
  const Tensor<T>& near;  // a prompt's own entries, or the window's ring
  const Tensor<T>& far;   // compressed entries

  std::int64_t count() const { return near.dim(0) + far.dim(0); }
  std::span<const T> row(std::int64_t i) const {
    return i < near.dim(0) ? near.row(i) : far.row(i - near.dim(0));
  }
};

/// Rows of a prompt that each of its tokens sees within the window, ascending; -1: none. Shape
/// [tokens, min(window, tokens)].
inline Indices prompt_window(std::int64_t tokens, std::int64_t window) {
  const std::int64_t width = std::min(tokens, window);
  Indices rows{Shape{tokens, width}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t first = std::max<std::int64_t>(t - window + 1, 0);
    for (std::int64_t i = 0; i < width; ++i) {
      rows[t * width + i] = first + i <= t ? first + i : -1;
    }
  }
  return rows;
}

/// Rows of the ring that the token at `position` sees, oldest first; -1: not filled yet. [1,
/// window]
inline Indices ring_window(std::int64_t position, std::int64_t window) {
  Indices rows{Shape{1, window}};
  const std::int64_t oldest = std::max<std::int64_t>(position - window + 1, 0);
  for (std::int64_t i = 0; i < window; ++i) {
    rows[i] = oldest + i <= position ? (oldest + i) % window : -1;
  }
  return rows;
}

/// Every complete block for each token, -1 where it is not complete yet: [tokens, blocks].
inline Indices all_blocks(std::int64_t start_pos, std::int64_t tokens, std::int64_t ratio) {
  const std::int64_t blocks = (start_pos + tokens) / ratio;
  Indices out{Shape{tokens, blocks}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      out[t * blocks + b] = b < visible_blocks(start_pos + t, ratio) ? b : -1;
    }
  }
  return out;
}

/// [near rows | blocks shifted behind the near ones] of each token; -1 stays.
inline Indices joined_rows(const Indices& near, const Indices& blocks, std::int64_t near_count) {
  const std::int64_t tokens = near.dim(0);
  const std::int64_t width = near.dim(1) + blocks.dim(1);
  Indices out{Shape{tokens, width}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto row = out.row(t);
    const auto tail = std::ranges::copy(near.row(t), row.begin()).out;
    std::ranges::transform(blocks.row(t), tail,
                           [&](std::int64_t b) { return b < 0 ? b : b + near_count; });
  }
  return out;
}

/// Attention of all heads over the listed rows, each of them key and value at once: q [tokens,
/// n_heads, head_dim], seen [tokens, ...] -> like q. The sink takes part in the denominator only.
template <class T>
Tensor<T> v4_attention_core(const V4AttentionSpec& spec, const Tensor<T>& q, const V4Rows<T>& rows,
                            const Indices& seen, const Tensor<T>& attn_sink) {
  Indices allowed{Shape{q.dim(0), rows.count()}};
  for (std::int64_t t = 0; t < q.dim(0); ++t) {
    for (const std::int64_t row : seen.row(t)) {
      if (row >= 0) allowed[t * rows.count() + row] = 1;
    }
  }
  const AttentionSpec attention_spec{
      .heads = spec.n_heads,
      .kv_heads = 1,
      .v_head_dim = spec.head_dim,
      .softmax_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_dim)),
      .visible = {.keys = rows.count(), .causal = false, .allowed = &allowed}};
  const auto entry = [&rows](std::int64_t i, std::int64_t) { return rows.row(i); };
  return attention(attention_spec, q, entry, entry, attn_sink).out;
}

}  // namespace fathom::kernels::ref
