#include "model/blocks/block_builder.hpp"

// MHA, GQA and MQA; sliding windows and chunked-local layers differ only in which pairs exist.

namespace fathom::model::blocks {
namespace {

Dtype cache_dtype(const KvLayout& kv) {
  switch (kv.kv) {
    case KvFormat::bf16:
      return Dtype::bf16;
    case KvFormat::nvfp4:
      return Dtype::nvfp4;
    case KvFormat::fp32:
      return Dtype::fp32;
    default:
      return Dtype::fp8;
  }
}

struct Reach {
  double pairs;
  double rows;
};
Reach reach(const StepShape& step, const GqaSpec& spec) {
  if (spec.attention_chunk_size > 0) {
    const auto chunk = static_cast<double>(spec.attention_chunk_size);
    return {chunked_pairs(step, chunk), kv_rows(step, chunk)};
  }
  const auto window = static_cast<double>(spec.sliding_window);
  return {visible_pairs(step, window), kv_rows(step, window)};
}

}  // namespace

void attention(BlockBuilder& b, const GqaSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t q_width = s.num_attention_heads * s.head_dim;
  const std::int64_t kv_width = s.num_key_value_heads * s.head_dim;
  const auto q = static_cast<double>(q_width);
  const auto kv = static_cast<double>(kv_width);
  const Dtype cache = cache_dtype(b.precision().kv);

  b.cast("cast_x", static_cast<double>(d), b.precision().linear_input, Shard::replicated,
         Stage::attention_1);
  b.linear("q_proj", s.output_gate ? 2 * q_width : q_width, d, Shard::heads, Stage::attention_1);
  b.linear("k_proj", kv_width, d, Shard::kv_heads, Stage::attention_1);
  if (!s.k_eq_v) b.linear("v_proj", kv_width, d, Shard::kv_heads, Stage::attention_1);
  if (s.qk_norm || s.qk_norm_full_width) {
    const auto head = static_cast<double>(s.head_dim);  // one weight for all heads, or one for each
    b.norm("q_norm", q, Shard::heads, Stage::attention_1, s.qk_norm ? head : q);
    b.norm("k_norm", kv, Shard::kv_heads, Stage::attention_1, s.qk_norm ? head : kv);
  }
  if (s.rope) {
    b.elementwise("rope_q",
                  {.kind = ops::ElementwiseKind::copy,
                   .rows = b.rows,
                   .read_bytes = 2.0 * q,
                   .write_bytes = 2.0 * q},
                  Shard::heads, Stage::attention_1);
  }
  b.elementwise("rope_k_write_kv",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 4.0 * kv,
                 .kv_write_bytes = 2.0 * kv * row_size_of(cache).value},
                Shard::kv_heads, Stage::attention_1);

  const Reach seen = reach(b.step, s);
  b.add("attention",
        ops::Attention{.heads = s.num_attention_heads,
                       .kv_heads = s.num_key_value_heads,
                       .qk_head_dim = s.head_dim,
                       .v_head_dim = s.head_dim,
                       .query_tokens = b.rows,
                       .kv_tokens = seen.rows,
                       .pairs = seen.pairs,
                       .sequences = b.seqs,
                       .kv = cache,
                       .prefill = b.prefill()},
        Shard::heads, Stage::attention_2);
  if (s.output_gate) {
    b.elementwise("output_gate",
                  {.kind = ops::ElementwiseKind::activation,
                   .rows = b.rows,
                   .read_bytes = 4.0 * q,
                   .write_bytes = 2.0 * q},
                  Shard::heads, Stage::attention_2);
  }
  b.cast("cast_o", q, b.precision().linear_input, Shard::heads, Stage::attention_2);
  b.linear("o_proj", d, q_width, Shard::rows, Stage::attention_2);
}

}  // namespace fathom::model::blocks
