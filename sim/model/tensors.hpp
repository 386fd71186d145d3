#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/arch_spec.hpp"

namespace fathom::model {

/// How an operator or a tensor may be cut over ranks; the meeting point of architectures and
/// parallelism.
///   replicated  every rank holds and does all of it        columns  output width is divided
///   (column parallel) rows        reduction width is divided: partial sums    heads    attention
///   heads are divided experts     whole experts go to ranks; when an expert itself is cut, its
///   output width (gate, up) expert_rows the same, cut along the reduction width (down) vocab
///   vocabulary rows are divided kv_heads    as heads, but never below one head per rank
///   (num_key_value_heads < TP: copies)
enum class Shard : std::uint8_t {
  replicated,
  columns,
  rows,
  heads,
  kv_heads,
  experts,
  expert_rows,
  vocab
};
std::string_view name(Shard shard);

enum class Part : std::uint8_t {
  embedding,
  lm_head,
  final_norm,
  attention,
  indexer,
  compressor,
  norms,
  dense_ffn,
  router,
  shared_experts,
  routed_experts,
  mhc,
  mtp,
  mtp_copies
};

/// One weight matrix (or vector: rows = 1) as it stands in the checkpoint.
struct Tensor {
  std::string_view name;  // Hugging Face / reference-code leaf name, static storage
  Part part = Part::attention;
  int kind = -1;  // layer kind it belongs to; -1: outside the layers
  bool in_mtp = false;
  std::int64_t rows = 1;      // output width (or number of table rows)
  std::int64_t cols = 1;      // input width
  std::int64_t copies = 1;    // per layer: number of experts, ...
  Dtype dtype = Dtype::bf16;  // checkpoint storage
  Shard shard = Shard::replicated;
  bool parameter = true;  // false: tables of integers, not counted as parameters
  bool matmul = true;  // a token multiplies with it; false: norms, biases, tables, pooling weights
  std::int64_t elements() const { return rows * cols * copies; }
};

/// Every tensor of one layer of kind `kind` (of the MTP block when kind = -1 and mtp).
std::vector<Tensor> layer_tensors(const ArchSpec& arch, const LayerSpec& layer);
/// Every tensor of the model, layer tensors once per kind (multiply by layer_count), MTP included.
std::vector<Tensor> all_tensors(const ArchSpec& arch);
std::int64_t layer_count(const ArchSpec& arch, int kind);

}  // namespace fathom::model
