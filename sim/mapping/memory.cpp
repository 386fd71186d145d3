#include "mapping/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lang/say.hpp"
#include "model/kv_cache.hpp"
#include "model/tensors.hpp"

namespace fathom::mapping {
namespace {

using lang::say;
using model::Part;
using model::Shard;

// What a serving process keeps besides tensors: 3.5 GiB, plus 0.38 GiB of NCCL buffers at 8 GPUs
// (ai-dynamo/aiconfigurator, memory estimate of its TensorRT-LLM backend). The second part is taken
// for every plan with more than one rank.
constexpr Bytes kRuntimeReserve = 3.5_GiB;
constexpr Bytes kCollectiveBuffers = 0.38_GiB;

std::int64_t part(std::int64_t whole, std::int64_t ways) { return (whole + ways - 1) / ways; }

Dtype deployed_dtype(const model::Tensor& tensor, const model::Precision& p) {
  if (tensor.dtype == Dtype::fp32 || tensor.dtype == Dtype::int64) return tensor.dtype;
  if (tensor.part == Part::routed_experts) return p.experts;
  const bool vector = tensor.rows == 1 || tensor.cols == 1;
  const bool plain = tensor.part == Part::router || tensor.part == Part::embedding ||
                     tensor.part == Part::lm_head || tensor.part == Part::norms ||
                     tensor.part == Part::final_norm || tensor.part == Part::compressor ||
                     tensor.part == Part::mhc || tensor.part == Part::mtp;
  return vector || plain ? p.other : p.linear;
}

Bytes tensor_bytes_per_rank(const model::Tensor& t, const Plan& plan,
                            const model::Precision& precision, std::int64_t kv_heads) {
  const Dtype dtype = deployed_dtype(t, precision);
  std::int64_t rows = t.rows;
  std::int64_t cols = t.cols;
  auto copies = static_cast<double>(t.copies);
  switch (t.shard) {
    case Shard::replicated:
      break;
    case Shard::columns:
    case Shard::heads:
    case Shard::vocab:
      if (t.copies > 1 && t.part == Part::attention) {
        copies /= static_cast<double>(plan.tp);
      } else {
        rows = part(rows, plan.tp);
      }
      break;
    case Shard::kv_heads:
      rows = part(rows, std::min(plan.tp, std::max<std::int64_t>(kv_heads, 1)));
      break;
    case Shard::rows:
      cols = part(cols, plan.tp);
      break;
    case Shard::experts:
    case Shard::expert_rows:
      copies = (copies + static_cast<double>(plan.redundant_experts)) /
               static_cast<double>(plan.ep) / static_cast<double>(expert_tp(plan));
      break;
  }
  return copies * fathom::weight_bytes(dtype, rows, cols);
}

std::int64_t kv_heads_of(const model::AttentionSpec& attention) {
  const auto* gqa = std::get_if<model::GqaSpec>(&attention);
  return gqa != nullptr ? gqa->num_key_value_heads : 0;
}

// The share of a layer's cache that one rank keeps: KV heads are divided, shared latents and states
// of all heads are not … except the per-head states of linear attention.
double kv_share(const model::AttentionSpec& attention, const Plan& plan) {
  const auto tp = static_cast<double>(plan.tp);
  if (const auto* gqa = std::get_if<model::GqaSpec>(&attention)) {
    return 1.0 / std::min(tp, static_cast<double>(gqa->num_key_value_heads));
  }
  return std::holds_alternative<model::LinearAttentionSpec>(attention) ? 1.0 / tp : 1.0;
}

Bytes layer_kv_bytes(const model::AttentionSpec& attention, const Plan& plan,
                     const model::KvLayout& layout, double context) {
  const model::LayerKv kv = model::layer_kv(attention, layout);
  double rows = kv.cap_tokens > 0 ? std::min(context, static_cast<double>(kv.cap_tokens)) : context;
  rows =
      std::floor(rows / static_cast<double>(kv.granularity)) * static_cast<double>(kv.granularity);
  const bool growing = kv.cap_tokens == 0;
  const Bytes grown = kv.per_token * (growing ? rows / static_cast<double>(plan.cp) : rows);
  return (grown + kv.constant) * kv_share(attention, plan);
}

// Peak of one layer: residual, its copy, and the widest pair of neighbours (gate·up output and its
// input, or q and the attention output), all in BF16; routed rows of one step beside them. An
// estimate: allocators and graph pools differ between stacks.
Bytes activation_bytes(const model::ArchSpec& arch, const Plan& plan, const RankClass& rank_class,
                       double tokens) {
  const auto d = static_cast<double>(arch.hidden_size);
  double widest = 0.0;
  for (std::size_t kind = 0; kind < rank_class.layers.size(); ++kind) {
    if (rank_class.layers[kind] == 0) continue;
    const model::LayerSpec& layer = arch.kinds[kind];
    const auto tp = static_cast<double>(plan.tp);
    const double dense = 3.0 * static_cast<double>(layer.dense.intermediate_size) / tp;
    const double routed = static_cast<double>(layer.moe.num_experts_per_tok) *
                          (2.0 * d + 3.0 * static_cast<double>(layer.moe.moe_intermediate_size) /
                                         static_cast<double>(expert_tp(plan)));
    widest = std::max({widest, dense, routed});
  }
  const double residual = static_cast<double>(arch.hc_mult + 1) * d;
  Bytes logits;
  if (rank_class.head)
    logits = Bytes{4.0 * static_cast<double>(arch.vocab_size) / static_cast<double>(plan.tp)};
  return size_of(Dtype::bf16) * (tokens * (residual + widest)) + logits * std::min(tokens, 256.0);
}

}  // namespace

std::vector<RankClass> rank_classes(const model::ArchSpec& arch, const Plan& plan) {
  std::vector<RankClass> classes;
  const auto total = static_cast<std::int64_t>(arch.layers.size());
  std::int64_t next = 0;
  for (std::int64_t stage = 0; stage < plan.pp; ++stage) {
    const std::int64_t count = total / plan.pp + (stage < total % plan.pp ? 1 : 0);
    RankClass c;
    c.ranks = ranks_per_stage(plan);
    c.layers.assign(arch.kinds.size(), 0);
    for (std::int64_t i = 0; i < count; ++i, ++next) {
      const int kind = arch.layers[static_cast<std::size_t>(next)];
      c.sequence.push_back(kind);
      ++c.layers[static_cast<std::size_t>(kind)];
    }
    c.embedding = stage == 0;
    c.head = stage == plan.pp - 1;
    c.name = plan.pp == 1 ? "all" : say("stage {}", stage);
    if (!classes.empty() && classes.back().sequence == c.sequence &&
        classes.back().embedding == c.embedding && classes.back().head == c.head) {
      classes.back().ranks += c.ranks;
      ++classes.back().stages;
    } else {
      classes.push_back(std::move(c));
    }
  }
  return classes;
}

double MemoryFootprint::max_sequences() const {
  const Bytes free = available - weights - activations - buffers;
  if (free.value <= 0.0) return 0.0;
  return kv_per_sequence.value > 0.0 ? std::floor(free / kv_per_sequence) : 0.0;
}

Bytes weight_bytes(const model::ArchSpec& arch, const Plan& plan, const model::Precision& precision,
                   const RankClass& rank_class, bool mtp) {
  Bytes total;
  for (const model::Tensor& t : model::all_tensors(arch)) {
    if (t.part == Part::mtp_copies)
      continue;  // serving shares embedding and head with the main model
    const auto& layer = t.kind >= 0 ? arch.kinds[static_cast<std::size_t>(t.kind)] : arch.mtp_layer;
    double times = 1.0;
    if (t.in_mtp) {
      times = rank_class.head && mtp ? 1.0 : 0.0;
    } else if (t.kind >= 0) {
      times = static_cast<double>(rank_class.layers[static_cast<std::size_t>(t.kind)]);
    } else if (t.part == Part::embedding) {
      times = rank_class.embedding || (rank_class.head && mtp) ? 1.0 : 0.0;
    } else {
      times = rank_class.head ? 1.0 : 0.0;
    }
    if (times > 0.0)
      total += times * tensor_bytes_per_rank(t, plan, precision, kv_heads_of(layer.attention));
  }
  if (arch.tie_word_embeddings && rank_class.head && !rank_class.embedding) {
    total +=
        fathom::weight_bytes(precision.other, part(arch.vocab_size, plan.tp), arch.hidden_size);
  }
  return total;
}

Bytes kv_bytes_per_sequence(const model::ArchSpec& arch, const Plan& plan,
                            const model::Precision& precision, const RankClass& rank_class,
                            double context_tokens, bool mtp) {
  Bytes total;
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    if (rank_class.layers[kind] == 0) continue;
    total += static_cast<double>(rank_class.layers[kind]) *
             layer_kv_bytes(arch.kinds[kind].attention, plan, precision.kv, context_tokens);
  }
  if (mtp && rank_class.head) {
    total += static_cast<double>(arch.num_nextn_predict_layers) *
             layer_kv_bytes(arch.mtp_layer.attention, plan, precision.kv, context_tokens);
  }
  return total;
}

