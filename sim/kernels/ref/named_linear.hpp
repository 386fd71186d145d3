#pragma once

#include <string_view>

#include "kernels/ref/linear.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

/// linear(x, w) under the operator's name in the analytic model.
template <class T>
Tensor<T> linear(std::string_view op, const Tensor<T>& x, const Tensor<T>& w) {
  const OpScope scope{op};
  return linear(x, w);
}

}  // namespace fathom::kernels::ref
