#pragma once

#include <cstdint>

#include "kernels/ref/v4_core.hpp"

namespace fathom::kernels::ref {

// Attention of DeepSeek-V4 (V4 report, arXiv 2606.19348; inference/model.py, Attention.forward):
// one vector per position is key and value of all heads; a query reads the latest window_size of
// them and compressed entries of what lies before.

/// What one call computed besides its output.
template <class T>
struct V4AttentionResult {
  Tensor<T> out;             // [tokens, dim]
  Tensor<T> kv;              // [tokens, head_dim]: entries of the new tokens
  Indices rows;              // [tokens, ...]: entries read, numbered as in V4Rows; -1: none
  V4Selection<T> selection;  // of CSA layers
};

/// q_latent [tokens, q_lora_rank] -> [tokens, n_heads, head_dim]: every head divided by its root
/// mean square, its last elements rotated.
template <class T>
Tensor<T> v4_queries(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                     const V4Step<T>& step) {
  Tensor<T> q =
      linear("wq_b", step.q_latent, w.wq_b).reshaped({step.x.dim(0), spec.n_heads, spec.head_dim});
  const OpScope scope{"q_head_norm_rope"};
  q = rms_norm(std::move(q), spec.norm_eps);
  rotate_tail(q, step.tables, RopeLayout::interleaved);
  return q;
}

/// Entries of the new tokens themselves, [tokens, head_dim].
template <class T>
Tensor<T> v4_entries(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                     const V4Step<T>& step) {
  Tensor<T> kv = linear("wkv", step.x, w.wkv);
  const OpScope scope{"kv_norm_rope_write"};
  finish_entries(spec, w.kv_norm, step.tables, kv);
  return kv;
}

/// Compresses the new tokens and appends the entries of the blocks they complete.
template <class T>
void v4_compress(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w, const V4Step<T>& step,
                 V4LayerCache<T>& cache) {
  const CompressorWeights<T>& c = w.compressor;
  const CompressorInput<T> in{.kv = linear("compressor.wkv", step.x, c.wkv),
                              .score = linear("compressor.wgate", step.x, c.wgate)};
  Tensor<T> entries = compress(c, in, step.start_pos, cache.compressor);
  const std::int64_t end_pos = step.start_pos + step.x.dim(0);
  finish_entries(spec, c.norm_weight, block_tables<T>(spec, c.ratio(), step.start_pos, end_pos),
                 entries);
  append_rows(cache.compressed, entries);
}

/// Grouped low-rank projection of o [tokens, n_heads, head_dim] -> [tokens, dim]: each group of
/// heads has its own rows of wo_a, wo_b mixes what they say.
template <class T>
Tensor<T> v4_output(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                    const Tensor<T>& o) {
  const std::int64_t tokens = o.dim(0);
  const std::int64_t rank = w.wo_a.dim(0) / spec.o_groups;  // o_lora_rank
  const Tensor<T> groups = o.reshaped({tokens * spec.o_groups, w.wo_a.dim(1)});
  Tensor<T> low{Shape{tokens, spec.o_groups * rank}};
  {
    const OpScope scope{"wo_a"};
    for (std::int64_t i = 0; i < low.size(); ++i) {
      const std::int64_t group_row = i / rank;  // token * o_groups + group
      const std::int64_t weight_row = i % low.dim(1);
      low[i] = dot<T>(groups.row(group_row), w.wo_a.row(weight_row));
    }
  }
  return linear("wo_b", low, w.wo_b);
}

/// The latest entries of a prompt kv [tokens, head_dim] enter the ring.
template <class T>
void fill_ring(const Tensor<T>& kv, Tensor<T>& window) {
  const std::int64_t size = window.dim(0);
  for (std::int64_t p = std::max<std::int64_t>(kv.dim(0) - size, 0); p < kv.dim(0); ++p) {
    std::ranges::copy(kv.row(p), window.row(p % size).begin());
  }
}

/// Reads of the new tokens: rows of the window, then compressed ones.
template <class T>
void v4_choose_rows(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                    const V4Step<T>& step, V4LayerCache<T>& cache, V4AttentionResult<T>& result) {
  const std::int64_t tokens = step.x.dim(0);
  const bool prompt = step.start_pos == 0;
  const Indices near = prompt ? prompt_window(tokens, spec.window_size)
                              : ring_window(step.start_pos, spec.window_size);
  Indices blocks{Shape{tokens, 0}};
  if (w.selects()) {
    result.selection = v4_index(spec, w.indexer, step, cache);
    blocks = result.selection.blocks;
  } else if (w.compresses()) {
    blocks = all_blocks(step.start_pos, tokens, w.compress_ratio());
  }
  result.rows = joined_rows(near, blocks, prompt ? tokens : spec.window_size);
}

/// A prompt (start_pos 0, any number of tokens; the cache starts anew) or one more token: x
/// [tokens, dim].
template <class T>
V4AttentionResult<T> v4_attention_step(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                                       const Tensor<T>& x, std::int64_t start_pos,
                                       V4LayerCache<T>& cache) {
  FATHOM_EXPECT(start_pos == 0 || x.dim(0) == 1, "one token at a time after the prompt");
  expect_shapes(spec, w);
  if (start_pos == 0) cache = empty_cache(spec, w);
  const Tensor<T> q_latent = rms_norm(linear("wq_a", x, w.wq_a), w.q_norm, spec.norm_eps);
  const auto tables = rope_tables<T>(inv_freq<T>(spec.rope), start_pos, x.dim(0));
  const V4Step<T> step{x, q_latent, tables, start_pos};
  const Tensor<T> q = v4_queries(spec, w, step);
  V4AttentionResult<T> result;
  result.kv = v4_entries(spec, w, step);
  v4_choose_rows(spec, w, step, cache, result);
  if (w.compresses()) v4_compress(spec, w, step, cache);
  if (start_pos == 0) {
    fill_ring(result.kv, cache.window);
  } else {
    std::ranges::copy(result.kv.row(0), cache.window.row(start_pos % spec.window_size).begin());
  }
  const V4Rows<T> rows{start_pos == 0 ? result.kv : cache.window, cache.compressed};
  Tensor<T> o = v4_attention_core(spec, q, rows, result.rows, w.attn_sink);
  {
    const OpScope scope{"rope_o"};
    rotate_tail(o, tables, RopeLayout::inverse_interleaved);
  }
  result.out = v4_output(spec, w, o);
  return result;
}

/// Attention of the tokens x [tokens, dim] from position `start_pos` on -> [tokens, dim]. After the
/// prompt several tokens go one by one, because each overwrites the oldest row of the ring.
template <class T>
Tensor<T> v4_attention(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w,
                       const Tensor<T>& x, std::int64_t start_pos, V4LayerCache<T>& cache) {
  if (start_pos == 0) return v4_attention_step(spec, w, x, 0, cache).out;
  Tensor<T> out{x.shape};
  for (std::int64_t t = 0; t < x.dim(0); ++t) {
    const auto row = x.row(t);
    const Tensor<T> token{Shape{1, x.dim(1)}, {row.begin(), row.end()}};
    const auto result = v4_attention_step(spec, w, token, start_pos + t, cache);
    std::ranges::copy(result.out.data, out.row(t).begin());
  }
  return out;
}

}  // namespace fathom::kernels::ref