MemoryFootprint footprint(const model::ArchSpec& arch, const Plan& plan,
                          const model::Precision& precision, const hw::Cluster& cluster,
                          const RankClass& rank_class, const MemoryQuery& query) {
  MemoryFootprint m;
  m.weights = query.weights;
  m.kv_per_sequence =
      kv_bytes_per_sequence(arch, plan, precision, rank_class, query.context_tokens, query.mtp);
  m.sequences = query.sequences;
  m.activations = activation_bytes(arch, plan, rank_class, query.step_tokens);
  m.buffers = kRuntimeReserve + (devices(plan) > 1 ? kCollectiveBuffers : Bytes{});
  m.available = cluster.device.memory_usable;
  return m;
}

nlohmann::json to_json(const MemoryFootprint& m) {
  return {{"weights_bytes", m.weights.value},
          {"kv_bytes_per_sequence", m.kv_per_sequence.value},
          {"kv_bytes", m.kv().value},
          {"activation_bytes", m.activations.value},
          {"buffer_bytes", m.buffers.value},
          {"used_bytes", m.used().value},
          {"available_bytes", m.available.value},
          {"fits", m.fits()},
          {"sequences", m.sequences},
          {"max_sequences", m.max_sequences()}};
}

}  // namespace fathom::mapping
