#include "kernels/ref/fp8.hpp"

#include <bit>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace fathom::kernels::ref;

namespace {

/// All finite non-negative values of a format, ascending, from its definition rather than decode().
std::vector<double> magnitudes(const MiniFloat& f) {
  const int mantissas = 1 << f.mantissa_bits;
  std::vector<double> out;
  for (int field = 0; field < (1 << f.exponent_bits); ++field) {
    for (int m = 0; m < mantissas; ++m) {
      const double fraction = static_cast<double>(m) / mantissas + (field == 0 ? 0.0 : 1.0);
      const double value = std::ldexp(fraction, std::max(field, 1) - f.bias);
      if (value <= f.max) out.push_back(value);
    }
  }
  return out;
}

/// Nearest of `values` to v >= 0; of two equally near the one of even index, whose mantissa is
/// even.
double nearest_even(const std::vector<double>& values, double v) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double gain = std::abs(values[best] - v) - std::abs(values[i] - v);
    if (gain > 0.0 || (gain == 0.0 && i % 2 == 0)) best = i;
  }
  return values[best];
}

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11U) * 0x1p-53; }

}  // namespace

TEST_CASE("every finite code decodes to a value that encodes back to it", "[kernels][fp8]") {
  const MiniFloat format = GENERATE(kE4m3, kE5m2, kE2m1, kFp16, kBf16);
  const auto values = magnitudes(format);
  const std::uint32_t sign = 1U << (code_bits(format) - 1);
  std::int64_t wrong = 0;
  for (std::uint32_t code = 0; code < values.size(); ++code) {
    if (decode(format, code) != values[code]) ++wrong;
    if (encode(format, values[code]) != code) ++wrong;
    if (encode(format, -values[code]) != (sign | code)) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(values.back() == format.max);
}

TEST_CASE("codes above the largest value are NaN, or infinity in IEEE-like formats", "[kernels]") {
  CHECK(std::isnan(decode(kE4m3, 0x7F)));
  CHECK(std::isnan(decode(kE4m3, 0xFF)));
  CHECK(decode(kE4m3, 0x7E) == 448.0);
  CHECK(std::isinf(decode(kE5m2, 0x7C)));
  CHECK(decode(kE5m2, 0xFC) == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(decode(kE5m2, 0x7D)));
  CHECK(decode(kE2m1, 0xF) == -6.0);
  CHECK(encode(kE4m3, std::nan("")) == 0x7F);
}

TEST_CASE("rounding takes the nearest value of the format, ties to even", "[kernels][property]") {
  const MiniFloat format = GENERATE(kE4m3, kE5m2, kE2m1);
  const auto values = magnitudes(format);
  std::mt19937_64 random{11};
  std::int64_t wrong = 0;
  for (int i = 0; i < 2000; ++i) {
    const double v = std::ldexp(uniform(random), static_cast<int>(random() % 20) - 12);
    if (v <= format.max && round_to(format, v) != nearest_even(values, v)) ++wrong;
  }
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double middle = 0.5 * (values[i - 1] + values[i]);
    if (round_to(format, middle) != nearest_even(values, middle)) ++wrong;
    if (round_to(format, -middle) != -nearest_even(values, middle)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("values beyond the largest saturate and keep their sign", "[kernels][fp8]") {
  const MiniFloat format = GENERATE(kE4m3, kE5m2, kE2m1);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(round_to(format, infinity) == format.max);
  CHECK(round_to(format, -infinity) == -format.max);
  CHECK(round_to(format, -1.01 * format.max) == -format.max);
  CHECK(std::isnan(round_to(format, std::nan(""))));
  CHECK(std::signbit(round_to(format, -0.0)));
}

TEST_CASE("bfloat16 rounding equals the integer trick on float32 bits", "[kernels][property]") {
  std::mt19937_64 random{12};
  std::int64_t wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    const auto v = std::bit_cast<float>(bits);
    if (!std::isfinite(v)) continue;
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U;
    if (round_bf16(v) != std::bit_cast<float>(rounded)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("powers of two bracket a value, and are their own bracket", "[kernels][property]") {
  std::mt19937_64 random{13};
  for (int i = 0; i < 200; ++i) {
    const int exponent = static_cast<int>(random() % 200) - 100;
    const double power = std::ldexp(1.0, exponent);
    const double v = power * (1.0 + 0.999 * uniform(random) + 1e-4);
    REQUIRE(power_of_two_at_most(v) == power);
    REQUIRE(power_of_two_at_least(v) == 2.0 * power);
    REQUIRE(power_of_two_at_most(power) == power);
    REQUIRE(power_of_two_at_least(power) == power);
    REQUIRE(decode_e8m0(encode_e8m0(power)) == power);
  }
  CHECK(encode_e8m0(1.0) == 127);
  CHECK(std::isnan(decode_e8m0(255)));
}
