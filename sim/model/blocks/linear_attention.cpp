#include "model/blocks/block_builder.hpp"

// Gated DeltaNet (Qwen3-Next, Qwen3.5) and tensor product attention (arXiv 2501.06425).

namespace fathom::model::blocks {
namespace {

constexpr double kPrefillChunk =
    64.0;  // tokens per chunk of the parallel delta rule; the state passes memory once a chunk

}  // namespace

void attention(BlockBuilder& b, const LinearAttentionSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t k_width = s.linear_num_key_heads * s.linear_key_head_dim;
  const std::int64_t v_width = s.linear_num_value_heads * s.linear_value_head_dim;
  const auto conv = static_cast<double>(2 * k_width + v_width);
  b.cast("cast_x", static_cast<double>(d), b.precision().linear_input, Shard::replicated,
         Stage::attention_1);
  b.linear("in_proj_qkvz", 2 * k_width + 2 * v_width, d, Shard::heads, Stage::attention_1);
  b.linear("in_proj_ba", 2 * s.linear_num_value_heads, d, Shard::heads, Stage::attention_1);
  b.elementwise("conv1d",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 2.0 * conv,
                 .write_bytes = 2.0 * conv},
                Shard::heads, Stage::attention_1);
  const double passes = b.prefill() ? b.rows / kPrefillChunk : b.seqs;
  b.add("delta_rule",
        ops::LinearAttention{.value_heads = s.linear_num_value_heads,
                             .key_heads = s.linear_num_key_heads,
                             .key_dim = s.linear_key_head_dim,
                             .value_dim = s.linear_value_head_dim,
                             .tokens = b.rows,
                             .state_passes = passes},
        Shard::heads, Stage::attention_2);
  b.elementwise("gated_norm",
                {.kind = ops::ElementwiseKind::norm,
                 .rows = b.rows,
                 .read_bytes = 4.0 * static_cast<double>(v_width),
                 .write_bytes = 2.0 * static_cast<double>(v_width)},
                Shard::heads, Stage::attention_2);
  b.cast("cast_o", static_cast<double>(v_width), b.precision().linear_input, Shard::heads,
         Stage::attention_2);
  b.linear("out_proj", d, v_width, Shard::rows, Stage::attention_2);
}

void attention(BlockBuilder& b, const TpaSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t factor =
      s.num_attention_heads + s.head_dim;  // one rank: a over heads, b over dimensions
  const std::int64_t q_width = s.num_attention_heads * s.head_dim;
  const auto cached = static_cast<double>((s.k_rank + s.v_rank) * factor);
  const Bytes row = layer_kv(AttentionSpec{s}, b.precision().kv).per_token;
  b.cast("cast_x", static_cast<double>(d), b.precision().linear_input, Shard::replicated,
         Stage::attention_1);
  b.linear("q_factors", s.q_rank * factor, d, Shard::replicated, Stage::attention_1);
  b.linear("kv_factors", (s.k_rank + s.v_rank) * factor, d, Shard::replicated, Stage::attention_1);
  b.elementwise("rope_write_factors",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 2.0 * cached,
                 .kv_write_bytes = row.value},
                Shard::replicated, Stage::attention_1);
  // score = sum over ranks of a_r[h] (q_h · b_r): queries meet the cached factors, no head is
  // rebuilt in memory. R_k head_dim multiply-adds a head and pair for the scores, R_v head_dim for
  // the sum.
  b.add("attention_core",
        ops::LatentAttention{.heads = s.num_attention_heads,
                             .qk_dim = s.k_rank * s.head_dim,
                             .v_dim = s.v_rank * s.head_dim,
                             .query_tokens = b.rows,
                             .kv_tokens = kv_rows(b.step),
                             .pairs = visible_pairs(b.step),
                             .sequences = b.seqs,
                             .row_bytes = row,
                             .prefill = b.prefill()},
        Shard::heads, Stage::attention_2);
  b.cast("cast_o", static_cast<double>(q_width), b.precision().linear_input, Shard::heads,
         Stage::attention_2);
  b.linear("o_proj", d, q_width, Shard::rows, Stage::attention_2);
}

}  // namespace fathom::model::blocks
