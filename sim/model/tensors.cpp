#include "model/tensors.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "model/tensor_list.hpp"

namespace fathom::model {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce aggregates

void add_indexer(TensorList& list, const IndexerSpec& indexer, std::int64_t q_lora_rank) {
  if (indexer.index_topk == 0 || indexer.shared) return;
  list.part = Part::indexer;
  const std::int64_t width = indexer.index_n_heads * indexer.index_head_dim;
  list.linear("indexer.wq_b", width, q_lora_rank, Shard::replicated);
  list.linear("indexer.wk", indexer.index_head_dim, list.hidden(), Shard::replicated);
  // A LayerNorm: weight and bias.
  list.vector("indexer.k_norm", indexer.index_head_dim, Shard::replicated, 2);
  list.other("indexer.weights_proj", indexer.index_n_heads, list.hidden(), Shard::replicated);
}

void add(TensorList& list, const MlaSpec& mla) {
  const std::int64_t heads = mla.num_attention_heads;
  const std::int64_t query_width = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim);
  const std::int64_t c = mla.kv_lora_rank;
  if (mla.q_lora_rank > 0) {
    list.linear("q_a_proj", mla.q_lora_rank, list.hidden(), Shard::replicated);
    list.vector("q_a_layernorm", mla.q_lora_rank);
    list.linear("q_b_proj", query_width, mla.q_lora_rank, Shard::heads);
  } else {
    list.linear("q_proj", query_width, list.hidden(), Shard::heads);
  }
  list.linear("kv_a_proj_with_mqa", c + mla.qk_rope_head_dim, list.hidden(), Shard::replicated);
  list.vector("kv_a_layernorm", c);
  list.linear("kv_b_proj", heads * (mla.qk_nope_head_dim + mla.v_head_dim), c, Shard::heads);
  list.linear("o_proj", list.hidden(), heads * mla.v_head_dim, Shard::rows);
  add_indexer(list, mla.indexer, mla.q_lora_rank);
}

void add(TensorList& list, const GqaSpec& gqa) {
  const std::int64_t q = gqa.num_attention_heads * gqa.head_dim;
  const std::int64_t kv = gqa.num_key_value_heads * gqa.head_dim;
  const std::int64_t q_out = gqa.output_gate ? 2 * q : q;
  list.linear("q_proj", q_out, list.hidden(), Shard::heads);
  list.linear("k_proj", kv, list.hidden(), Shard::kv_heads);
  if (!gqa.k_eq_v) list.linear("v_proj", kv, list.hidden(), Shard::kv_heads);
  list.linear("o_proj", list.hidden(), q, Shard::rows);
  if (gqa.qkv_bias) {
    list.vector("q_proj.bias", q_out, Shard::heads);
    list.vector("k_proj.bias", kv, Shard::kv_heads);
    if (!gqa.k_eq_v) list.vector("v_proj.bias", kv, Shard::kv_heads);
  }
  if (gqa.o_bias) list.vector("o_proj.bias", list.hidden());
  if (gqa.qk_norm) {
    list.vector("q_norm", gqa.head_dim);
    list.vector("k_norm", gqa.head_dim);
  }
  if (gqa.qk_norm_full_width) {
    list.vector("q_norm", q, Shard::heads);
    list.vector("k_norm", kv, Shard::kv_heads);
  }
  if (gqa.sinks) list.vector("sinks", gqa.num_attention_heads, Shard::heads);
}

// Qwen3-Next's modelling code: one projection for q, k, v and the output gate z, one for the two
// scalars of each value head, a depthwise convolution over q, k and v.
void add(TensorList& list, const LinearAttentionSpec& linear) {
  const std::int64_t keys = linear.linear_num_key_heads * linear.linear_key_head_dim;
  const std::int64_t values = linear.linear_num_value_heads * linear.linear_value_head_dim;
  list.linear("in_proj_qkvz", 2 * keys + 2 * values, list.hidden(), Shard::heads);
  list.linear("in_proj_ba", 2 * linear.linear_num_value_heads, list.hidden(), Shard::heads);
  list.table("conv1d", 2 * keys + values, linear.linear_conv_kernel_dim, Shard::heads);
  list.vector("dt_bias", linear.linear_num_value_heads, Shard::heads);
  list.vector("A_log", linear.linear_num_value_heads, Shard::heads);
  list.vector("norm", linear.linear_value_head_dim);
  list.linear("out_proj", list.hidden(), values, Shard::rows);
}

// Each rank-one term of Q, K and V has a factor over heads and one over dimensions.
void add(TensorList& list, const TpaSpec& tpa) {
  const std::int64_t heads = tpa.num_attention_heads;
  list.linear("W_A_q", tpa.q_rank * heads, list.hidden(), Shard::heads);
  list.linear("W_A_k", tpa.k_rank * heads, list.hidden(), Shard::heads);
  list.linear("W_A_v", tpa.v_rank * heads, list.hidden(), Shard::heads);
  list.linear("W_B_q", tpa.q_rank * tpa.head_dim, list.hidden(), Shard::replicated);
  list.linear("W_B_k", tpa.k_rank * tpa.head_dim, list.hidden(), Shard::replicated);
  list.linear("W_B_v", tpa.v_rank * tpa.head_dim, list.hidden(), Shard::replicated);
  list.linear("o_proj", list.hidden(), heads * tpa.head_dim, Shard::rows);
}

void add_dense(TensorList& list, const DenseFfnSpec& dense) {
  if (dense.intermediate_size == 0) return;
  list.part = Part::dense_ffn;
  const std::int64_t width = dense.intermediate_size;
  if (dense.gated) list.linear("gate_proj", width, list.hidden(), Shard::columns);
  list.linear("up_proj", width, list.hidden(), Shard::columns);
  list.linear("down_proj", list.hidden(), width, Shard::rows);
  if (!dense.bias) return;
  if (dense.gated) list.vector("gate_proj.bias", width, Shard::columns);
  list.vector("up_proj.bias", width, Shard::columns);
  list.vector("down_proj.bias", list.hidden());
}

