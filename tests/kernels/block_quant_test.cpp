#include "kernels/ref/block_quant.hpp"

#include "catch.hpp"
#include "kernels/ref/fp8_gemm.hpp"
#include "kernels/ref/quant_error.hpp"
#include "random_tensor.hpp"

using namespace fathom::kernels;
using namespace fathom::kernels::ref;
using fathom::kernels::test::random_tensor;

namespace {

/// Scales the columns of random values over some orders of magnitude, so that blocks differ.
Tensor<float> wide_tensor(Shape shape, std::uint64_t seed) {
  Tensor<float> x = converted<float>(random_tensor(std::move(shape), seed));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x[i] = std::ldexp(x[i], static_cast<int>(i % x.dim(-1) / 50));
  }
  return x;
}

const BlockFormat kAll[] = {kActivationV3, kActivationV32, kActivationUe8m0, kActivationTileKernels,
                            kWeight,       kPerTensor,     kFp4V4,           kMxfp8,
                            kMxfp4,        kNvfp4};

}  // namespace

TEST_CASE("a quantised element is off by half a step of its scaled magnitude", "[kernels]") {
  const BlockFormat format = GENERATE(from_range(std::begin(kAll), std::end(kAll)));
  const Tensor<float> x = wide_tensor({9, 300}, 21);
  const Quantised q = quantise(x, format);
  const Tensor<float> back = dequantise<float>(q);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double scale = q.scales[q.scale_index(i / 300, i % 300)];
    if (saturates(format.element, x[i], scale)) continue;
    const double half_ulp = std::ldexp(std::abs(x[i]), -format.element.mantissa_bits - 1);
    const double bound = std::max(half_ulp, 0.5 * scale * min_subnormal(format.element));
    REQUIRE(std::abs(back[i] - x[i]) <= bound * (1.0 + 1e-6));
  }
}

TEST_CASE("scale grids cover ragged edges", "[kernels][quant]") {
  const Tensor<float> x = wide_tensor({200, 300}, 22);
  CHECK(quantise(x, kWeight).scales.shape == Shape{2, 3});
  CHECK(quantise(x, kActivationV3).scales.shape == Shape{200, 3});
  CHECK(quantise(x, kPerTensor).scales.shape == Shape{1, 1});
  CHECK(quantise(x.reshaped({2, 100, 300}), kMxfp8).scales.shape == Shape{2, 100, 10});
}

TEST_CASE("a block's codes depend on nothing outside of the block", "[kernels][property]") {
  const BlockFormat format = GENERATE(kActivationV3, kWeight, kMxfp4, kFp4V4);
  Tensor<float> x = wide_tensor({200, 300}, 23);
  const Quantised before = quantise(x, format);
  x.row(150)[200] = 1e6F;
  const Quantised after = quantise(x, format);
  const std::int64_t touched = before.scale_index(150, 200);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (before.scale_index(i / 300, i % 300) == touched) continue;
    REQUIRE(before.codes[i] == after.codes[i]);
  }
  CHECK(before.scales[touched] < after.scales[touched]);
}

TEST_CASE("scaling a tensor by a power of two scales the scales alone", "[kernels][property]") {
  const BlockFormat format = GENERATE(from_range(std::begin(kAll), std::end(kAll)));
  Tensor<float> x = wide_tensor({4, 256}, 24);
  const Quantised small = quantise(x, format);
  for (float& v : x.data) v *= 1024.0F;
  const Quantised large = quantise(x, format);
  CHECK(small.codes == large.codes);
  for (std::int64_t i = 0; i < small.scales.size(); ++i) {
    REQUIRE(large.scales[i] == 1024.0F * small.scales[i]);
  }
}

TEST_CASE("scales that are rounded up never saturate, OCP's may", "[kernels][quant]") {
  // 7.5 needs the power of two 2 to fit under 6; OCP scales by 2^(floor(log2 7.5) - 2) = 1.
  const Tensor<float> x{{1, 4}, {7.5F, 1.0F, -3.0F, 0.0F}};
  const Quantised up = quantise(x, kFp4V4);
  const Quantised ocp = quantise(x, kMxfp4);
  CHECK(up.scales[0] == 2.0F);
  CHECK(ocp.scales[0] == 1.0F);
  CHECK(dequantise<double>(up).data == std::vector<double>{8.0, 1.0, -3.0, 0.0});
  CHECK(dequantise<double>(ocp).data == std::vector<double>{6.0, 1.0, -3.0, 0.0});
  CHECK(quant_error(x, up).saturation_share == 0.0);
  CHECK(quant_error(x, ocp).saturation_share == 0.25);
}

TEST_CASE("a block of zeros stays zero under a finite scale", "[kernels][quant]") {
  const BlockFormat format = GENERATE(from_range(std::begin(kAll), std::end(kAll)));
  const Tensor<float> x{{2, 256}};
  const Quantised q = quantise(x, format);
  CHECK(dequantise<float>(q) == x);
  for (const float scale : q.scales.data) CHECK(std::isfinite(scale));
}

