#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/counted.hpp"

namespace fathom::kernels::ref {

template <class T>
T sigmoid(const T& x) {
  using std::exp;
  return T{1} / (T{1} + exp(-x));
}

/// log(1 + e^x), and x itself above 20 as torch.nn.functional.softplus has it: with double the two
/// differ by 2e-9 there.
template <class T>
T softplus(const T& x) {
  using std::exp;
  using std::log1p;
  return x > T{20} ? x : log1p(exp(x));
}

/// x sigmoid(x), also called swish.
template <class T>
T silu(const T& x) {
  return x * sigmoid(x);
}

/// silu(gate) * up. A positive `limit` clamps first as DeepSeek-V4 does (inference/model.py,
/// Expert.forward): the gate from above only, the up projection on both sides.
template <class T>
T swiglu(T gate, T up, double limit = 0.0) {
  if (limit > 0.0) {
    const T bound = static_cast<T>(limit);
    gate = std::min<T>(gate, bound);
    up = std::clamp<T>(up, -bound, bound);
  }
  return silu(gate) * up;
}

}  // namespace fathom::kernels::ref
