#include "kernels/cpu/elementwise.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "kernels/ref/activation.hpp"
#include "kernels/ref/block_quant.hpp"
#include "kernels/ref/norm.hpp"
#include "kernels/ref/rope.hpp"
#include "operands.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr Bf16 kNan = 0x7fc0;
// One rounding to bf16 is 2^-8 of the value at most; arithmetic before it is fp32.
constexpr double kBf16 = 0x1.02p-8;

/// Greatest |got - expected| / |expected|, NaN counted as infinite.
double worst(const std::vector<Bf16>& got, const std::vector<double>& expected) {
  double most = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double gap = std::abs(double{to_float(got.at(i))} - expected[i]);
    const double relative = gap == 0.0 ? 0.0 : gap / std::abs(expected[i]);
    most = std::isnan(relative) ? INFINITY : std::max(most, relative);
  }
  return most;
}

std::vector<Isa> vector_isas() {
  return supported(Isa::avx512) ? std::vector{Isa::portable, Isa::avx512}
                                : std::vector{Isa::portable};
}

}  // namespace

TEST_CASE("RMSNorm is the reference's, rounded to bf16", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  const bool with_residual = GENERATE(false, true);
  const std::int64_t width = GENERATE(1, 16, 33, 500);
  constexpr std::int64_t kRows = 5;
  CAPTURE(name(isa), with_residual, width);
  const auto x = random_floats(kRows * width, 1);
  auto residual = random_floats(kRows * width, 2, 4.0F);
  const auto weight = random_floats(width, 3);
  Tensor<double> sum{{kRows, width}};
  for (std::int64_t i = 0; i < sum.size(); ++i)
    sum[i] = double{with_residual
                        ? x[static_cast<std::size_t>(i)] + residual[static_cast<std::size_t>(i)]
                        : x[static_cast<std::size_t>(i)]};
  const Tensor<double> weights{{width}, std::vector<double>(weight.begin(), weight.end())};
  const auto exact = ref::rms_norm<double>(sum, weights, 1e-6);
  std::vector<Bf16> y(x.size(), kNan);
  ThreadPool pool{2, false};
  rms_norm({.x = x.data(),
            .rows = kRows,
            .width = width,
            .x_stride = width,
            .weight = weight.data(),
            .residual = with_residual ? residual.data() : nullptr,
            .y = y.data(),
            .y_stride = width},
           isa, pool);
  CHECK(worst(y, exact.data) <= kBf16);
  if (with_residual) CHECK(std::vector<double>(residual.begin(), residual.end()) == sum.data);
}

TEST_CASE("rotary embedding turns each head's pairs as the reference does", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  const RopePairs pairs =
      GENERATE(RopePairs::interleaved, RopePairs::deinterleaved, RopePairs::half);
  const std::int64_t dim = GENERATE(2, 20, 64, 96);
  constexpr std::int64_t kTokens = 3, kHeads = 4, kBefore = 8;
  CAPTURE(name(isa), static_cast<int>(pairs), dim);
  const std::int64_t width = kBefore + dim;
  auto x = random_bf16(kTokens * kHeads * width, 1);
  const auto cos = random_floats(kTokens * dim / 2, 2);
  const auto sin = random_floats(kTokens * dim / 2, 3);
  const ref::RopeTables<double> tables{
      {{kTokens, dim / 2}, std::vector<double>(cos.begin(), cos.end())},
      {{kTokens, dim / 2}, std::vector<double>(sin.begin(), sin.end())}};
  const auto layout = pairs == RopePairs::half            ? ref::RopeLayout::half
                      : pairs == RopePairs::deinterleaved ? ref::RopeLayout::deinterleaved
                                                          : ref::RopeLayout::interleaved;
  const auto exact = ref::apply_rope(widened(x, {kTokens, kHeads, width}), tables, layout, kBefore);
  ThreadPool pool{2, false};
  rope({.x = x.data() + kBefore,
        .tokens = kTokens,
        .heads = kHeads,
        .token_stride = kHeads * width,
        .head_stride = width,
        .dim = dim,
        .cos = cos.data(),
        .sin = sin.data(),
        .pairs = pairs},
       isa, pool);
  // Differences of products cancel: the bound is relative to the largest value, 2.
  double most = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::abs(double{to_float(x[i])} - exact.data[i]));
  CHECK(most <= 2.0 * kBf16);
}

TEST_CASE("SwiGLU is silu(gate) times up, rounded to bf16", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  constexpr std::int64_t kWidth = 77;
  auto gate = random_floats(kWidth, 1, 20.0F);
  const auto up = random_floats(kWidth, 2, 3.0F);
  gate[0] = 0.0F;
  gate[1] = -80.0F;
  gate[2] = 300.0F;
  std::vector<double> exact;
  for (std::size_t i = 0; i < gate.size(); ++i)
    exact.push_back(ref::swiglu<double>(double{gate[i]}, double{up[i]}));
  std::vector<Bf16> y(gate.size(), kNan);
  ThreadPool pool{1, false};
  swiglu({gate.data(), up.data(), 1, kWidth, kWidth, y.data(), kWidth}, isa, pool);
  CHECK(worst(y, exact) <= kBf16);
}

