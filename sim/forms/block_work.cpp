#include "forms/block_work.hpp"

#include <algorithm>

#include "forms/blend.hpp"

namespace fathom::forms {
namespace {

// Multi-head latent attention: DeepSeek-V3 config.json (also V2, Kimi-K2).
constexpr double kNope = 128.0;    // d_h
constexpr double kRope = 64.0;     // d_h^R
constexpr double kValue = 128.0;   // v_head_dim
constexpr double kLatent = 512.0;  // d_c
constexpr double kRow = kLatent + kRope;
constexpr double kNaive = 2.0 * (kNope + kRope + kValue);  // FLOP per pair and head
constexpr double kAbsorbed = 2.0 * (kRow + kLatent);
// Lightning indexer: 64 heads of 128 with one shared key (DeepSeek-V3.2, V4).
constexpr double kIndexHeads = 64.0;
constexpr double kIndexDim = 128.0;
constexpr double kDsaTopk = 2048.0;
// DeepSeek-V4: heads of 512, output projection in groups of 8 heads and rank 1024, a window of 128.
constexpr double kV4Head = 512.0;
constexpr double kV4GroupHeads = 8.0;
constexpr double kV4OutRank = 1024.0;
constexpr double kV4Window = 128.0;
constexpr double kV4EntryBytes = 584.0;  // 448 FP8 + 64 BF16 + scales
// Sparse kernels compute at least this many heads.
constexpr double kMinSparseHeads = 64.0;
// SGLang scores longer contexts in pieces.
constexpr double kLongContext = 65536.0;

// Pairs of a sequence whose queries see at most `limit` keys each: a ramp, then a plateau.
double limited_pairs(const BlockShape& x, double limit) {
  const double ramp = std::min(x.new_tokens, std::max(0.0, limit - x.past_tokens));
  return ramp * x.past_tokens + 0.5 * ramp * (ramp + 1.0) + (x.new_tokens - ramp) * limit;
}

double causal_pairs(const BlockShape& x) {
  return x.new_tokens * x.past_tokens + 0.5 * x.new_tokens * (x.new_tokens + 1.0);
}

double mla_weights(const BlockShape& x) {
  return x.hidden * (x.q_lora_rank + kRow) + x.q_lora_rank * x.heads * (kNope + kRope) +
         x.heads * kValue * x.hidden + kLatent * x.heads * (kNope + kValue);
}

// Input and output of the block, both latents, then per head query, value and what absorption or
// decompression adds; written and read, BF16.
double mla_activations(const BlockShape& x, bool absorbed) {
  const double extra = absorbed ? kRow + kLatent : kNope + kValue;
  return 2.0 * (2.0 * (x.hidden + x.q_lora_rank + kRow) +
                x.heads * (2.0 * (kNope + kRope) + 2.0 * kValue + extra));
}

BlockWork mla_work(const BlockShape& x, bool absorbed) {
  return {.weights = mla_weights(x), .activation_bytes = mla_activations(x, absorbed)};
}

void fill_without_padding(BlockWork& work) {
  work.full_flops = work.core_flops;
  work.full_bytes = work.core_bytes;
}

}  // namespace

BlockWork mla_prefill_work(const BlockShape& x) {
  constexpr double kTile = 128.0;
  BlockWork work = mla_work(x, false);
  const double tiles = blocks(x.new_tokens, kTile);
  const double area = 0.5 * tiles * (tiles + 1.0) * kTile * kTile + tiles * kTile * x.past_tokens;
  work.core_flops = kNaive * x.batch * x.heads * area;
  work.core_bytes = x.batch * x.heads * kNaive * (2.0 * x.new_tokens + x.past_tokens);
  work.chain_tokens = tiles * kTile + x.past_tokens;
  fill_without_padding(work);
  return work;
}

BlockWork mla_decode_work(const BlockShape& x, double latent_bytes, double sm_count) {
  BlockWork work = mla_work(x, true);
  const double heads = 16.0 * blocks(x.new_tokens * x.heads, 16.0);
  const double streams = x.batch * blocks(heads, 64.0);
  work.core_flops = kAbsorbed * x.batch * heads * x.context();
  work.core_bytes = x.batch * x.context() * kRow * latent_bytes;
  // Split-KV as in the decode core: pieces of at least 128 tokens, one place per SM.
  const double split = std::max(1.0, std::min(x.context() / 128.0, sm_count / streams));
  work.merged = 1.0 - 1.0 / split;
  work.partial_bytes = (split - 1.0) * x.tokens() * x.heads * kLatent * 8.0;  // FP32
  fill_without_padding(work);
  return work;
}

BlockWork dsa_work(const BlockShape& x, double latent_bytes, bool dense) {
  BlockWork work = mla_work(x, true);
  const double pairs = x.batch * causal_pairs(x);
  work.weights += x.hidden * (kIndexDim + kIndexHeads) + x.q_lora_rank * kIndexHeads * kIndexDim;
  work.chain_tokens = std::min(kDsaTopk, x.context());
  work.long_context = x.new_tokens > 1.0 && x.past_tokens > kLongContext ? 1.0 : 0.0;
  if (dense) {
    work.core_flops = kNaive * x.heads * pairs;
    work.core_bytes = x.batch * x.context() * (2.0 * kRow + x.heads * kNaive);
    fill_without_padding(work);
    return work;
  }
  const double heads = std::max(kMinSparseHeads, x.heads);
  // 512 FP8 + 4 FP32 scales + 64 BF16 per token, or all BF16.
  const double row_bytes = latent_bytes < 2.0 ? 656.0 : 2.0 * kRow;
  const double chosen = x.batch * limited_pairs(x, kDsaTopk);
  const double slots = x.tokens() * kDsaTopk;
  work.core_flops = kAbsorbed * heads * chosen;
  work.core_bytes = chosen * row_bytes;
  work.full_flops = kAbsorbed * heads * slots;
  work.full_bytes = slots * row_bytes;
  work.index_flops = 2.0 * kIndexHeads * kIndexDim * pairs;
  work.index_pairs = pairs;
  work.gathered_keys = x.new_tokens > 1.0 ? x.batch * x.context() : 0.0;
  work.selects = x.context() > kDsaTopk ? 1.0 : 0.0;
  return work;
}

namespace {

// compressors: 1 per kind of cached entry.
BlockWork v4_work(const BlockShape& x, double compressors, double entry_pairs) {
  const double d = x.hidden;
  const double h = x.heads;
  const double pairs = entry_pairs + x.batch * limited_pairs(x, kV4Window);
  BlockWork work;
  work.weights = d * x.q_lora_rank + x.q_lora_rank * h * kV4Head + d * kV4Head +
                 h * kV4Head * kV4OutRank + h / kV4GroupHeads * kV4OutRank * d +
                 2.0 * d * kV4Head * compressors;
  work.activation_bytes = 2.0 * (2.0 * (d + x.q_lora_rank + kV4Head) + 4.0 * h * kV4Head);
  work.core_flops = 4.0 * std::max(kMinSparseHeads, h) * kV4Head * pairs;
  work.core_bytes = pairs * kV4EntryBytes;
  work.chain_tokens = pairs / x.tokens();
  work.long_context = x.new_tokens > 1.0 && x.past_tokens > kLongContext ? 1.0 : 0.0;
  fill_without_padding(work);
  return work;
}

}  // namespace

BlockWork csa_work(const BlockShape& x) {
  constexpr double kTokensPerEntry = 4.0;
  // SGLang's top-k is slow while there is something to select and the context is short enough for
  // one pass: +60 to 80 us at 65536 tokens, nothing at 131072.
  constexpr double kOnePass = 100000.0;
  const double scored = x.batch * causal_pairs(x) / kTokensPerEntry;
  // A query picks among entries of finished tokens; the ramp ends when top-k of them exist.
  const double window = x.index_topk * kTokensPerEntry;
  const double ramp = std::min(x.new_tokens, std::max(0.0, window - x.past_tokens));
  const double chosen =
      x.batch * ((ramp * x.past_tokens + 0.5 * ramp * (ramp + 1.0)) / kTokensPerEntry +
                 (x.new_tokens - ramp) * x.index_topk);
  BlockWork work = v4_work(x, 2.0, chosen);
  work.weights += 2.0 * x.hidden * 2.0 * kIndexDim + x.q_lora_rank * kIndexHeads * kIndexDim +
                  x.hidden * kIndexHeads;
  work.index_flops = 2.0 * kIndexHeads * kIndexDim * scored;
  work.index_pairs = scored;
  work.gathered_keys = x.new_tokens > 1.0 ? x.batch * x.context() / kTokensPerEntry : 0.0;
  work.selects = x.context() > window && x.past_tokens < kOnePass ? 1.0 : 0.0;
  return work;
}

BlockWork hca_work(const BlockShape& x) {
  constexpr double kTokensPerEntry = 128.0;
  return v4_work(x, 1.0, x.batch * causal_pairs(x) / kTokensPerEntry);
}

}  // namespace fathom::forms
