#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/product.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

const ProductKernels& product_kernels(Isa isa);
/// What serves `rows` rows: below kTileRows amx leaves them to vector_isa().
const ProductKernels& product_kernels(Isa isa, std::int64_t rows);

/// Blocking for `rows` x (steps x 32) x (panels x 32), from the caches of this processor.
ProductBlocking product_blocking(const ProductKernels& kernels, std::int64_t rows,
                                 std::int64_t panels);

/// Rows [rows, k] as packed by one plan: blocks of `blocking.block_rows`, each on its own.
struct RowPlan {
  const ProductKernels* kernels = nullptr;
  ProductBlocking blocking;
  ProductRows source;

  std::int64_t steps() const { return (source.k + 31) / 32; }
  std::int64_t blocks() const {
    return (source.rows + blocking.block_rows - 1) / blocking.block_rows;
  }
  std::int64_t rows_of(std::int64_t block) const {
    return std::min(blocking.block_rows, source.rows - block * blocking.block_rows);
  }
  /// Rows of a block in whole register blocks.
  std::int64_t padded_rows(std::int64_t block) const {
    const std::int64_t unit = kernels->unit(rows_of(block));
    return (rows_of(block) + unit - 1) / unit * unit;
  }
  std::int64_t offset_bytes(std::int64_t block) const {
    return block * blocking.block_rows * steps() * 32 * kernels->element_bytes;
  }
  std::int64_t packed_bytes() const {
    return offset_bytes(blocks() - 1) +
           padded_rows(blocks() - 1) * steps() * 32 * kernels->element_bytes;
  }
  /// Floats of the block of sums.
  std::int64_t block_floats() const {
    return blocking.group_panels * 32 * std::max(padded_rows(0), padded_rows(blocks() - 1));
  }
  /// A worker's share of packing all rows to `packed`.
  void pack(std::uint8_t* packed, int worker, int workers) const;
  /// `product` (weights, panels and sink of the first row set) for all blocks of rows.
  void multiply(const std::uint8_t* packed, Product product) const;
};

/// `pack(worker, workers)` on the pool, or by the caller alone where that takes no longer than
/// waking the others: 32 KiB is some 3 us.
template <class Pack>
void pack_rows(std::int64_t bytes, ThreadPool& pool, Pack pack) {
  constexpr std::int64_t kAlone = std::int64_t{32} << 10;
  if (bytes <= kAlone)
    pack(0, 1);
  else
    pool.run([&](int worker) { pack(worker, pool.size()); });
}

template <class T>
void grow(Buffer<T>& buffer, std::int64_t count) {
  if (buffer.size() < count) buffer = Buffer<T>{count};
}

}  // namespace fathom::kernels::cpu