TEST_CASE("gates far below zero shut and far above zero pass", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  const std::vector<float> gate{-1e4F, -INFINITY, 1e4F, INFINITY};
  const std::vector<float> up(4, 1.0F);
  std::vector<Bf16> y(4, kNan);
  ThreadPool pool{1, false};
  swiglu({gate.data(), up.data(), 1, 1, 4, y.data(), 4}, isa, pool);
  CHECK(std::abs(to_float(y[0])) <= 0x1p-126F);
  swiglu({gate.data() + 2, up.data(), 1, 2, 4, y.data(), 4}, isa, pool);
  CHECK(to_float(y[0]) == to_float(to_bf16(1e4F)));
  CHECK(to_float(y[1]) == std::numeric_limits<float>::infinity());
}

TEST_CASE("FP8 blocks are the reference's bit for bit", "[cpu][elementwise][quant]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  const std::int64_t width = GENERATE(1, 128, 200, 384);
  const float scale = GENERATE(1.0F, 1e-6F, 1e4F);
  constexpr std::int64_t kRows = 4;
  CAPTURE(name(isa), width, scale);
  Tensor<float> x{{kRows, width}, random_floats(kRows * width, 1, scale)};
  for (std::int64_t i = 0; i < x.size(); i += 3) x[i] *= 0x1p-7F;  // reaches the subnormals
  x[0] = -0.0F;
  const auto exact = ref::quantise(x, ref::kActivationV3);
  std::vector<std::uint8_t> codes(x.data.size(), 0xaa);
  std::vector<float> scales(exact.scales.data.size(), NAN);
  std::vector<float> back(x.data.size(), NAN);
  ThreadPool pool{3, false};
  const Fp8Call call{x.data.data(), kRows, width, codes.data(), scales.data()};
  quantise_fp8(call, isa, pool);
  dequantise_fp8(call, back.data(), isa, pool);
  CHECK(codes == exact.codes.data);
  CHECK(scales == exact.scales.data);
  CHECK(back == ref::dequantise<float>(exact).data);
}

TEST_CASE("FP8 codes round ties to even and saturate", "[cpu][elementwise][quant]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  Tensor<float> x{{1, 128}};
  x[0] = 448.0F;  // makes the scale 1
  for (std::int64_t i = 1; i < 128; ++i) {
    const double low = ref::decode(ref::kE4m3, static_cast<std::uint32_t>(i - 1));
    const double high =
        ref::decode(ref::kE4m3, static_cast<std::uint32_t>(std::min<std::int64_t>(i, 126)));
    x[i] = static_cast<float>((low + high) / (i % 2 == 0 ? 2.0 : -2.0));
  }
  std::vector<std::uint8_t> codes(128);
  float scale = 0.0F;
  ThreadPool pool{1, false};
  quantise_fp8({x.data.data(), 1, 128, codes.data(), &scale}, isa, pool);
  CHECK(codes == ref::quantise(x, ref::kActivationV3).codes.data);
}

TEST_CASE("int8 rows return within half a step", "[cpu][elementwise][quant]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  constexpr std::int64_t kRows = 3, kWidth = 75;
  auto x = random_floats(kRows * kWidth, 1, 5.0F);
  std::fill_n(x.begin(), kWidth, 0.0F);
  std::vector<std::int8_t> codes(x.size(), 99);
  std::vector<float> scales(kRows, NAN);
  std::vector<float> back(x.size(), NAN);
  ThreadPool pool{2, false};
  const Int8Call call{x.data(), kRows, kWidth, codes.data(), scales.data()};
  quantise_int8(call, isa, pool);
  dequantise_int8(call, back.data(), isa, pool);
  CHECK(scales[0] == 1.0F);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(std::abs(back[i] - x[i]) <= 0.5001F * scales[i / kWidth]);
}

TEST_CASE("conversions agree with the scalar ones bit for bit", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  const std::int64_t count = GENERATE(1, 40, 1000);
  auto from = random_floats(count, 1);
  from[0] = std::numeric_limits<float>::quiet_NaN();
  if (count > 4) {
    from[1] = std::numeric_limits<float>::max();
    from[2] = 1.00390625F;  // a tie
    from[3] = 1e-40F;       // a denormal
  }
  std::vector<Bf16> to(from.size());
  std::vector<Bf16> expected;
  for (const float value : from) expected.push_back(to_bf16(value));
  ThreadPool pool{2, false};
  to_bf16(from.data(), count, to.data(), isa, pool);
  CHECK(to == expected);
  std::vector<float> back(from.size(), 1.0F);
  to_float(to.data(), count, back.data(), isa, pool);
  for (std::size_t i = 1; i < back.size(); ++i) CHECK(back[i] == to_float(expected[i]));
}

TEST_CASE("an embedding copies the rows of its ids", "[cpu][elementwise]") {
  const Isa isa = GENERATE(from_range(vector_isas()));
  constexpr std::int64_t kWidth = 21;
  const auto table = random_bf16(10 * kWidth, 1);
  const std::vector<std::int32_t> ids{9, 0, 3, 3};
  std::vector<float> y(ids.size() * kWidth, NAN);
  ThreadPool pool{2, false};
  embedding({table.data(), kWidth, ids.data(), 4, y.data()}, isa, pool);
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(y[i] == to_float(table[static_cast<std::size_t>(ids[i / kWidth]) * kWidth + i % kWidth]));
}

}  // namespace fathom::kernels::cpu
