#pragma once

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstdint>
#include <type_traits>

#include "kernels/tensor.hpp"

namespace fathom::kernels {

/// What the arithmetic of `Counted` scalars has done. Following the field, a FLOP count is the
/// arithmetic of the contractions alone, a multiply-add being two; everything else (exponentials,
/// norms, rotations, comparisons) is `pointwise`.
struct Tally {
  std::int64_t multiply_adds = 0;
  std::int64_t state_updates = 0;  // arithmetic on a recurrent state (linear attention)
  std::int64_t pointwise = 0;
  bool operator==(const Tally&) const = default;
};
inline double flops(const Tally& t) {
  return 2.0 * static_cast<double>(t.multiply_adds) + static_cast<double>(t.state_updates);
}
inline Tally operator-(const Tally& a, const Tally& b) {
  return {a.multiply_adds - b.multiply_adds, a.state_updates - b.state_updates,
          a.pointwise - b.pointwise};
}

/// The running count of this thread. Ambient because operators of a scalar have no other argument
/// to carry it in; read differences of it, or start from zero with CountScope.
inline thread_local Tally tally;

/// Counts from zero while it lives, then restores the count of whoever was counting before.
class CountScope {
 public:
  CountScope() : outer_(tally) { tally = {}; }
  ~CountScope() { tally = outer_; }
  CountScope(const CountScope&) = delete;
  CountScope& operator=(const CountScope&) = delete;
  Tally count() const { return tally; }

 private:
  Tally outer_;
};

/// A scalar that computes like `Base`, counts its arithmetic in `tally` and remembers whether it
/// was read or written: running a kernel on tensors of it shows which operations it executed and
/// which elements it touched.
template <class Base>
class Counted {
 public:
  using Number = Base;
  Counted() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number> Counted(Number v)
      : value_(static_cast<Base>(v)) {}  // implicit: a number like any other
  template <class Other>
  explicit Counted(const Counted<Other>& o) : value_(static_cast<Base>(o.read())) {}
  Counted(const Counted& o) : value_(o.read()) {}
  Counted& operator=(const Counted& o) {
    value_ = o.read();
    written_ = true;
    return *this;
  }
  ~Counted() = default;

  Base read() const {
    read_ = true;
    return value_;
  }
  Base peek() const { return value_; }  ///< the value, without counting as a read
  bool was_read() const { return read_; }
  bool was_written() const { return written_; }
  void forget() { read_ = written_ = false; }
  explicit operator double() const { return static_cast<double>(read()); }
  explicit operator float() const { return static_cast<float>(read()); }

  Counted& operator+=(const Counted& o) { return *this = *this + o; }
  Counted& operator-=(const Counted& o) { return *this = *this - o; }
  Counted& operator*=(const Counted& o) { return *this = *this * o; }
  Counted& operator/=(const Counted& o) { return *this = *this / o; }

  friend Counted operator+(const Counted& a, const Counted& b) { return once(a.read() + b.read()); }
  friend Counted operator-(const Counted& a, const Counted& b) { return once(a.read() - b.read()); }
  friend Counted operator*(const Counted& a, const Counted& b) { return once(a.read() * b.read()); }
  friend Counted operator/(const Counted& a, const Counted& b) { return once(a.read() / b.read()); }
  friend Counted operator-(const Counted& a) { return once(-a.read()); }
  friend bool operator==(const Counted& a, const Counted& b) {
    ++tally.pointwise;
    return a.read() == b.read();
  }
  friend std::partial_ordering operator<=>(const Counted& a, const Counted& b) {
    ++tally.pointwise;
    return a.read() <=> b.read();
  }

  friend Counted exp(const Counted& a) { return once(std::exp(a.read())); }
  friend Counted log(const Counted& a) { return once(std::log(a.read())); }
  friend Counted log1p(const Counted& a) { return once(std::log1p(a.read())); }
  friend Counted sqrt(const Counted& a) { return once(std::sqrt(a.read())); }
  friend Counted sin(const Counted& a) { return once(std::sin(a.read())); }
  friend Counted cos(const Counted& a) { return once(std::cos(a.read())); }
  friend Counted abs(const Counted& a) { return once(std::abs(a.read())); }
  friend bool isfinite(const Counted& a) { return std::isfinite(a.peek()); }

 private:
  static Counted once(Base v) {
    ++tally.pointwise;
    return Counted{v};
  }

  Base value_{};
  mutable bool read_ = false;
  bool written_ = false;
};

/// The number type a kernel's sums run in: float rows are summed in double, so that the definition
/// of correct is not the one that is wrong.
template <class T>
struct Accumulator {
  using Type = T;
};
template <>
struct Accumulator<float> {
  using Type = double;
};
template <class Base>
struct Accumulator<Counted<Base>> {
  using Type = Counted<typename Accumulator<Base>::Type>;
};

template <class T>
using Sum = typename Accumulator<T>::Type;

template <class T>
inline constexpr bool kIsCounted = false;
template <class Base>
inline constexpr bool kIsCounted<Counted<Base>> = true;

/// sum += a * b: the one step all contractions are made of.
template <class T>
void multiply_add(Sum<T>& sum, const T& a, const T& b) {
  if constexpr (kIsCounted<T>) {
    using Wide = typename Sum<T>::Number;
    ++tally.multiply_adds;
    sum = Sum<T>{sum.peek() + static_cast<Wide>(a.read()) * static_cast<Wide>(b.read())};
  } else {
    sum += static_cast<Sum<T>>(a) * static_cast<Sum<T>>(b);
  }
}

/// state *= gate, counted as arithmetic on a recurrent state.
template <class T>
void decay(T& state, const T& gate) {
  if constexpr (kIsCounted<T>) {
    ++tally.state_updates;
    state = T{state.read() * gate.read()};
  } else {
    state *= gate;
  }
}

/// Elements of `x` that a kernel read or wrote since `forget`.
template <class Base>
std::int64_t elements_read(const Tensor<Counted<Base>>& x) {
  return std::count_if(x.data.begin(), x.data.end(), [](const auto& e) { return e.was_read(); });
}
template <class Base>
std::int64_t elements_written(const Tensor<Counted<Base>>& x) {
  return std::count_if(x.data.begin(), x.data.end(), [](const auto& e) { return e.was_written(); });
}
template <class Base>
void forget(Tensor<Counted<Base>>& x) {
  for (auto& e : x.data) e.forget();
}

}  // namespace fathom::kernels
