#include "kernels/cpu/linear.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "kernels/cpu/product_plan.hpp"
#include "operands.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
// Frobenius, of fp32 sums over up to some thousand random products: measured 1e-7 to 5e-7.
constexpr double kTolerance = 2e-6;

std::vector<float> poisoned(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), kPoison);
}

/// Operands of one call, rows and outputs at strides wider than needed.
struct Case {
  ProductShape shape;
  std::vector<Bf16> x;
  std::vector<Bf16> w;
  PackedLinear packed;
  std::int64_t y_stride = 0;

  Case(std::int64_t rows, std::int64_t n, std::int64_t k)
      : shape{rows, n, k, k + 3},
        x(random_bf16(rows * (k + 3), 1)),
        w(random_bf16(n * k, 2)),
        packed(pack_linear(w.data(), n, k)),
        y_stride(n + 5) {}
  LinearCall call(std::vector<float>& y) const {
    return {x.data(), shape.rows, shape.x_stride, &packed, y.data(), nullptr, y_stride};
  }
  ExactProduct exact() const { return exact_product(x.data(), w.data(), shape); }
};

/// y of n columns out of rows of `y_stride`; checks that nothing beside them was written.
std::vector<float> columns_of(const Case& c, const std::vector<float>& y) {
  std::vector<float> out;
  bool untouched = true;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
    const float value = y[static_cast<std::size_t>(i)];
    if (i % c.y_stride < c.shape.n)
      out.push_back(value);
    else
      untouched = untouched && std::isnan(value);
  }
  CHECK(untouched);
  return out;
}

/// Every element within k 2^-23 sum |x w|, all of them within kTolerance (Frobenius).
void check_close(const Case& c, const std::vector<float>& y) {
  const ExactProduct exact = c.exact();
  CHECK(relative_error(y, exact.y) <= kTolerance);
  std::int64_t outside = 0;
  for (std::size_t i = 0; i < exact.y.size(); ++i) {
    const double allowed = static_cast<double>(c.shape.k) * 0x1p-23 * exact.bound[i];
    if (!(std::abs(double{y.at(i)} - exact.y[i]) <= allowed)) ++outside;
  }
  CHECK(outside == 0);
}

std::vector<float> run_linear(const Case& c, Isa isa, int threads) {
  ThreadPool pool{threads, false};
  LinearWorkspace workspace;
  std::vector<float> y = poisoned(c.shape.rows * c.y_stride);
  linear(c.call(y), workspace, isa, pool);
  return columns_of(c, y);
}

}  // namespace

TEST_CASE("a linear layer is x w^T whatever the shape, on every instruction set", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const std::int64_t rows = GENERATE(1, 2, 3, 4, 5, 11, 12, 13, 16, 17, 32, 33, 65, 100);
  CAPTURE(name(isa), rows);
  for (const auto& [n, k] :
       {std::pair{1, 1}, {31, 33}, {32, 32}, {70, 300}, {300, 65}, {33, 700}}) {
    CAPTURE(n, k);
    const Case c{rows, n, k};
    check_close(c, run_linear(c, isa, 1));
  }
}

TEST_CASE("rows beyond one block of sums start a new block", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const std::int64_t block = product_blocking(product_kernels(isa), 4096, 8).block_rows;
  CAPTURE(name(isa), block);
  const Case c{block + 21, 70, 40};
  check_close(c, run_linear(c, isa, 2));
}

TEST_CASE("a linear layer is bitwise the same for any number of workers", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const std::int64_t rows = GENERATE(1, 2, 3, 4, 9, 70);
  CAPTURE(name(isa), rows);
  const Case c{rows, 700, 300};
  const std::vector<float> one = run_linear(c, isa, 1);
  CHECK(run_linear(c, isa, 2) == one);
  CHECK(run_linear(c, isa, 3) == one);
}

TEST_CASE("ranges of columns make up the whole product", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Case c{20, 150, 90};
  LinearWorkspace workspace;
  std::vector<float> y = poisoned(c.shape.rows * c.y_stride);
  for (const Range columns : {Range{0, 64}, Range{64, 128}, Range{128, 150}})
    linear_columns(c.call(y), columns, workspace, isa);
  CHECK(columns_of(c, y) == run_linear(c, isa, 1));
}

TEST_CASE("bf16 output is the fp32 output rounded", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Case c{19, 77, 130};
  const std::vector<float> wide = run_linear(c, isa, 1);
  std::vector<Bf16> y(static_cast<std::size_t>(c.shape.rows * c.y_stride), 0x7fc0);
  ThreadPool pool{2, false};
  LinearWorkspace workspace;
  LinearCall call{c.x.data(), c.shape.rows, c.shape.x_stride, &c.packed, nullptr, y.data()};
  call.y_stride = c.y_stride;
  linear(call, workspace, isa, pool);
  std::int64_t different = 0;
  for (std::int64_t i = 0; i < c.shape.rows * c.shape.n; ++i) {
    const std::int64_t at = i / c.shape.n * c.y_stride + i % c.shape.n;
    if (y[static_cast<std::size_t>(at)] != to_bf16(wide[static_cast<std::size_t>(i)])) ++different;
  }
  CHECK(different == 0);
}

