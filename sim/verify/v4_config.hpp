#pragma once

#include <vector>

#include "kernels/ref/v4_spec.hpp"
#include "verify/golden_case.hpp"

namespace fathom::verify {

/// Rotary settings of a DeepSeek-V4 case, by the names of ModelArgs in its inference/model.py,
/// whose defaults stand in for what a config leaves out.
kernels::ref::V4RopeSettings v4_rope_settings(JsonReader& config);

/// Attention dimensions of one layer of such a case.
kernels::ref::V4AttentionSpec v4_attention_spec(JsonReader& config, bool compresses);

/// Tensors of one shape as slices of a new first dimension.
template <class T>
kernels::Tensor<T> stacked(const std::vector<kernels::Tensor<T>>& parts) {
  kernels::Shape shape = parts.front().shape;
  shape.insert(shape.begin(), static_cast<std::int64_t>(parts.size()));
  kernels::Tensor<T> out{shape};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::ranges::copy(parts[i].data, out.slice(static_cast<std::int64_t>(i)).begin());
  }
  return out;
}

}  // namespace fathom::verify
