#include "model/tensor_list.hpp"

namespace fathom::model {
namespace {

// Overlapping blocks (CSA) pool twice as many positions with two halves of a double width.
void add_compressor(TensorList& list, const CompressedSpec& spec) {
  list.part = Part::compressor;
  const std::int64_t width = (spec.indexer.index_topk > 0 ? 2 : 1) * spec.head_dim;
  list.push("compressor.ape", Dtype::fp32, spec.compress_ratio, width, Shard::replicated);
  list.tensors.back().matmul = false;
  list.other("compressor.wkv", width, list.hidden(), Shard::replicated);
  list.other("compressor.wgate", width, list.hidden(), Shard::replicated);
  list.vector("compressor.norm", spec.head_dim);
}

void add_csa_indexer(TensorList& list, const CompressedSpec& spec) {
  const IndexerSpec& indexer = spec.indexer;
  list.part = Part::indexer;
  const std::int64_t width = 2 * indexer.index_head_dim;
  list.linear("indexer.wq_b", indexer.index_n_heads * indexer.index_head_dim, spec.q_lora_rank,
              Shard::replicated);
  list.other("indexer.weights_proj", indexer.index_n_heads, list.hidden(), Shard::replicated);
  list.push("indexer.compressor.ape", Dtype::fp32, spec.compress_ratio, width, Shard::replicated);
  list.tensors.back().matmul = false;
  list.other("indexer.compressor.wkv", width, list.hidden(), Shard::replicated);
  list.other("indexer.compressor.wgate", width, list.hidden(), Shard::replicated);
  list.vector("indexer.compressor.norm", indexer.index_head_dim);
}

// The sigmoid-weighted sum that turns hc_mult streams into one before a head.
void add_hc_head(TensorList& list) {
  const std::int64_t streams = list.arch.hc_mult;
  list.push("hc_head_fn", Dtype::fp32, streams, streams * list.hidden(), Shard::replicated);
  // Four products of a vector with itself, once per token: elementwise by size.
  list.tensors.back().matmul = false;
  list.vector_of("hc_head_base", Dtype::fp32, streams);
  list.vector_of("hc_head_scale", Dtype::fp32, 1);
}

}  // namespace

void add_compressed(TensorList& list, const CompressedSpec& spec) {
  const std::int64_t heads_width = spec.num_attention_heads * spec.head_dim;
  const std::int64_t low_rank = spec.o_groups * spec.o_lora_rank;
  list.linear("wq_a", spec.q_lora_rank, list.hidden(), Shard::replicated);
  list.vector("q_norm", spec.q_lora_rank);
  list.linear("wq_b", heads_width, spec.q_lora_rank, Shard::heads);
  list.linear("wkv", spec.head_dim, list.hidden(), Shard::replicated);
  list.vector("kv_norm", spec.head_dim);
  list.vector_of("attn_sink", Dtype::fp32, spec.num_attention_heads, Shard::heads);
  // Grouped: each group of heads has its own o_lora_rank rows.
  list.linear("wo_a", low_rank, heads_width / spec.o_groups, Shard::heads);
  list.linear("wo_b", list.hidden(), low_rank, Shard::rows);
  if (spec.compress_ratio == 0) return;
  add_compressor(list, spec);
  if (spec.indexer.index_topk > 0) add_csa_indexer(list, spec);
}

void add_mhc(TensorList& list) {
  list.part = Part::mhc;
  const std::int64_t streams = list.arch.hc_mult;
  // Per sublayer: weights of reading, of writing and of mixing the streams, and three scales.
  const std::int64_t mixes = 2 * streams + streams * streams;
  for (const std::string_view name : {"hc_attn_fn", "hc_ffn_fn"}) {
    list.push(name, Dtype::fp32, mixes, streams * list.hidden(), Shard::replicated);
  }
  for (const std::string_view name : {"hc_attn_base", "hc_ffn_base"}) {
    list.vector_of(name, Dtype::fp32, mixes);
  }
  for (const std::string_view name : {"hc_attn_scale", "hc_ffn_scale"}) {
    list.vector_of(name, Dtype::fp32, 3);
  }
}

void add_outer(TensorList& list) {
  const ArchSpec& arch = list.arch;
  list.part = Part::embedding;
  list.table("embed_tokens", arch.vocab_size, arch.hidden_size, Shard::vocab);
  if (arch.learned_positions > 0) {
    list.table("embed_positions", arch.learned_positions, arch.hidden_size, Shard::replicated);
  }
  list.part = Part::final_norm;
  list.vector("norm", arch.hidden_size);
  if (arch.layer_norm_bias) list.vector("norm.bias", arch.hidden_size);
  list.part = Part::lm_head;
  if (!arch.tie_word_embeddings) {
    list.other("lm_head", arch.vocab_size, arch.hidden_size, Shard::vocab);
  }
  list.part = Part::mhc;
  if (arch.hc_mult > 1) add_hc_head(list);
}

std::vector<Tensor> mtp_tensors(const ArchSpec& arch) {
  TensorList list{arch};
  list.part = Part::mtp;
  const std::int64_t d = arch.hidden_size;
  if (arch.mtp_kind == MtpKind::v3) {
    // Embedding and hidden state side by side; kept in the base format in the V3 checkpoint.
    list.other("eh_proj", d, 2 * d, Shard::replicated);
  } else {
    list.linear("e_proj", d, d, Shard::replicated);
    list.linear("h_proj", d, d, Shard::replicated);
    add_hc_head(list);
  }
  list.vector("enorm", d);
  list.vector("hnorm", d);
  list.vector("shared_head.norm", d);
  if (arch.mtp_stores_copies) {
    list.part = Part::mtp_copies;
    list.table("embed_tokens", arch.vocab_size, d, Shard::vocab);
    list.other("shared_head.head", arch.vocab_size, d, Shard::vocab);
  }
  std::vector<Tensor> tensors = layer_tensors(arch, arch.mtp_layer);
  tensors.insert(tensors.begin(), list.tensors.begin(), list.tensors.end());
  return tensors;
}

}  // namespace fathom::model
