#pragma once

#include <string_view>

namespace fathom::forms {

/// Shape of a whole attention block of one layer on one GPU.
struct BlockShape {
  double batch = 0.0;
  double new_tokens = 0.0;   // per sequence
  double past_tokens = 0.0;  // cached per sequence before this call
  double heads = 0.0;        // on this GPU
  double hidden = 0.0;
  double q_lora_rank = 0.0;
  double index_topk = 0.0;  // entries the indexer keeps
  double eager = 0.0;       // 1: outside the captured batch sizes
  double tokens() const { return batch * new_tokens; }
  double context() const { return past_tokens + new_tokens; }
};

/// What the block computes and moves, and the regimes that change its kernels.
struct BlockWork {
  double weights = 0.0;           // elements of all projections
  double activation_bytes = 0.0;  // per token, between the kernels
  double core_flops = 0.0;
  double core_bytes = 0.0;
  double full_flops = 0.0;  // ... by kernels that walk every top-k slot, filled or not
  double full_bytes = 0.0;
  double chain_tokens = 0.0;   // keys that one thread block walks in a row
  double merged = 0.0;         // 1 - 1/pieces of a context that is cut for parallelism
  double partial_bytes = 0.0;  // of the pieces, written and read
  double index_flops = 0.0;
  double index_pairs = 0.0;  // (query, key) pairs that are scored
  double gathered_keys = 0.0;
  double selects = 0.0;       // 1: a slow path of the top-k selection
  double long_context = 0.0;  // 1: logits in pieces
};

BlockWork mla_prefill_work(const BlockShape& x);
BlockWork mla_decode_work(const BlockShape& x, double latent_bytes, double sm_count);
/// DeepSeek sparse attention; `dense`: the multi-head path for short contexts.
BlockWork dsa_work(const BlockShape& x, double latent_bytes, bool dense);
/// DeepSeek-V4: entries of 4 tokens, selected by an indexer (CSA), or of 128, all read (HCA); and a
/// window.
BlockWork csa_work(const BlockShape& x);
BlockWork hca_work(const BlockShape& x);

}  // namespace fathom::forms
