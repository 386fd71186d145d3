#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "kernels/tensor.hpp"

namespace fathom::kernels::ref {

/// Rows of many sequences in blocks of equal size, found through a block table per sequence as in
/// PagedAttention (arXiv 2309.06180, section 4). Sequences may share the blocks of a common
/// prefix; whoever appends to a block that has other owners first copies it.
template <class T>
class PagedCache {
 public:
  PagedCache(std::int64_t block_size, std::int64_t row_width)
      : block_size_(block_size), row_width_(row_width) {
    FATHOM_EXPECT(block_size > 0 && row_width > 0, "cache blocks must hold something");
  }

  /// A new empty sequence; its number.
  std::int64_t add_sequence() {
    sequences_.emplace_back();
    return static_cast<std::int64_t>(sequences_.size()) - 1;
  }
  /// A new sequence that starts with the first `tokens` rows of `other`, in the same blocks.
  std::int64_t share_prefix(std::int64_t other, std::int64_t tokens) {
    FATHOM_EXPECT(tokens >= 0 && tokens <= length(other), "prefix longer than its sequence");
    const auto blocks = static_cast<std::size_t>((tokens + block_size_ - 1) / block_size_);
    const auto& table = sequence(other).table;
    Sequence twin{.table = {table.begin(), table.begin() + static_cast<std::ptrdiff_t>(blocks)},
                  .length = tokens};
    for (const std::size_t b : twin.table) ++blocks_[b].owners;
    sequences_.push_back(std::move(twin));
    return static_cast<std::int64_t>(sequences_.size()) - 1;
  }
  /// Empties a sequence; blocks without another owner become free.
  void release(std::int64_t seq) {
    for (const std::size_t b : sequence(seq).table) drop(b);
    sequence(seq) = {};
  }
  void append(std::int64_t seq, std::span<const T> row) {
    FATHOM_EXPECT(static_cast<std::int64_t>(row.size()) == row_width_, "cache row of other width");
    Sequence& s = sequence(seq);
    const std::int64_t used = s.length % block_size_;
    if (used == 0) {
      s.table.push_back(take_block());
    } else if (blocks_[s.table.back()].owners > 1) {
      s.table.back() = copy_block(s.table.back(), used);
    }
    std::ranges::copy(row, blocks_[s.table.back()].rows.row(used).begin());
    ++s.length;
  }

  std::int64_t length(std::int64_t seq) const { return sequence(seq).length; }
  std::span<const T> row(std::int64_t seq, std::int64_t position) const {
    const Sequence& s = sequence(seq);
    FATHOM_EXPECT(position >= 0 && position < s.length, "no such cached position");
    const std::size_t block = s.table[static_cast<std::size_t>(position / block_size_)];
    return blocks_[block].rows.row(position % block_size_);
  }
  /// Blocks with at least one owner, each once however many share it.
  std::int64_t blocks_held() const {
    return static_cast<std::int64_t>(blocks_.size() - free_.size());
  }
  /// Bytes of the held blocks, unused rows of their ends included.
  std::int64_t bytes_held(std::int64_t bytes_per_element) const {
    return blocks_held() * block_size_ * row_width_ * bytes_per_element;
  }

 private:
  struct Block {
    Tensor<T> rows;  // [block_size, row_width]
    std::int64_t owners = 1;
  };
  struct Sequence {
    std::vector<std::size_t> table;  // blocks in order of position
    std::int64_t length = 0;
  };

  const Sequence& sequence(std::int64_t seq) const {
    return sequences_.at(static_cast<std::size_t>(seq));
  }
  Sequence& sequence(std::int64_t seq) { return sequences_.at(static_cast<std::size_t>(seq)); }

  std::size_t take_block() {
    if (free_.empty()) {
      blocks_.push_back({.rows = Tensor<T>{{block_size_, row_width_}}});
      return blocks_.size() - 1;
    }
    const std::size_t block = free_.back();
    free_.pop_back();
    blocks_[block].owners = 1;
    return block;
  }
  std::size_t copy_block(std::size_t from, std::int64_t used) {
    const std::size_t to = take_block();
    for (std::int64_t r = 0; r < used; ++r) {
      std::ranges::copy(std::as_const(blocks_[from].rows).row(r), blocks_[to].rows.row(r).begin());
    }
    drop(from);
    return to;
  }
  void drop(std::size_t block) {
    if (--blocks_[block].owners == 0) free_.push_back(block);
  }

  std::int64_t block_size_;
  std::int64_t row_width_;
  std::vector<Block> blocks_;
  std::vector<std::size_t> free_;
  std::vector<Sequence> sequences_;
};

/// One sequence of a paged cache, seen like a contiguous one. The cache must outlive it.
template <class T>
struct PagedSequence {
  PagedCache<T>* cache = nullptr;
  std::int64_t sequence = 0;

  void append(std::span<const T> row) { cache->append(sequence, row); }
  std::span<const T> row(std::int64_t position) const { return cache->row(sequence, position); }
  std::int64_t length() const { return cache->length(sequence); }
};

}  // namespace fathom::kernels::ref
