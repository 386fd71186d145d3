#pragma once

#include <cstdint>

#include "measure/kernel_case.hpp"

namespace fathom::measure {

// One builder per executable kernel. Shapes carry Hugging Face's names; the operators inside are
// those that model/blocks lowers a layer to, so what is measured is what is estimated.

/// y[rows, n] = x[rows, k] w[n, k]^T; `heads` > 1: one such product per head (MLA absorption).
KernelCase linear_case(std::int64_t rows, std::int64_t n, std::int64_t k, std::int64_t heads = 1);

struct ExpertsShape {
  std::int64_t tokens = 1;
  std::int64_t experts = 8;  // on this device; 1: a dense layer or the shared experts
  std::int64_t choices = 2;  // num_experts_per_tok
  std::int64_t dim = 0;      // hidden_size
  std::int64_t inter = 0;    // moe_intermediate_size
  double zipf = 0.0;         // popularity of the i-th expert is i^-zipf: 0 balanced
  bool prefill = false;      // contiguous layout, with permute and un-permute
};
/// Routing of a shape, drawn without repetition from the popularities: [tokens, choices].
std::vector<std::int32_t> draw_routing(const ExpertsShape& shape, std::uint64_t seed);
KernelCase experts_case(const ExpertsShape& shape, std::uint64_t routing_seed = 1);

KernelCase norm_case(std::int64_t rows, std::int64_t width);
KernelCase rope_case(std::int64_t tokens, std::int64_t heads, std::int64_t dim);
KernelCase activation_case(std::int64_t rows, std::int64_t width);
KernelCase quantise_case(std::int64_t rows, std::int64_t width);
KernelCase router_case(std::int64_t tokens, std::int64_t experts, std::int64_t choices);
KernelCase embedding_case(std::int64_t tokens, std::int64_t width);

/// Absorbed MLA over a bf16 cache, `query_tokens` new tokens (1 + MTP drafts) per sequence.
struct LatentShape {
  std::int64_t sequences = 1;
  std::int64_t query_tokens = 1;
  std::int64_t context_tokens = 0;  // in the cache, the new ones included
  std::int64_t heads = 128;
  std::int64_t kv_lora_rank = 512;
  std::int64_t qk_rope_head_dim = 64;
};
KernelCase mla_decode_case(const LatentShape& shape);

/// Softmax attention with keys and values per KV head.
struct AttentionShape {
  std::int64_t sequences = 1;
  std::int64_t query_tokens = 1;    // per sequence; more than a few: prefill
  std::int64_t context_tokens = 0;  // before them
  std::int64_t heads = 32;
  std::int64_t kv_heads = 8;
  std::int64_t qk_head_dim = 128;
  std::int64_t v_head_dim = 128;
  bool naive_mla = false;
};
KernelCase gqa_decode_case(const AttentionShape& shape);
KernelCase prefill_case(const AttentionShape& shape);

/// DSA's lightning indexer: scores of every key, then top-k.
struct IndexerShape {
  std::int64_t sequences = 1;
  std::int64_t query_tokens = 1;
  std::int64_t keys = 0;
  std::int64_t heads = 64;
  std::int64_t head_dim = 128;
  std::int64_t topk = 2048;
};
KernelCase indexer_case(const IndexerShape& shape);

}  // namespace fathom::measure