TEST_CASE("NVFP4 gives its largest block the largest block scale", "[kernels][quant]") {
  const Tensor<float> x = wide_tensor({4, 256}, 25);
  const Quantised q = quantise(x, kNvfp4);
  float amax = 0.0F;
  for (const float v : x.data) amax = std::max(amax, std::abs(v));
  const float top = *std::max_element(q.scales.data.begin(), q.scales.data.end());
  CHECK(std::abs(top - amax / 6.0F) <= 1e-6F * top);
}

TEST_CASE("the error report counts what was lost", "[kernels][quant]") {
  // Scale 1: 448 is kept, 1.0625 ties to 1, 1e-4 is below half of 2^-9.
  const Tensor<double> x{{1, 4}, {448.0, 1.0625, 1e-4, 0.0}};
  const QuantError e = quant_error(x, quantise(x, kActivationV3));
  CHECK(e.max_abs == 0.0625);
  CHECK(e.underflow_share == 0.25);
  CHECK(e.saturation_share == 0.0);
  const double noise = 0.0625 * 0.0625 + 1e-8;
  CHECK(e.rmse == Approx(std::sqrt(noise / 4.0)).epsilon(1e-12));
  const double signal = 448.0 * 448.0 + 1.0625 * 1.0625 + 1e-8;
  CHECK(e.snr_db == Approx(10.0 * std::log10(signal / noise)).epsilon(1e-12));
  const Tensor<double> exact{{1, 2}, {448.0, 2.0}};
  CHECK(std::isinf(quant_error(exact, quantise(exact, kActivationV3)).snr_db));
}

TEST_CASE("storage per element includes the share of a scale", "[kernels][quant]") {
  CHECK(bits_per_element(kActivationV3) == 8.0 + 32.0 / 128.0);
  CHECK(bits_per_element(kWeight) == 8.0 + 32.0 / 16384.0);
  CHECK(bits_per_element(kMxfp4) == 4.0 + 8.0 / 32.0);
  CHECK(bits_per_element(kNvfp4) == 4.0 + 8.0 / 16.0);
  CHECK(bits_per_element(kPerTensor) == 8.0);
}

TEST_CASE("a block-scaled GEMM equals a GEMM of the dequantised operands", "[kernels][gemm]") {
  const Quantised a = quantise(wide_tensor({5, 300}, 26), kActivationV3);
  const Quantised b = quantise(wide_tensor({130, 300}, 27), kWeight);
  const Tensor<double> y = fp8_gemm<double>(a, b);
  const Tensor<double> plain = linear(dequantise<double>(a), dequantise<double>(b));
  double top = 0.0;
  for (const double v : plain.data) top = std::max(top, std::abs(v));
  // Dequantised elements are rounded to float32, scales inside the GEMM are not.
  CHECK(test::max_difference(y, plain) <= 1e-6 * top);
}

TEST_CASE("an FP8 GEMM executes m n k multiply-adds", "[kernels][gemm]") {
  const Quantised a = quantise(wide_tensor({3, 200}, 28), kActivationV3);
  const Quantised b = quantise(wide_tensor({7, 200}, 29), kWeight);
  const CountScope scope;
  (void)fp8_gemm<Counted<float>>(a, b);
  CHECK(scope.count().multiply_adds == 3 * 7 * 200);
}

TEST_CASE("a tensor core drops what lies 14 bits below the largest addend", "[kernels][gemm]") {
  const TensorCore core;
  const std::vector<float> ones(2, 1.0F);
  const auto sum = [&](float a, float b) {
    return tensor_core_dot(core, 0, std::vector<float>{a, b}, ones);
  };
  CHECK(sum(1.0F, 0x1p-13F) == 1.0F + 0x1p-13F);
  CHECK(sum(1.0F, 0x1.8p-13F) == 1.0F + 0x1p-13F);
  CHECK(sum(1.0F, -0x1.8p-13F) == 1.0F - 0x1p-13F);  // toward zero
  CHECK(sum(1.0F, 0x1.8p-14F) == 1.0F);
}

TEST_CASE("promotion bounds the loss of a long sum, a bare tensor core does not", "[kernels]") {
  const TensorCore core;
  const std::vector<float> a(4096, 0.7F);
  const std::vector<float> b(4096, 0.9F);
  const double exact = 4096.0 * static_cast<double>(0.7F) * static_cast<double>(0.9F);
  // Within 128 products an addend loses at most one unit 13 bits below the running sum.
  const double promoted = tensor_core_dot(core, 128, a, b);
  CHECK(std::abs(promoted - exact) <= exact * 129.0 * 0x1p-13);
  const double bare = tensor_core_dot(core, 0, a, b);
  CHECK(bare < promoted);
  CHECK(promoted <= exact * (1.0 + 1e-6));
}

TEST_CASE("promotion after every instruction of exact products is exact", "[kernels][gemm]") {
  const TensorCore core;
  const std::vector<float> a(256, 1.0F);
  CHECK(tensor_core_dot(core, 32, a, a) == 256.0F);
  CHECK(tensor_core_dot(core, 0, a, a) == 256.0F);
  CHECK(float32_dot(a, a) == 256.0F);
}
