#include "model/blocks/block_builder.hpp"

// DeepSeek-V4 attention (V4 report, arXiv 2606.19348): one shared key-value vector per position, a
// window of recent positions, and per layer a compressor: overlapping blocks chosen by an indexer
// (CSA), or dense long blocks (HCA), or nothing.

namespace fathom::model::blocks {
namespace {

constexpr std::int64_t kBlocksPerCsaEntry =
    2;  // CSA pools its own block and the previous one: projections twice as wide

void compress(BlockBuilder& b, const CompressedSpec& s) {
  if (s.compress_ratio == 0) return;
  const std::int64_t d = b.arch.hidden_size;
  const bool csa = s.indexer.index_topk > 0;
  const std::int64_t width = (csa ? kBlocksPerCsaEntry : 1) * s.head_dim;
  b.plain_linear("compressor.wkv", width, d, Shard::replicated, Stage::attention_1);
  b.plain_linear("compressor.wgate", width, d, Shard::replicated, Stage::attention_1);
  // pooling reads values and gates once and writes one entry per block
  b.elementwise("compressor.pool",
                {.kind = ops::ElementwiseKind::misc,
                 .rows = b.rows,
                 .read_bytes = 8.0 * static_cast<double>(width),
                 .kv_write_bytes = layer_kv(AttentionSpec{s}, b.precision().kv).per_token.value},
                Shard::replicated, Stage::attention_1);
}

Bytes index_key_bytes(const CompressedSpec& s, const KvLayout& kv) {
  CompressedSpec without = s;
  without.indexer = {};
  const Bytes per_token =
      layer_kv(AttentionSpec{s}, kv).per_token - layer_kv(AttentionSpec{without}, kv).per_token;
  return per_token * static_cast<double>(s.compress_ratio);
}

void index(BlockBuilder& b, const CompressedSpec& s) {
  const IndexerSpec& x = s.indexer;
  if (x.index_topk == 0) return;
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t width = kBlocksPerCsaEntry * x.index_head_dim;
  const auto ratio = static_cast<double>(s.compress_ratio);
  b.linear("indexer.wq_b", x.index_n_heads * x.index_head_dim, s.q_lora_rank, Shard::replicated,
           Stage::attention_1);
  b.plain_linear("indexer.weights_proj", x.index_n_heads, d, Shard::replicated, Stage::attention_1);
  b.plain_linear("indexer.compressor.wkv", width, d, Shard::replicated, Stage::attention_1);
  b.plain_linear("indexer.compressor.wgate", width, d, Shard::replicated, Stage::attention_1);
  const double pairs = block_pairs(b.step, ratio);
  b.add("indexer.scores",
        ops::Indexer{.heads = x.index_n_heads,
                     .head_dim = x.index_head_dim,
                     .query_tokens = b.rows,
                     .keys = block_rows(b.step, ratio),
                     .pairs = pairs,
                     .key_bytes = index_key_bytes(s, b.precision().kv),
                     .math = index_math(b.precision().kv),
                     .prefill = b.prefill()},
        Shard::replicated, Stage::attention_2);
  b.elementwise("indexer.topk",
                {.kind = ops::ElementwiseKind::misc, .rows = pairs, .read_bytes = 4.0},
                Shard::replicated, Stage::attention_2);
}

Bytes entry_bytes(const CompressedSpec& s, const KvLayout& kv) {
  CompressedSpec entry = s;
  entry.indexer = {};
  entry.compress_ratio = 1;
  return layer_kv(AttentionSpec{entry}, kv).per_token;
}

}  // namespace

void attention(BlockBuilder& b, const CompressedSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t h = s.num_attention_heads;
  const auto q_width = static_cast<double>(h * s.head_dim);
  const auto window = static_cast<double>(s.sliding_window);
  const auto ratio = static_cast<double>(s.compress_ratio);
  const Dtype in = b.precision().linear_input;

  b.cast("cast_x", static_cast<double>(d), in, Shard::replicated, Stage::attention_1);
  b.linear("wq_a", s.q_lora_rank, d, Shard::replicated, Stage::attention_1);
  const auto q_rank = static_cast<double>(s.q_lora_rank);
  b.norm("q_norm", q_rank, Shard::replicated, Stage::attention_1, q_rank);
  b.linear("wq_b", h * s.head_dim, s.q_lora_rank, Shard::heads, Stage::attention_1);
  b.norm("q_head_norm_rope", q_width, Shard::heads, Stage::attention_1, 0.0);
  b.linear("wkv", s.head_dim, d, Shard::replicated, Stage::attention_1);
  b.elementwise("kv_norm_rope_write",
                {.kind = ops::ElementwiseKind::norm,
                 .rows = b.rows,
                 .read_bytes = 2.0 * static_cast<double>(s.head_dim),
                 .kv_write_bytes = entry_bytes(s, b.precision().kv).value,
                 .weight_bytes = 2.0 * static_cast<double>(s.head_dim),
                 .kernels = 2},
                Shard::replicated, Stage::attention_1);
  compress(b, s);
  index(b, s);

  const auto topk = static_cast<double>(s.indexer.index_topk);
  const bool csa = s.indexer.index_topk > 0;
  const double far = s.compress_ratio > 0 ? block_pairs(b.step, ratio, topk) : 0.0;
  const double far_rows = csa ? far : (s.compress_ratio > 0 ? block_rows(b.step, ratio) : 0.0);
  b.add("attention_core",
        ops::LatentAttention{.heads = h,
                             .qk_dim = s.head_dim,
                             .v_dim = s.head_dim,
                             .query_tokens = b.rows,
                             .kv_tokens = far_rows + kv_rows(b.step, window),
                             .pairs = far + visible_pairs(b.step, window),
                             .sequences = b.seqs,
                             .row_bytes = entry_bytes(s, b.precision().kv),
                             .sparse = csa,
                             .prefill = b.prefill()},
        Shard::heads, Stage::attention_2);
  b.elementwise("rope_o",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 2.0 * static_cast<double>(h * s.qk_rope_head_dim),
                 .write_bytes = 2.0 * static_cast<double>(h * s.qk_rope_head_dim)},
                Shard::heads, Stage::attention_2);
  // grouped low-rank output: o_groups independent [h·head_dim / G -> o_lora_rank], then one
  // projection back
  b.cast("cast_o", q_width, in, Shard::heads, Stage::attention_2);
  b.add("wo_a",
        ops::Gemm{.m = b.rows,
                  .n = s.o_lora_rank,
                  .k = h * s.head_dim / s.o_groups,
                  .batch = s.o_groups,
                  .weight = b.precision().linear,
                  .input = in},
        Shard::heads, Stage::attention_2);
  b.linear("wo_b", d, s.o_groups * s.o_lora_rank, Shard::rows, Stage::attention_2);
}

}  // namespace fathom::model::blocks
