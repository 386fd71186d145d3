#pragma once
// Quantities as types: a Bytes cannot be passed for a Flops, and Bytes / BytesPerSecond is Seconds.

#include <compare>

namespace fathom {

/// A number with dimension byte^B · flop^F · second^S · token^T · dollar^U, stored in base units.
template <int B, int F, int S, int T, int U>
struct Quantity {
  double value = 0.0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(double v) : value(v) {}
  auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity o) {
    value += o.value;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity o) {
    value -= o.value;
    return *this;
  }
  constexpr Quantity& operator*=(double s) {
    value *= s;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity{a.value + b.value};
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity{a.value - b.value};
  }
  friend constexpr Quantity operator*(Quantity a, double s) { return Quantity{a.value * s}; }
  friend constexpr Quantity operator*(double s, Quantity a) { return Quantity{s * a.value}; }
  friend constexpr Quantity operator/(Quantity a, double s) { return Quantity{a.value / s}; }
};

template <int B, int F, int S, int T, int U, int B2, int F2, int S2, int T2, int U2>
constexpr auto operator/(Quantity<B, F, S, T, U> a, Quantity<B2, F2, S2, T2, U2> b) {
  if constexpr (B == B2 && F == F2 && S == S2 && T == T2 && U == U2) {
    return a.value / b.value;  // a ratio of like quantities is a plain number
  } else {
    return Quantity<B - B2, F - F2, S - S2, T - T2, U - U2>{a.value / b.value};
  }
}
template <int B, int F, int S, int T, int U, int B2, int F2, int S2, int T2, int U2>
constexpr auto operator*(Quantity<B, F, S, T, U> a, Quantity<B2, F2, S2, T2, U2> b) {
  if constexpr (B + B2 == 0 && F + F2 == 0 && S + S2 == 0 && T + T2 == 0 && U + U2 == 0) {
    return a.value * b.value;
  } else {
    return Quantity<B + B2, F + F2, S + S2, T + T2, U + U2>{a.value * b.value};
  }
}

using Bytes = Quantity<1, 0, 0, 0, 0>;
using Flops = Quantity<0, 1, 0, 0, 0>;  // a multiply-add counts as 2
using Seconds = Quantity<0, 0, 1, 0, 0>;
using Tokens = Quantity<0, 0, 0, 1, 0>;
using Usd = Quantity<0, 0, 0, 0, 1>;
using BytesPerSecond = Quantity<1, 0, -1, 0, 0>;  // of a link: per direction
using FlopsPerSecond = Quantity<0, 1, -1, 0, 0>;  // of a peak: dense
using FlopsPerByte = Quantity<-1, 1, 0, 0, 0>;
using TokensPerSecond = Quantity<0, 0, -1, 1, 0>;
using BytesPerToken = Quantity<1, 0, 0, -1, 0>;
using UsdPerSecond = Quantity<0, 0, -1, 0, 1>;
using UsdPerToken = Quantity<0, 0, 0, -1, 1>;

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long v) { return Bytes{static_cast<double>(v)}; }
constexpr Bytes operator""_KiB(unsigned long long v) {
  return Bytes{static_cast<double>(v) * 1024.0};
}
constexpr Bytes operator""_GiB(long double v) {
  return Bytes{static_cast<double>(v) * 1073741824.0};
}
constexpr Bytes operator""_GiB(unsigned long long v) {
  return Bytes{static_cast<double>(v) * 1073741824.0};
}
constexpr BytesPerSecond operator""_GB_s(unsigned long long v) {
  return BytesPerSecond{static_cast<double>(v) * 1e9};
}
constexpr BytesPerSecond operator""_GB_s(long double v) {
  return BytesPerSecond{static_cast<double>(v) * 1e9};
}
constexpr FlopsPerSecond operator""_TFLOPS(long double v) {
  return FlopsPerSecond{static_cast<double>(v) * 1e12};
}
constexpr FlopsPerSecond operator""_TFLOPS(unsigned long long v) {
  return FlopsPerSecond{static_cast<double>(v) * 1e12};
}
constexpr Seconds operator""_us(long double v) { return Seconds{static_cast<double>(v) * 1e-6}; }
constexpr Seconds operator""_us(unsigned long long v) {
  return Seconds{static_cast<double>(v) * 1e-6};
}
constexpr Seconds operator""_ms(long double v) { return Seconds{static_cast<double>(v) * 1e-3}; }
}  // namespace literals

}  // namespace fathom
