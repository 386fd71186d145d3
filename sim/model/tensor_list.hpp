#pragma once
// Inner parts of the tensor inventory, split by topic.

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/arch_spec.hpp"
#include "model/tensors.hpp"

namespace fathom::model {

/// Collects tensors; the verbs choose the storage format by class of weight.
struct TensorList {
  const ArchSpec& arch;
  Part part = Part::attention;
  std::vector<Tensor> tensors{};

  std::int64_t hidden() const { return arch.hidden_size; }
  /// Projections and FFN, in the quantised format.
  void linear(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard);
  /// Matrices that stay in the base format: embedding, head, router, compressors.
  void other(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard);
  void experts(std::string_view name, std::int64_t rows, std::int64_t cols, std::int64_t count);
  /// Norm weights and biases.
  void vector(std::string_view name, std::int64_t width, Shard shard = Shard::replicated,
              std::int64_t copies = 1);
  void vector_of(std::string_view name, Dtype dtype, std::int64_t width,
                 Shard shard = Shard::replicated);
  /// Looked up or applied elementwise: embeddings, convolutions.
  void table(std::string_view name, std::int64_t rows, std::int64_t cols, Shard shard);
  /// Integers, no parameters.
  void hash_table(std::string_view name, std::int64_t rows, std::int64_t cols);
  void push(std::string_view name, Dtype dtype, std::int64_t rows, std::int64_t cols, Shard shard);
};

/// V4 attention: base, compressor and indexer.
void add_compressed(TensorList& list, const CompressedSpec& spec);
/// The two hyper-connections of a layer (V4).
void add_mhc(TensorList& list);
/// Embedding, head, final norm and what else stands outside the layers.
void add_outer(TensorList& list);
/// One MTP module.
std::vector<Tensor> mtp_tensors(const ArchSpec& arch);

}  // namespace fathom::model