TEST_CASE("a workspace serves larger and smaller calls in turn", "[cpu][linear]") {
  ThreadPool pool{2, false};
  LinearWorkspace workspace;
  for (const std::int64_t rows : {3, 80, 1, 33}) {
    const Case c{rows, 96, 64};
    std::vector<float> y = poisoned(rows * c.y_stride);
    linear(c.call(y), workspace, preferred_isa(), pool);
    check_close(c, columns_of(c, y));
  }
}

TEST_CASE("batched products are one product per head", "[cpu][linear]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const int heads = GENERATE(1, 5);
  constexpr std::int64_t kRows = 6, kN = 72, kK = 40;
  const std::vector<Bf16> x = random_bf16(kRows * heads * kK, 3);
  std::vector<float> y = poisoned(kRows * heads * kN);
  std::vector<PackedLinear> weights;
  std::vector<Case> cases;
  for (int h = 0; h < heads; ++h) {
    const std::vector<Bf16> w = random_bf16(kN * kK, 10 + static_cast<std::uint64_t>(h));
    weights.push_back(pack_linear(w.data(), kN, kK));
  }
  ThreadPool pool{3, false};
  std::vector<LinearWorkspace> workspaces;
  const LinearCall first{x.data(), kRows, heads * kK, nullptr, y.data(), nullptr, heads * kN};
  batched_linear({first, weights.data(), heads, kK, kN}, workspaces, isa, pool);
  for (int h = 0; h < heads; ++h) {
    const std::vector<Bf16> w = random_bf16(kN * kK, 10 + static_cast<std::uint64_t>(h));
    const auto exact = exact_product(x.data() + h * kK, w.data(), {kRows, kN, kK, heads * kK});
    std::vector<float> got;
    for (std::int64_t i = 0; i < kRows * kN; ++i)
      got.push_back(y[static_cast<std::size_t>(i / kN * heads * kN + h * kN + i % kN)]);
    CHECK(relative_error(got, exact.y) <= kTolerance);
  }
}

TEST_CASE("the tile engine computes x w^T on emulated tiles", "[cpu][linear][tiles]") {
  if (!supported(Isa::avx512)) return;
  const std::int64_t rows = GENERATE(1, 4, 15, 16, 17, 31, 32, 33, 50, 65, 130);
  const auto [n, k] = GENERATE(table<int, int>({{1, 1}, {70, 300}, {300, 65}, {33, 700}}));
  CAPTURE(rows, n, k);
  const Case c{rows, n, k};
  RowPlan plan{.kernels = &kEmulatedProduct,
               .blocking = product_blocking(kEmulatedProduct, rows, c.packed.panels()),
               .source = {.x = c.x.data(), .stride = c.shape.x_stride, .rows = rows, .k = k}};
  if (rows > 100) plan.blocking.block_rows = 64;  // several blocks, the last one short
  Buffer<std::uint8_t> packed{plan.packed_bytes()};
  Buffer<float> block{plan.block_floats()};
  for (const int worker : {0, 1}) plan.pack(packed.data(), worker, 2);
  std::vector<float> y = poisoned(rows * c.y_stride);
  plan.multiply(packed.data(), {.weights = c.packed.panel(0),
                                .panel_elements = c.packed.panel_elements(),
                                .panels = c.packed.panels(),
                                .block = block.data(),
                                .sink = {.y = y.data(), .stride = c.y_stride, .columns = n}});
  check_close(c, columns_of(c, y));
}

TEST_CASE("the tile engine gathers rows by id and adds its sums by id", "[cpu][linear][tiles]") {
  if (!supported(Isa::avx512)) return;
  const std::int64_t rows = GENERATE(3, 20, 70);
  const Case c{rows, 45, 70};
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < rows; ++i) ids.push_back(static_cast<std::int32_t>(rows - 1 - i));
  const std::vector<float> factors = random_floats(rows, 5);
  RowPlan plan{.kernels = &kEmulatedProduct,
               .blocking = product_blocking(kEmulatedProduct, rows, c.packed.panels()),
               .source = {.x = c.x.data(),
                          .stride = c.shape.x_stride,
                          .ids = ids.data(),
                          .rows = rows,
                          .k = c.shape.k}};
  Buffer<std::uint8_t> packed{plan.packed_bytes()};
  Buffer<float> block{plan.block_floats()};
  plan.pack(packed.data(), 0, 1);
  std::vector<float> y(static_cast<std::size_t>(rows * c.shape.n), 2.0F);
  plan.multiply(packed.data(), {.weights = c.packed.panel(0),
                                .panel_elements = c.packed.panel_elements(),
                                .panels = c.packed.panels(),
                                .block = block.data(),
                                .sink = {.kind = ProductSink::Kind::scatter,
                                         .y = y.data(),
                                         .stride = c.shape.n,
                                         .columns = c.shape.n,
                                         .ids = ids.data(),
                                         .weights = factors.data()}});
  ExactProduct exact = c.exact();
  for (std::size_t i = 0; i < exact.y.size(); ++i) {
    const std::size_t row =
        static_cast<std::size_t>(rows) - 1 - i / static_cast<std::size_t>(c.shape.n);
    exact.y[i] = 2.0 + double{factors[row]} * exact.y[i];
  }
  CHECK(relative_error(y, exact.y) <= kTolerance);
}

}  // namespace fathom::kernels::cpu
