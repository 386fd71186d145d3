#include "core/portable_math.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

// A value is often kept as high + low, two doubles whose sum has about 100 bits (T. J. Dekker, "A
// floating-point technique for extending the available precision", 1971). Tables shorten the
// series (P. T. P. Tang, "Table-driven implementation of the exponential function", 1989, and of
// the logarithm, 1990).
namespace fathom::portable {
namespace {

struct Double2 {
  double high = 0.0;
  double low = 0.0;
};

// Exact when |a| >= |b|.
Double2 fast_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

Double2 two_sum(double a, double b) {
  const double sum = a + b;
  const double part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

// Exact: halves of 26 bits have exact products.
Double2 two_product(double a, double b) {
  constexpr double kSplit = 0x1p27 + 1.0;
  const double a1 = kSplit * a - (kSplit * a - a);
  const double b1 = kSplit * b - (kSplit * b - b);
  const double a2 = a - a1;
  const double b2 = b - b1;
  const double product = a * b;
  return {product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

Double2 operator+(Double2 a, Double2 b) {
  const Double2 sum = two_sum(a.high, b.high);
  return fast_sum(sum.high, sum.low + (a.low + b.low));
}
Double2 operator*(Double2 a, Double2 b) {
  const Double2 product = two_product(a.high, b.high);
  return fast_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}
Double2 operator/(Double2 a, double b) {
  const double quotient = a.high / b;
  const Double2 product = two_product(quotient, b);
  return fast_sum(quotient, ((a.high - product.high) - product.low + a.low) / b);
}

constexpr Double2 kLn2{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
constexpr double kInverseLn2 = 0x1.71547652b82fep0;
constexpr double kInverseLn2Low = 0x1.777d0ffda0d24p-56;

constexpr int kParts = 128;  // intervals of an octave: series stay short, tables in the L1 cache

struct Tables {
  std::array<Double2, kParts> power;      // 2^(i / kParts)
  std::array<double, kParts> inverse;     // of a number in interval i: a multiple of 2^-8
  std::array<Double2, kParts> logarithm;  // -ln(inverse)
};

// Intervals begin at 11/16, so that 1 is well inside an octave and its logarithm exactly 0.
constexpr std::uint64_t kFirst = 0x3fe6000000000000U;
constexpr int kPartBits = 45;  // of a mantissa below the interval's number

// ln((1 + s) / (1 - s)) / 2 = s + s^3 / 3 + s^5 / 5 + …
Double2 area_tangent(Double2 s) {
  const Double2 square = s * s;
  Double2 sum;
  for (int n = 51; n > 1; n -= 2) sum = (sum + Double2{1.0, 0.0} / n) * square;
  return (sum + Double2{1.0, 0.0}) * s;
}

Double2 exponential(Double2 x) {
  Double2 sum{1.0, 0.0};
  for (int n = 28; n > 0; --n) sum = sum * x / n + Double2{1.0, 0.0};
  return sum;
}

Tables make_tables() {
  Tables out{};
  for (int i = 0; i < kParts; ++i) {
    const auto at = static_cast<std::size_t>(i);
    out.power[at] = exponential(kLn2 * Double2{i / double{kParts}, 0.0});
    const std::uint64_t bits = kFirst + (static_cast<std::uint64_t>(i) << kPartBits);
    const auto low = std::bit_cast<double>(bits);
    const auto high = std::bit_cast<double>(bits + (std::uint64_t{1} << kPartBits));
    // Beside 1 the number itself stays: its logarithm has full relative precision.
    const bool beside = low == 1.0 || high == 1.0;
    const double steps = beside ? 256.0 : std::floor(512.0 / (low + high) + 0.5);
    out.inverse[at] = steps / 256.0;
    const Double2 half = area_tangent(Double2{256.0 - steps, 0.0} / (256.0 + steps));
    out.logarithm[at] = half + half;
  }
  return out;
}

const Tables& tables() {
  static const Tables kTables = make_tables();
  return kTables;
}

struct Logarithm {
  double octaves = 0.0;  // whole ones
  Double2 rest;          // the natural logarithm of what is left
};

// Of a positive finite number.
Logarithm logarithm(double x) {
  double below = 0.0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    below = 54.0;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t from = bits - kFirst;
  const auto at = static_cast<std::size_t>((from >> kPartBits) % kParts);
  const auto octave = static_cast<std::int64_t>(from) >> 52;
  const auto z = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(octave) << 52U));
  const Tables& t = tables();
  // z times a number of 9 bits is exact in two pieces.
  const auto z1 = std::bit_cast<double>((std::bit_cast<std::uint64_t>(z) + (1U << 31U)) &
                                        ~std::uint64_t{0xffffffff});
  const double r1 = z1 * t.inverse[at] - 1.0;
  const double r2 = (z - z1) * t.inverse[at];
  const double r = r1 + r2;
  const double r_low = (r1 - r) + r2;
  // ln(1 + r) = r - r²/2 + r³/3 - …; |r| < 2^-7
  const double series =
      1.0 / 3 +
      r * (-1.0 / 4 +
           r * (1.0 / 5 + r * (-1.0 / 6 + r * (1.0 / 7 + r * (-1.0 / 8 + r * (1.0 / 9))))));
  const Double2 first = fast_sum(r, -0.5 * r * r);
  const Double2 sum = fast_sum(t.logarithm[at].high, first.high);  // 0 or the larger one
  const double low =
      sum.low + (t.logarithm[at].low + (first.low + (r_low - r * r_low) + r * r * r * series));
  return {static_cast<double>(octave) - below, fast_sum(sum.high, low)};
}

Double2 natural(const Logarithm& log) {
  // 42 bits of an octave's logarithm: times a count of 11 bits it is exact.
  constexpr double kHigh = 0x1.62e42fefa38p-1;
  constexpr double kLow = 0x1.ef35793c76730p-45;                     // the rest of ln 2
  const Double2 sum = fast_sum(log.octaves * kHigh, log.rest.high);  // 0 or the larger one
  return fast_sum(sum.high, sum.low + (log.octaves * kLow + log.rest.low));
}

double scaled(double value, std::int64_t octaves) {
  if (octaves < -1000 || octaves > 1000) return std::ldexp(value, static_cast<int>(octaves));
  return value * std::bit_cast<double>(static_cast<std::uint64_t>(octaves + 1023) << 52U);
}

double exp_of(Double2 x) {
  constexpr double kOverflow = 709.8;
  constexpr double kUnderflow = -745.2;
  if (x.high > kOverflow) return std::numeric_limits<double>::infinity();
  if (x.high < kUnderflow) return 0.0;
  constexpr double kRound = 0x1.8p52;  // adding and subtracting it rounds to a whole number
  const double count = (x.high * (kInverseLn2 * kParts) + kRound) - kRound;
  const auto steps = static_cast<std::int64_t>(count);
  constexpr double kHigh = 0x1.62e42fefap-8;  // ln 2 / kParts: 36 bits, products are exact
  constexpr double kLow = 0x1.cf79abc9e3b3ap-47;
  const double r = ((x.high - count * kHigh) - count * kLow) + x.low;
  const double series =
      r + r * r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720)))));
  const auto at = static_cast<std::size_t>(steps & (kParts - 1));
  const Double2 power = tables().power[at];
  return scaled(power.high + (power.low + power.high * series),
                (steps - static_cast<std::int64_t>(at)) / kParts);
}

