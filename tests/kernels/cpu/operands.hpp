#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/product.hpp"
#include "kernels/tensor.hpp"

namespace fathom::kernels::cpu {

/// `count` bf16 values, uniform in [-scale, scale), the same for the same seed.
std::vector<Bf16> random_bf16(std::int64_t count, std::uint64_t seed, float scale = 1.0F);
std::vector<float> random_floats(std::int64_t count, std::uint64_t seed, float scale = 1.0F);
/// bf16 values as a tensor of doubles: what a reference kernel takes.
Tensor<double> widened(const std::vector<Bf16>& values, Shape shape);

/// y = x w^T in double, and sum |x w|: what rounding errors are measured by. x [rows, k] with a
/// stride.
struct ExactProduct {
  std::vector<double> y;      // [rows, n]
  std::vector<double> bound;  // [rows, n]
};
struct ProductShape {
  std::int64_t rows = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t x_stride = 0;
};
ExactProduct exact_product(const Bf16* x, const Bf16* w, const ProductShape& shape);

/// |got - expected| / |expected| over all elements (Frobenius). NaN where `got` has one.
double relative_error(const std::vector<float>& got, const std::vector<double>& expected);

/// The tile engine on EmulatedTiles. Call only on a machine with AVX-512.
extern const ProductKernels kEmulatedProduct;

}  // namespace fathom::kernels::cpu
