#pragma once

#include <cstdint>

// The blocked product behind linear layers and experts, as plain types: the sources compiled for
// one instruction set include this and nothing of the standard library.
namespace fathom::kernels::cpu {

using ProductBf16 = std::uint16_t;

/// How one block of rows runs through a range of weight panels: groups of panels whose sums stay in
/// L2; a group in chunks of inputs, so that a panel's chunk stays in L1 while all rows pass.
struct ProductBlocking {
  std::int64_t block_rows = 0;    // rows whose sums are held at a time
  std::int64_t group_panels = 8;  // panels of 32 columns whose sums are held at a time
  std::int64_t chunk_steps = 8;   // steps of 32 inputs
  bool interleave =
      true;  // few rows: fetch the group's next chunk from all panels in turn, as many
             // address streams as panels (1.5 times one stream on Sapphire Rapids)
};

/// Rows as they come: bf16 row `ids[i]` (or i) of x. `unit` rows form a register block; the packed
/// order is [chunk, register block, step, unit x 32], so that a chunk of all rows lies together.
struct ProductRows {
  const ProductBf16* x = nullptr;
  std::int64_t stride = 0;
  const std::int32_t* ids = nullptr;
  std::int64_t rows = 0;
  std::int64_t k = 0;
  std::int64_t unit = 1;
  std::int64_t chunk_steps = 8;
};

/// What becomes of the sums of a block.
struct ProductSink {
  enum class Kind : std::uint8_t {
    fp32,     // y = sum
    bf16,     // y = sum, to nearest even
    swiglu,   // panels alternate gate and up: y (bf16) = silu(gate) * up, half as many columns
    scatter,  // y[ids[r]] += weights[r] * sum
  };
  Kind kind = Kind::fp32;
  bool stream = false;  // fp32 only: past the caches
  void* y = nullptr;    // of the product's first row and column
  std::int64_t stride = 0;
  std::int64_t columns = 0;           // of y from the first on; panels may reach beyond
  const std::int32_t* ids = nullptr;  // scatter
  const float* weights = nullptr;     // scatter; null: all 1
};

/// One block of rows through `panels` panels.
struct Product {
  const void* rows_packed = nullptr;
  std::int64_t rows = 0;
  const ProductBf16* weights = nullptr;
  const ProductBf16* next = nullptr;  // of the same shape, read after this one: fetched ahead
  std::int64_t panel_elements = 0;    // from one panel to the next
  std::int64_t panels = 0;
  std::int64_t steps = 0;
  ProductBlocking blocking;
  float* block = nullptr;  // group_panels x padded rows x 32 sums
  ProductSink sink;
};

/// One instruction set's way to do it.
struct ProductKernels {
  std::int64_t element_bytes = 2;                     // of packed rows
  std::int64_t block_unit = 32;                       // block_rows is a multiple of it
  std::int64_t (*unit)(std::int64_t rows) = nullptr;  // rows of a register block
  /// Register blocks [first, last) of the rows.
  void (*pack)(const ProductRows& rows, std::int64_t first, std::int64_t last,
               void* packed) = nullptr;
  void (*product)(const Product& product) = nullptr;
};

namespace portable {
extern const ProductKernels kProduct;
}
namespace avx512 {
extern const ProductKernels kProduct;
}
namespace avx512_bf16 {
extern const ProductKernels kProduct;
}
namespace amx {
extern const ProductKernels kProduct;
}

}  // namespace fathom::kernels::cpu
