#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/kv_cache.hpp"
#include "model/params.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

double real(std::int64_t value) { return static_cast<double>(value); }

// Arithmetic classes of the V4 report ("equivalent FP8 FLOPs"): projections and experts run in FP8
// where stored so, FP4 experts too (their activations are FP8); attention cores, absorbed
// products, routers, compressors, mHC and the head in BF16; index scores in the format of the keys.
struct ByClass {
  double bf16 = 0.0;
  double fp8 = 0.0;
  double fp4 = 0.0;

  double& of(Math math) {
    if (math == Math::fp8 || math == Math::int8) return fp8;
    return math == Math::fp4 ? fp4 : bf16;
  }
};

Math class_of(const Tensor& tensor, Dtype linear) {
  // In absorbed decoding its two halves multiply queries and outputs, not the latent.
  if (tensor.name == "kv_b_proj") return Math::bf16;
  if (tensor.dtype == Dtype::mxfp4) return math_of(linear) == Math::fp8 ? Math::fp8 : Math::bf16;
  return math_of(tensor.dtype);
}

// Times the copies of it that one token visits.
double matrix_flops(const ArchSpec& arch, const Tensor& tensor) {
  if (!tensor.matmul) return 0.0;
  std::int64_t copies = tensor.copies;
  if (tensor.part == Part::routed_experts) {
    copies = arch.kinds[static_cast<std::size_t>(tensor.kind)].moe.num_experts_per_tok;
  }
  return 2.0 * real(tensor.rows * tensor.cols * copies);
}

// One query token against what it sees of `context` tokens, in one layer.
struct Core {
  double context;
  ByClass& sum;
  double times;

  void bf16(double flops) { sum.bf16 += times * flops; }

  void operator()(const GqaSpec& gqa) {
    const std::int64_t cap = std::max(gqa.sliding_window, gqa.attention_chunk_size);
    const double seen = cap > 0 ? std::min(context, real(cap)) : context;
    bf16(4.0 * real(gqa.num_attention_heads * gqa.head_dim) * seen);
  }
  void operator()(const MlaSpec& mla) {
    double seen = context;
    if (mla.indexer.index_topk > 0) {
      seen = std::min(context, real(mla.indexer.index_topk));
      if (!mla.indexer.shared) {
        sum.fp8 +=
            times * 2.0 * real(mla.indexer.index_n_heads * mla.indexer.index_head_dim) * context;
      }
    }
    bf16(2.0 * real(mla.num_attention_heads * (2 * mla.kv_lora_rank + mla.qk_rope_head_dim)) *
         seen);
  }
  void operator()(const CompressedSpec& spec) {
    double seen = std::min(context, real(spec.sliding_window));
    if (spec.compress_ratio > 0) {
      double blocks = std::floor(context / real(spec.compress_ratio));
      if (spec.indexer.index_topk > 0) {
        sum.fp4 +=
            times * 2.0 * real(spec.indexer.index_n_heads * spec.indexer.index_head_dim) * blocks;
        blocks = std::min(blocks, real(spec.indexer.index_topk));
      }
      seen += blocks;
    }
    bf16(4.0 * real(spec.num_attention_heads * spec.head_dim) * seen);
  }
  // Per state element: decay 1, k k^T correction 2, rank-one update 2, read-out 2.
  void operator()(const LinearAttentionSpec& linear) {
    bf16(7.0 * real(linear.linear_num_value_heads * linear.linear_key_head_dim *
                    linear.linear_value_head_dim));
  }
  // Heads are rebuilt from the factors of every cached token.
  void operator()(const TpaSpec& tpa) {
    const double width = real(tpa.num_attention_heads * tpa.head_dim);
    bf16((4.0 + 2.0 * real(tpa.k_rank + tpa.v_rank)) * width * context);
  }
};

