#include "model/params.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

// Experts of one layer that a token does not visit.
std::int64_t idle(const LayerSpec& layer, const Tensor& tensor) {
  if (tensor.part != Part::routed_experts) return 0;
  const std::int64_t chosen = layer.moe.num_experts_per_tok;
  return tensor.rows * tensor.cols * (tensor.copies - chosen);
}

struct Storage {
  std::string_view payload;
  std::int64_t per_byte = 1;  // elements a stored element holds
  std::string_view scale;     // empty: none
  std::int64_t block_rows = 1;
  std::int64_t block_cols = 1;
};

// Names as safetensors headers have them; packed FP4 is stored two to an I8.
Storage storage(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp32:
      return {.payload = "F32"};
    case Dtype::bf16:
      return {.payload = "BF16"};
    case Dtype::fp16:
      return {.payload = "F16"};
    case Dtype::fp8:
      return {.payload = "F8_E4M3"};
    case Dtype::fp8_block:
      return {"F8_E4M3", 1, "F32", 128, 128};
    case Dtype::fp8_ue8m0:
      return {"F8_E4M3", 1, "F8_E8M0", 128, 128};
    case Dtype::mxfp8:
      return {"F8_E4M3", 1, "F8_E8M0", 1, 32};
    case Dtype::int8:
      return {.payload = "I8"};
    case Dtype::mxfp4:
      return {"I8", 2, "F8_E8M0", 1, 32};
    case Dtype::nvfp4:
      return {"I8", 2, "F8_E4M3", 1, 16};
    case Dtype::int64:
      return {.payload = "I64"};
  }
  FATHOM_EXPECT(false, "unhandled dtype");
}

std::int64_t bytes_of(std::string_view stored) {
  if (stored == "I64") return 8;
  if (stored == "F32") return 4;
  return stored == "BF16" || stored == "F16" ? 2 : 1;
}

void add(CheckpointBytes& sum, std::string_view stored, std::int64_t elements) {
  const std::string key(stored);
  sum.elements_by_dtype[key] += elements;
  sum.bytes_by_dtype[key] += elements * bytes_of(stored);
  sum.tensor_elements += elements;
  sum.tensor_bytes += elements * bytes_of(stored);
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t repeats(const ArchSpec& arch, const Tensor& tensor) {
  if (tensor.in_mtp) return arch.num_nextn_predict_layers;
  return tensor.kind < 0 ? 1 : layer_count(arch, tensor.kind);
}

}  // namespace

void expect_parameters(const ArchSpec& arch) {
  if (!arch.kv_cache_only) return;
  std::string parts;
  for (const std::string& part : arch.unmodelled) parts += (parts.empty() ? "" : ", ") + part;
  throw InputError(fmt::format("{}: only the KV cache of this model is described; not modelled: {}",
                               arch.name, parts));
}

ParamCount count_params(const ArchSpec& arch) {
  expect_parameters(arch);
  ParamCount count;
  std::int64_t lookups = 0;  // tables a token reads one row of
  std::int64_t idle_main = 0;
  for (const Tensor& tensor : all_tensors(arch)) {
    if (!tensor.parameter || tensor.part == Part::mtp_copies) continue;
    const std::int64_t times = repeats(arch, tensor);
    if (tensor.in_mtp) {
      count.mtp_unique += times * tensor.elements();
      count.mtp_activated_unique += times * (tensor.elements() - idle(arch.mtp_layer, tensor));
      continue;
    }
    count.total_main += times * tensor.elements();
    if (tensor.part == Part::embedding) lookups += tensor.elements();
    if (tensor.kind < 0) continue;
    idle_main += times * idle(arch.kinds[static_cast<std::size_t>(tensor.kind)], tensor);
  }
  const std::int64_t head = arch.vocab_size * arch.hidden_size;
  // A tied matrix is a lookup on the way in and a product on the way out: it stays for the latter.
  const std::int64_t input_only = arch.tie_word_embeddings ? lookups - head : lookups;
  count.activated_main_incl_embedding_and_head = count.total_main - idle_main;
  count.activated_main_excl_embedding = count.activated_main_incl_embedding_and_head - input_only;
  count.activated_main_excl_embedding_and_head = count.activated_main_excl_embedding - head;
  return count;
}

CheckpointBytes checkpoint_bytes(const ArchSpec& arch) {
  expect_parameters(arch);
  CheckpointBytes sum;
  for (const Tensor& tensor : all_tensors(arch)) {
    const std::int64_t times = repeats(arch, tensor) * tensor.copies;
    const Storage stored = storage(tensor.dtype);
    add(sum, stored.payload, times * ceil_div(tensor.rows * tensor.cols, stored.per_byte));
    if (stored.scale.empty()) continue;
    add(sum, stored.scale,
        times * ceil_div(tensor.rows, stored.block_rows) *
            ceil_div(tensor.cols, stored.block_cols));
  }
  return sum;
}

}  // namespace fathom::model
