#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// (token, choice) pairs in the order grouped products want them: by expert, within an expert by
/// token. A slot is token * choices + choice.
struct Dispatch {
  std::vector<std::int64_t> slots;
  std::vector<std::int64_t>
      offsets;               // [experts + 1]: expert e owns slots[offsets[e], offsets[e+1])
  std::int64_t choices = 1;  // of one token
  std::int64_t token(std::size_t row) const { return slots[row] / choices; }
};

/// Sorts indices [tokens, choices] by expert. `kept` (1 or 0, like indices; empty: all) leaves out
/// pairs beyond an expert's capacity or on another device.
inline Dispatch dispatch_by_expert(const Indices& indices, std::int64_t experts,
                                   const Indices& kept = {}) {
  FATHOM_EXPECT(kept.empty() || kept.size() == indices.size(), "a mask of other choices");
  Dispatch out{.choices = indices.dim(-1)};
  out.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
  for (std::int64_t s = 0; s < indices.size(); ++s) {
    FATHOM_EXPECT(indices[s] >= 0 && indices[s] < experts, "no such expert");
    if (kept.empty() || kept[s] != 0) ++out.offsets[static_cast<std::size_t>(indices[s]) + 1];
  }
  for (std::size_t e = 1; e < out.offsets.size(); ++e) out.offsets[e] += out.offsets[e - 1];
  out.slots.resize(static_cast<std::size_t>(out.offsets.back()));
  std::vector<std::int64_t> next(out.offsets.begin(), out.offsets.end() - 1);
  for (std::int64_t s = 0; s < indices.size(); ++s) {
    if (!kept.empty() && kept[s] == 0) continue;
    const auto row = next[static_cast<std::size_t>(indices[s])]++;
    out.slots[static_cast<std::size_t>(row)] = s;
  }
  return out;
}

/// Rows every expert got: offsets [experts + 1] -> [experts].
inline std::vector<std::int64_t> rows_per_expert(const Dispatch& dispatch) {
  std::vector<std::int64_t> rows;
  for (std::size_t e = 0; e + 1 < dispatch.offsets.size(); ++e) {
    rows.push_back(dispatch.offsets[e + 1] - dispatch.offsets[e]);
  }
  return rows;
}

/// Copies of the dispatched tokens: x [tokens, dim] -> [pairs, dim], in the order of the slots.
template <class T>
Tensor<T> permute_rows(const Tensor<T>& x, const Dispatch& dispatch) {
  const auto pairs = static_cast<std::int64_t>(dispatch.slots.size());
  Tensor<T> rows{Shape{pairs, x.dim(-1)}};
  for (std::int64_t r = 0; r < pairs; ++r) {
    std::ranges::copy(x.row(dispatch.token(static_cast<std::size_t>(r))), rows.row(r).begin());
  }
  return rows;
}

/// Every row through its own expert's matrix: rows [pairs, in] sorted by expert, offsets
/// [experts + 1], weights [experts, out, in] -> [pairs, out]. Experts without rows are not touched.
template <class T>
Tensor<T> grouped_linear(const Tensor<T>& rows, std::span<const std::int64_t> offsets,
                         const Tensor<T>& weights) {
  FATHOM_EXPECT(static_cast<std::int64_t>(offsets.size()) == weights.dim(0) + 1,
                "one offset per expert and the end");
  FATHOM_EXPECT(rows.dim(-1) == weights.dim(2), "rows of another width than the experts'");
  const std::int64_t width = weights.dim(1);
  Tensor<T> y{Shape{rows.dim(0), width}};
  for (std::int64_t e = 0; e < weights.dim(0); ++e) {
    const auto expert = static_cast<std::size_t>(e);
    for (std::int64_t r = offsets[expert]; r < offsets[expert + 1]; ++r) {
      for (std::int64_t o = 0; o < width; ++o) {
        y[r * width + o] = dot<T>(rows.row(r), weights.row(e * width + o));
      }
    }
  }
  return y;
}

/// Sum of every token's rows: rows [pairs, dim] in slot order -> [tokens, dim]. Tokens without rows
/// (all dropped) get zeros.
template <class T>
Tensor<T> combine_rows(const Tensor<T>& rows, const Dispatch& dispatch, std::int64_t tokens) {
  const std::int64_t dim = rows.dim(-1);
  Tensor<Sum<T>> sums{Shape{tokens, dim}};
  for (std::int64_t r = 0; r < rows.dim(0); ++r) {
    const std::int64_t token = dispatch.token(static_cast<std::size_t>(r));
    for (std::int64_t i = 0; i < dim; ++i) {
      sums[token * dim + i] += static_cast<Sum<T>>(rows[r * dim + i]);
    }
  }
  return converted<T>(sums);
}

}  // namespace fathom::kernels::ref
