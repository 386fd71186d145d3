#include "model/blocks/block_builder.hpp"

// Multi-head latent attention (DeepSeek-V2 report, arXiv 2405.04434, section 2.1), naive and
// absorbed, with DSA (V3.2).

namespace fathom::model::blocks {
namespace {

Bytes latent_row_bytes(const MlaSpec& s, const KvLayout& kv) {
  AttentionSpec dense = s;
  std::get<MlaSpec>(dense).indexer = {};
  return layer_kv(dense, kv).per_token;
}

// Queries, latent and its cache row: the same in both forms.
void project(BlockBuilder& b, const MlaSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t q_width = s.num_attention_heads * (s.qk_nope_head_dim + s.qk_rope_head_dim);
  const Dtype in = b.precision().linear_input;
  b.cast("cast_x", static_cast<double>(d), in, Shard::replicated, Stage::attention_1);
  if (s.q_lora_rank > 0) {
    const auto rank = static_cast<double>(s.q_lora_rank);
    b.linear("q_a_proj", s.q_lora_rank, d, Shard::replicated, Stage::attention_1);
    b.norm("q_a_layernorm", rank, Shard::replicated, Stage::attention_1, rank);
    b.cast("cast_q_a", rank, in, Shard::replicated, Stage::attention_1);
    b.linear("q_b_proj", q_width, s.q_lora_rank, Shard::heads, Stage::attention_1);
  } else {
    b.linear("q_proj", q_width, d, Shard::heads, Stage::attention_1);
  }
  b.linear("kv_a_proj_with_mqa", s.kv_lora_rank + s.qk_rope_head_dim, d, Shard::replicated,
           Stage::attention_1);
  // norm of the latent, RoPE of the shared key, write of the cache row: two launches
  const auto row = static_cast<double>(s.kv_lora_rank + s.qk_rope_head_dim);
  b.elementwise("kv_norm_rope_write",
                {.kind = ops::ElementwiseKind::norm,
                 .rows = b.rows,
                 .read_bytes = 2.0 * row,
                 .write_bytes = 2.0 * row,
                 .kv_write_bytes = latent_row_bytes(s, b.precision().kv).value,
                 .weight_bytes = 2.0 * static_cast<double>(s.kv_lora_rank),
                 .kernels = 2},
                Shard::replicated, Stage::attention_1);
}

void index(BlockBuilder& b, const MlaSpec& s) {
  const IndexerSpec& x = s.indexer;
  if (x.index_topk == 0 || x.shared) return;
  const std::int64_t d = b.arch.hidden_size;
  const std::int64_t q_in = s.q_lora_rank > 0 ? s.q_lora_rank : d;
  const auto width = static_cast<double>(x.index_n_heads * x.index_head_dim);
  const Bytes key = layer_kv(AttentionSpec{s}, b.precision().kv).per_token -
                    latent_row_bytes(s, b.precision().kv);
  b.linear("indexer.wq_b", x.index_n_heads * x.index_head_dim, q_in, Shard::replicated,
           Stage::attention_1);
  b.linear("indexer.wk", x.index_head_dim, d, Shard::replicated, Stage::attention_1);
  b.plain_linear("indexer.weights_proj", x.index_n_heads, d, Shard::replicated, Stage::attention_1);
  b.elementwise("indexer.rope_hadamard_cast",
                {.kind = ops::ElementwiseKind::cast,
                 .rows = b.rows,
                 .read_bytes = 2.0 * width,
                 .write_bytes = width,
                 .kv_write_bytes = key.value,
                 .kernels = 2},
                Shard::replicated, Stage::attention_1);
  const double pairs = visible_pairs(b.step);
  b.add("indexer.scores",
        ops::Indexer{.heads = x.index_n_heads,
                     .head_dim = x.index_head_dim,
                     .query_tokens = b.rows,
                     .keys = kv_rows(b.step),
                     .pairs = pairs,
                     .key_bytes = key,
                     .math = index_math(b.precision().kv),
                     .prefill = b.prefill()},
        Shard::replicated, Stage::attention_2);
  b.elementwise("indexer.topk",
                {.kind = ops::ElementwiseKind::misc, .rows = pairs, .read_bytes = 4.0},
                Shard::replicated, Stage::attention_2);
}

void naive_core(BlockBuilder& b, const MlaSpec& s) {
  const std::int64_t h = s.num_attention_heads;
  const auto heads = static_cast<double>(h);
  const std::int64_t qk = s.qk_nope_head_dim + s.qk_rope_head_dim;
  const double expanded = kv_rows(b.step);  // a cached prefix is expanded again by every chunk
  b.cast("cast_latent", static_cast<double>(s.kv_lora_rank), b.precision().linear_input,
         Shard::replicated, Stage::attention_2, expanded);
  b.linear("kv_b_proj", h * (s.qk_nope_head_dim + s.v_head_dim), s.kv_lora_rank, Shard::heads,
           Stage::attention_2, expanded);
  const double kv_width = heads * static_cast<double>(s.qk_nope_head_dim + s.v_head_dim);
  const double q_width = heads * static_cast<double>(qk);
  b.elementwise("rope_q",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 2.0 * q_width,
                 .write_bytes = 2.0 * q_width},
                Shard::heads, Stage::attention_1);
  b.elementwise("assemble_kv",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = expanded,
                 .read_bytes = 2.0 * kv_width,
                 .write_bytes = 2.0 * q_width},
                Shard::heads, Stage::attention_2);
  b.add("attention_core",
        ops::Attention{.heads = h,
                       .kv_heads = h,
                       .qk_head_dim = qk,
                       .v_head_dim = s.v_head_dim,
                       .query_tokens = b.rows,
                       .kv_tokens = expanded,
                       .pairs = visible_pairs(b.step),
                       .sequences = b.seqs,
                       .naive_mla = true,
                       .prefill = b.prefill()},
        Shard::heads, Stage::attention_2);
}