void add_router(TensorList& list, const MoeSpec& moe) {
  list.part = Part::router;
  const std::int64_t experts = moe.n_routed_experts;
  list.other("gate", experts, list.hidden(), Shard::replicated);
  if (moe.router_bias) list.vector("gate.bias", experts);
  if (moe.selection_bias) list.vector_of("e_score_correction_bias", Dtype::fp32, experts);
  if (moe.hash_routed) list.hash_table("tid2eid", list.arch.vocab_size, moe.num_experts_per_tok);
  if (moe.router_scale) {
    list.vector("router.scale", list.hidden());
    list.vector("router.per_expert_scale", experts);
  }
}

void add_moe(TensorList& list, const MoeSpec& moe) {
  if (moe.n_routed_experts == 0) return;
  add_router(list, moe);
  if (moe.shared_intermediate_size > 0) {
    list.part = Part::shared_experts;
    const std::int64_t width = moe.shared_intermediate_size;
    list.linear("shared_experts.gate_proj", width, list.hidden(), Shard::columns);
    list.linear("shared_experts.up_proj", width, list.hidden(), Shard::columns);
    list.linear("shared_experts.down_proj", list.hidden(), width, Shard::rows);
    if (moe.shared_expert_gate) {
      list.other("shared_expert_gate", 1, list.hidden(), Shard::replicated);
    }
  }
  list.part = Part::routed_experts;
  const std::int64_t width = moe.moe_intermediate_size;
  list.experts("experts.gate_proj", width, list.hidden(), moe.n_routed_experts);
  list.experts("experts.up_proj", width, list.hidden(), moe.n_routed_experts);
  list.experts("experts.down_proj", list.hidden(), width, moe.n_routed_experts);
  if (!moe.expert_bias) return;
  list.vector("experts.gate_up_proj.bias", 2 * width, Shard::experts, moe.n_routed_experts);
  list.vector("experts.down_proj.bias", list.hidden(), Shard::experts, moe.n_routed_experts);
}

void add_norms(TensorList& list, std::int64_t norms) {
  list.part = Part::norms;
  list.vector("layernorm", list.hidden(), Shard::replicated, norms);
  if (list.arch.layer_norm_bias) {
    list.vector("layernorm.bias", list.hidden(), Shard::replicated, norms);
  }
}

}  // namespace

std::string_view name(Shard shard) {
  constexpr std::array<std::string_view, 8> names{"replicated", "columns", "rows",        "heads",
                                                  "kv_heads",   "experts", "expert_rows", "vocab"};
  return names[static_cast<std::size_t>(shard)];
}

void TensorList::push(std::string_view name, Dtype dtype, std::int64_t rows, std::int64_t cols,
                      Shard shard) {
  tensors.push_back(
      {.name = name, .part = part, .rows = rows, .cols = cols, .dtype = dtype, .shard = shard});
}

void TensorList::linear(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard) {
  push(name, arch.checkpoint.linear, rows, cols, shard);
}

void TensorList::other(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard) {
  push(name, arch.checkpoint.other, rows, cols, shard);
}

void TensorList::experts(std::string_view name, std::int64_t rows, std::int64_t cols,
                         std::int64_t count) {
  push(name, arch.checkpoint.experts, rows, cols, Shard::experts);
  tensors.back().copies = count;
}

void TensorList::vector(std::string_view name, std::int64_t width, Shard shard,
                        std::int64_t copies) {
  push(name, arch.checkpoint.other, 1, width, shard);
  tensors.back().copies = copies;
  tensors.back().matmul = false;
}

void TensorList::vector_of(std::string_view name, Dtype dtype, std::int64_t width, Shard shard) {
  push(name, dtype, 1, width, shard);
  tensors.back().matmul = false;
}

void TensorList::table(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard) {
  push(name, arch.checkpoint.other, rows, cols, shard);
  tensors.back().matmul = false;
}

void TensorList::hash_table(std::string_view name, std::int64_t rows, std::int64_t cols) {
  push(name, Dtype::int64, rows, cols, Shard::replicated);
  tensors.back().matmul = false;
  tensors.back().parameter = false;
}

std::vector<Tensor> layer_tensors(const ArchSpec& arch, const LayerSpec& layer) {
  TensorList list{arch};
  list.part = Part::attention;
  std::visit(Overloaded{
                 [&](const CompressedSpec& spec) { add_compressed(list, spec); },
                 [&](const auto& spec) { add(list, spec); },
             },
             layer.attention);
  add_norms(list, layer.norms);
  add_dense(list, layer.dense);
  add_moe(list, layer.moe);
  if (arch.hc_mult > 1) add_mhc(list);
  return std::move(list.tensors);
}

std::int64_t layer_count(const ArchSpec& arch, int kind) {
  return std::ranges::count(arch.layers, kind);
}

std::vector<Tensor> all_tensors(const ArchSpec& arch) {
  TensorList outer{arch};
  add_outer(outer);
  std::vector<Tensor> all = std::move(outer.tensors);
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    for (Tensor tensor : layer_tensors(arch, arch.kinds[kind])) {
      tensor.kind = static_cast<int>(kind);
      all.push_back(tensor);
    }
  }
  if (arch.mtp_kind == MtpKind::none) return all;
  for (Tensor tensor : mtp_tensors(arch)) {
    tensor.in_mtp = true;
    all.push_back(tensor);
  }
  return all;
}

}  // namespace fathom::model