ByClass decode_flops(const ArchSpec& arch, std::int64_t context) {
  ByClass sum;
  for (const Tensor& tensor : all_tensors(arch)) {
    if (tensor.in_mtp) continue;
    const double times = tensor.kind < 0 ? 1.0 : real(layer_count(arch, tensor.kind));
    sum.of(class_of(tensor, arch.checkpoint.linear)) += times * matrix_flops(arch, tensor);
  }
  if (arch.tie_word_embeddings) sum.bf16 += 2.0 * real(arch.vocab_size * arch.hidden_size);
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    const double times = real(layer_count(arch, static_cast<int>(kind)));
    std::visit(Core{real(context), sum, times}, arch.kinds[kind].attention);
  }
  return sum;
}

// Mean over the positions of a sequence of min(position, cap).
double mean_seen(double sequence, double cap) {
  if (cap <= 0.0 || cap >= sequence) return sequence / 2.0;
  return cap - cap * cap / (2.0 * sequence);
}

// Forward attention FLOPs of one token in the middle of a causal sequence, naive form for MLA.
struct TrainingCore {
  double sequence;

  double operator()(const GqaSpec& gqa) const {
    const std::int64_t cap = std::max(gqa.sliding_window, gqa.attention_chunk_size);
    // A chunk is a sequence of its own; a window slides.
    const double seen = gqa.attention_chunk_size > 0 ? std::min(sequence, real(cap)) / 2.0
                                                     : mean_seen(sequence, real(cap));
    return 4.0 * real(gqa.num_attention_heads * gqa.head_dim) * seen;
  }
  double operator()(const MlaSpec& mla) const {
    const std::int64_t width = mla.qk_nope_head_dim + mla.qk_rope_head_dim + mla.v_head_dim;
    const double seen = mean_seen(sequence, real(mla.indexer.index_topk));
    const bool scores = mla.indexer.index_topk > 0 && !mla.indexer.shared;
    const double index =
        scores ? real(mla.indexer.index_n_heads * mla.indexer.index_head_dim) * sequence : 0.0;
    return 2.0 * real(mla.num_attention_heads * width) * seen + index;
  }
  double operator()(const CompressedSpec& spec) const {
    double seen = mean_seen(sequence, real(spec.sliding_window));
    double index = 0.0;
    if (spec.compress_ratio > 0) {
      const double blocks = sequence / real(spec.compress_ratio);
      seen += mean_seen(blocks, real(spec.indexer.index_topk));
      index = real(spec.indexer.index_n_heads * spec.indexer.index_head_dim) * blocks;
    }
    return 4.0 * real(spec.num_attention_heads * spec.head_dim) * seen + index;
  }
  double operator()(const LinearAttentionSpec& linear) const {
    return 7.0 * real(linear.linear_num_value_heads * linear.linear_key_head_dim *
                      linear.linear_value_head_dim);
  }
  double operator()(const TpaSpec& tpa) const {
    return 4.0 * real(tpa.num_attention_heads * tpa.head_dim) * sequence / 2.0;
  }
};

}  // namespace

json decode_flops_json(const ArchSpec& arch, const std::vector<std::int64_t>& contexts) {
  expect_parameters(arch);
  const auto exact = [](double flops) { return static_cast<std::int64_t>(flops); };
  json out = json::object();
  for (const std::int64_t context : contexts) {
    const ByClass sum = decode_flops(arch, context);
    json row{{"bf16", exact(sum.bf16)},
             {"fp8", exact(sum.fp8)},
             {"raw", exact(sum.bf16 + sum.fp8 + sum.fp4)},
             {"fp8_equiv", exact(2.0 * sum.bf16 + sum.fp8 + 0.5 * sum.fp4)},
             {"fp8eq_core_fp8", exact(sum.bf16 + sum.fp8 + 0.5 * sum.fp4)}};
    if (sum.fp4 > 0.0) row["fp4"] = exact(sum.fp4);
    out[std::to_string(context)] = row;
  }
  return out;
}

double training_flops_per_token(const ArchSpec& arch, std::int64_t sequence) {
  const ParamCount count = count_params(arch);
  double attention = 0.0;
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    const double times = real(layer_count(arch, static_cast<int>(kind)));
    attention += times * std::visit(TrainingCore{real(sequence)}, arch.kinds[kind].attention);
  }
  return 6.0 * real(count.activated_main_excl_embedding) + 3.0 * attention;
}

}  // namespace fathom::model
