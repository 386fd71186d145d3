#pragma once

#include <span>
#include <vector>

#include "core/error.hpp"

namespace fathom::kernels::ref {

// Caches hold one row of fixed width per position. What attention needs of a cache of one sequence
// is `append(row)`, `row(position)` and `length()`: ContiguousCache and PagedSequence both have
// them. What a row holds is up to the user: [keys | values] of all KV heads, or MLA's
// [latent | k_pe].

/// The rows of one sequence, one after the other.
template <class T>
class ContiguousCache {
 public:
  explicit ContiguousCache(std::int64_t row_width) : row_width_(row_width) {}

  void append(std::span<const T> row) {
    FATHOM_EXPECT(static_cast<std::int64_t>(row.size()) == row_width_, "cache row of other width");
    values_.insert(values_.end(), row.begin(), row.end());
  }
  /// Forgets every position from `length` on.
  void truncate(std::int64_t length) {
    FATHOM_EXPECT(length >= 0 && length <= this->length(), "cannot truncate to more than is held");
    values_.resize(static_cast<std::size_t>(length * row_width_));
  }
  /// Elements held.
  std::int64_t size() const { return static_cast<std::int64_t>(values_.size()); }
  std::int64_t length() const { return row_width_ == 0 ? 0 : size() / row_width_; }
  std::span<const T> row(std::int64_t position) const {
    FATHOM_EXPECT(position >= 0 && position < length(), "no such cached position");
    return std::span<const T>{values_}.subspan(static_cast<std::size_t>(position * row_width_),
                                               static_cast<std::size_t>(row_width_));
  }

 private:
  std::int64_t row_width_;
  std::vector<T> values_;
};

}  // namespace fathom::kernels::ref
