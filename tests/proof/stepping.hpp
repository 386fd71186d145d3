#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "proof/layer_shape.hpp"
#include "proof/step_log.hpp"
#include "reference.hpp"

namespace fathom::proof::test {

/// Equal numbers of tokens for each sequence: [sequences, tokens, width].
struct Batch {
  std::int64_t sequences = 1;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  std::vector<kernels::cpu::Bf16> data;

  Batch(std::int64_t n, std::int64_t t, std::int64_t w, std::uint64_t seed)
      : sequences(n), tokens(t), width(w), data(random_tokens(n * t, w, seed)) {}
  Rows sequence(std::int64_t i) const {
    const auto size = static_cast<std::size_t>(tokens * width);
    return rows_of(std::span{data}.subspan(static_cast<std::size_t>(i) * size, size), width);
  }
};

/// All tokens of all sequences through a sublayer in steps of `shape.new_tokens`; its outputs as
/// rows per sequence.
template <class Sublayer>
std::vector<Rows> through(Sublayer& layer, const LayerShape& shape, const Batch& batch) {
  const std::int64_t step = shape.new_tokens * batch.width;
  std::vector<kernels::cpu::Bf16> x(static_cast<std::size_t>(shape.rows() * batch.width));
  std::vector<float> y(x.size());
  std::vector<Rows> out(static_cast<std::size_t>(batch.sequences));
  for (std::int64_t done = 0; done < batch.tokens; done += shape.new_tokens) {
    for (std::int64_t s = 0; s < batch.sequences; ++s)
      std::copy_n(batch.data.begin() + (s * batch.tokens + done) * batch.width, step,
                  x.begin() + s * step);
    layer.run({.x = x.data(), .y = y.data(), .context = done}, nullptr);
    const Rows rows = rows_of(std::span<const float>{y}, batch.width);
    for (std::int64_t s = 0; s < batch.sequences; ++s)
      for (std::int64_t t = 0; t < shape.new_tokens; ++t)
        out[static_cast<std::size_t>(s)].push_back(
            rows[static_cast<std::size_t>(s * shape.new_tokens + t)]);
  }
  return out;
}

}  // namespace fathom::proof::test