void absorbed_core(BlockBuilder& b, const MlaSpec& s) {
  const std::int64_t h = s.num_attention_heads;
  const auto heads = static_cast<double>(h);
  const auto topk = static_cast<double>(s.indexer.index_topk);
  const bool sparse = s.indexer.index_topk > 0;
  const Dtype other = b.precision().other;
  b.elementwise("rope_q",
                {.kind = ops::ElementwiseKind::copy,
                 .rows = b.rows,
                 .read_bytes = 2.0 * heads * static_cast<double>(s.qk_rope_head_dim),
                 .write_bytes = 2.0 * heads * static_cast<double>(s.qk_rope_head_dim)},
                Shard::heads, Stage::attention_1);
  b.add("absorb_uk",
        ops::Gemm{.m = b.rows,
                  .n = s.kv_lora_rank,
                  .k = s.qk_nope_head_dim,
                  .batch = h,
                  .weight = other,
                  .input = other},
        Shard::heads, Stage::attention_1);
  const double pairs = visible_pairs(b.step, topk);
  b.add("attention_core",
        ops::LatentAttention{.heads = h,
                             .qk_dim = s.kv_lora_rank + s.qk_rope_head_dim,
                             .v_dim = s.kv_lora_rank,
                             .query_tokens = b.rows,
                             .kv_tokens = sparse ? pairs : kv_rows(b.step),
                             .kv_distinct = kv_rows(b.step),
                             .pairs = pairs,
                             .sequences = b.seqs,
                             .row_bytes = latent_row_bytes(s, b.precision().kv),
                             .sparse = sparse,
                             .prefill = b.prefill()},
        Shard::heads, Stage::attention_2);
  b.add("absorb_uv",
        ops::Gemm{.m = b.rows,
                  .n = s.v_head_dim,
                  .k = s.kv_lora_rank,
                  .batch = h,
                  .weight = other,
                  .input = other},
        Shard::heads, Stage::attention_2);
}

}  // namespace

void attention(BlockBuilder& b, const MlaSpec& s) {
  const MlaForm asked = b.options.mla;
  const MlaForm form = asked == MlaForm::automatic ? cheaper_form(s, b.step) : asked;
  project(b, s);
  // the naive form attends to everything: it needs no selection, but the index keys of new tokens
  // must still be written
  index(b, s);
  if (form == MlaForm::naive) {
    naive_core(b, s);
  } else {
    absorbed_core(b, s);
  }
  const std::int64_t o_width = s.num_attention_heads * s.v_head_dim;
  b.cast("cast_o", static_cast<double>(o_width), b.precision().linear_input, Shard::heads,
         Stage::attention_2);
  b.linear("o_proj", b.arch.hidden_size, o_width, Shard::rows, Stage::attention_2);
}

}  // namespace fathom::model::blocks
