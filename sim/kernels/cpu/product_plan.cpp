#include "kernels/cpu/product_plan.hpp"

#include <cmath>

#include "core/error.hpp"
#include "kernels/cpu/linear.hpp"

namespace fathom::kernels::cpu {
namespace {

// Sizes to block for where the system does not tell: the smallest among current server processors.
constexpr std::int64_t kUnknownL1 = std::int64_t{32} << 10;
constexpr std::int64_t kUnknownL2 = std::int64_t{1} << 20;

constexpr std::int64_t kStepBytes = 2048;  // of a panel
constexpr std::int64_t kStreams = 8;       // panels that few rows read at a time
constexpr std::int64_t kFewRows = 64;      // up to which the weights' traffic decides
constexpr std::int64_t kMostPanels = 64;

}  // namespace

const ProductKernels& product_kernels(Isa isa) {
  FATHOM_EXPECT(supported(isa), "a kernel for this processor");
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx512:
      return avx512::kProduct;
    case Isa::avx512_bf16:
      return avx512_bf16::kProduct;
    case Isa::amx:
      return amx::kProduct;
#endif
    default:
      return portable::kProduct;
  }
}

const ProductKernels& product_kernels(Isa isa, std::int64_t rows) {
  return product_kernels(isa == Isa::amx && rows < kTileRows ? vector_isa() : isa);
}

ProductBlocking product_blocking(const ProductKernels& kernels, std::int64_t rows,
                                 std::int64_t panels) {
  const CpuFeatures& cpu = cpu_features();
  const std::int64_t l1 = cpu.l1d_bytes > 0 ? cpu.l1d_bytes : kUnknownL1;
  const std::int64_t l2 = cpu.l2_bytes > 0 ? cpu.l2_bytes : kUnknownL2;
  // A panel's chunk takes half of L1, the other half sees rows and sums pass.
  const std::int64_t chunk = std::max<std::int64_t>(4, l1 / 2 / kStepBytes);
  // Sums take 3/8 of L2, beside them lie this chunk of the rows and the next one (1/8 to 1/6 each
  // at these sizes). A square block moves least, when there are rows enough.
  const std::int64_t sums = l2 / 8 * 3 / 4;
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(sums)));
  const std::int64_t unit = kernels.block_unit;
  const std::int64_t most_rows = std::max(unit, side / unit * unit);
  const std::int64_t blocks = std::max<std::int64_t>(1, (rows + most_rows - 1) / most_rows);
  const std::int64_t share = (rows + blocks - 1) / blocks;
  const std::int64_t block_rows = std::max(unit, (share + unit - 1) / unit * unit);
  const std::int64_t room = sums / (block_rows * 32) / 2 * 2;
  const bool few = rows <= kFewRows;
  const std::int64_t most = few ? kStreams : std::clamp(room, kStreams, kMostPanels);
  const std::int64_t groups = std::max<std::int64_t>(1, (panels + most - 1) / most);
  const std::int64_t even = few ? most : (panels + groups - 1) / groups;
  return {.block_rows = block_rows,
          .group_panels = std::max<std::int64_t>(2, (even + 1) / 2 * 2),
          .chunk_steps = chunk,
          .interleave = few};
}

void RowPlan::pack(std::uint8_t* packed, int worker, int workers) const {
  for (std::int64_t block = 0; block < blocks(); ++block) {
    ProductRows rows = source;
    rows.rows = rows_of(block);
    rows.unit = kernels->unit(rows.rows);
    rows.chunk_steps = blocking.chunk_steps;
    const std::int64_t first = block * blocking.block_rows;
    if (rows.ids != nullptr)
      rows.ids += first;
    else
      rows.x += first * rows.stride;
    const Range part = part_of(padded_rows(block) / rows.unit, 1, worker, workers);
    kernels->pack(rows, part.begin, part.end, packed + offset_bytes(block));
  }
}

void RowPlan::multiply(const std::uint8_t* packed, Product product) const {
  const ProductSink sink = product.sink;
  const ProductBf16* weights = product.weights;
  const std::int64_t panels = product.panels;
  const std::int64_t share = sink.kind == ProductSink::Kind::swiglu ? 2 : 1;
  const bool wide = sink.kind == ProductSink::Kind::fp32 || sink.kind == ProductSink::Kind::scatter;
  product.blocking = blocking;
  product.steps = steps();
  // A group's weights stay in L3 while all blocks of rows pass them.
  const std::int64_t together = blocks() > 1 ? blocking.group_panels : panels;
  for (std::int64_t at = 0; at < panels; at += together)
    for (std::int64_t block = 0; block < blocks(); ++block) {
      const std::int64_t first = block * blocking.block_rows;
      const bool scatter = sink.kind == ProductSink::Kind::scatter;
      const std::int64_t row = scatter ? 0 : first * sink.stride;
      const std::int64_t column = at * 32 / share;
      product.rows_packed = packed + offset_bytes(block);
      product.rows = rows_of(block);
      product.weights = weights + at * product.panel_elements;
      product.panels = std::min(together, panels - at);
      product.sink.y = static_cast<std::uint8_t*>(sink.y) + (row + column) * (wide ? 4 : 2);
      product.sink.columns = sink.columns - column;
      if (scatter) product.sink.ids = sink.ids + first;
      if (scatter && sink.weights != nullptr) product.sink.weights = sink.weights + first;
      kernels->product(product);
    }
}

}  // namespace fathom::kernels::cpu
