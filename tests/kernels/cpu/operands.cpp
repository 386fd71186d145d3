#include "operands.hpp"

#include <cmath>
#include <random>

namespace fathom::kernels::cpu {

std::vector<float> random_floats(std::int64_t count, std::uint64_t seed, float scale) {
  std::mt19937_64 engine{seed};
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out) value = scale * (static_cast<float>(engine() >> 40) * 0x1p-23F - 1.0F);
  return out;
}

std::vector<Bf16> random_bf16(std::int64_t count, std::uint64_t seed, float scale) {
  std::vector<Bf16> out;
  for (const float value : random_floats(count, seed, scale)) out.push_back(to_bf16(value));
  return out;
}

Tensor<double> widened(const std::vector<Bf16>& values, Shape shape) {
  Tensor<double> out{std::move(shape)};
  for (std::int64_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<double>(to_float(values.at(static_cast<std::size_t>(i))));
  return out;
}

ExactProduct exact_product(const Bf16* x, const Bf16* w, const ProductShape& shape) {
  ExactProduct out;
  for (std::int64_t r = 0; r < shape.rows; ++r)
    for (std::int64_t o = 0; o < shape.n; ++o) {
      double sum = 0.0;
      double bound = 0.0;
      for (std::int64_t i = 0; i < shape.k; ++i) {
        const double product =
            double{to_float(x[r * shape.x_stride + i])} * double{to_float(w[o * shape.k + i])};
        sum += product;
        bound += std::abs(product);
      }
      out.y.push_back(sum);
      out.bound.push_back(bound);
    }
  return out;
}

double relative_error(const std::vector<float>& got, const std::vector<double>& expected) {
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double gap = double{got.at(i)} - expected[i];
    difference += gap * gap;
    size += expected[i] * expected[i];
  }
  return size > 0.0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

}  // namespace fathom::kernels::cpu