bool ordinary(double x) { return x > 0.0 && x <= std::numeric_limits<double>::max(); }

}  // namespace

double exp(double x) { return std::isnan(x) ? x : exp_of({x, 0.0}); }

double log(double x) {
  if (!ordinary(x)) return std::log(x);  // zero, infinity, nothing: the library is exact there
  const Double2 out = natural(logarithm(x));
  return out.high + out.low;
}

double log1p(double x) {
  const double sum = 1.0 + x;
  if (!ordinary(sum)) return std::log1p(x);
  if (sum == 1.0) return x;
  return log(sum) + (x - (sum - 1.0)) / sum;
}

double log2(double x) {
  if (!ordinary(x)) return std::log2(x);
  const Logarithm of = logarithm(x);
  const Double2 rest = of.rest * Double2{kInverseLn2, kInverseLn2Low};
  const Double2 sum = two_sum(of.octaves, rest.high);
  return sum.high + (sum.low + rest.low);
}

double pow(double base, double exponent) {
  constexpr double kHuge = 0x1p65;  // beyond it the power of anything but 1 is 0 or infinite
  if (!ordinary(base) || !(std::abs(exponent) < kHuge)) return std::pow(base, exponent);
  const Double2 log = natural(logarithm(base));
  const Double2 product = two_product(exponent, log.high);
  return exp_of(fast_sum(product.high, product.low + exponent * log.low));
}

}  // namespace fathom::portable
