#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "core/error.hpp"
#include "kernels/cpu/indexer.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr int kDigitBits = 11;
constexpr std::uint32_t kDigits = 1U << kDigitBits;
constexpr int kShifts[3] = {21, 10, 0};  // 11, 11 and 10 new bits

/// Unsigned, and smaller for larger scores; both zeros are equal.
std::uint32_t rank_of(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  const bool negative = (bits & 0x80000000U) != 0;
  return negative ? bits : ~(bits | 0x80000000U);
}

/// The rank of the k-th best of `scores`, k >= 1, digit by digit.
std::uint32_t kth_rank(std::span<const float> scores, std::int64_t k) {
  std::uint32_t found = 0;
  std::uint32_t mask = 0;
  for (const int shift : kShifts) {
    std::array<std::int64_t, kDigits> counts{};
    for (const float score : scores) {
      const std::uint32_t rank = rank_of(score);
      if ((rank & mask) == found) ++counts[(rank >> shift) % kDigits];
    }
    std::uint32_t digit = 0;
    while (k > counts[digit]) k -= counts[digit++];
    found |= digit << shift;
    mask |= (kDigits - 1) << shift;
  }
  return found;
}

}  // namespace

std::span<const std::int64_t> TopKeys::select(std::span<const float> scores) {
  const auto count = static_cast<std::int64_t>(scores.size());
  const std::int64_t width = std::min(topk_, count);
  best_.assign(static_cast<std::size_t>(width), -1);
  candidates_.clear();
  if (width == 0) return best_;
  const std::uint32_t last = width == count ? ~0U : kth_rank(scores, width);
  const std::uint32_t never = rank_of(-std::numeric_limits<float>::infinity());
  // Better than the k-th: all of them; equal to it: the first ones.
  const auto collect = [&](auto&& wanted) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (static_cast<std::int64_t>(candidates_.size()) == width) return;
      const std::uint32_t rank = rank_of(scores[i]);
      if (wanted(rank) && rank != never)
        candidates_.push_back(static_cast<std::uint64_t>(rank) << 32 | i);
    }
  };
  collect([last](std::uint32_t rank) { return rank < last; });
  collect([last](std::uint32_t rank) { return rank == last; });
  std::ranges::sort(candidates_);
  std::ranges::transform(candidates_, best_.begin(), [](std::uint64_t candidate) {
    return static_cast<std::int64_t>(candidate & 0xffffffffU);
  });
  return best_;
}

namespace {

template <class T>
const T* moved(const T* from, std::int64_t count) {
  return from == nullptr ? nullptr : from + count;
}
const void* moved_bytes(const void* from, std::int64_t bytes) {
  return moved(static_cast<const std::uint8_t*>(from), bytes);
}

KvSpan row_of(const KvLayout& layout, const KvSpan& span, std::int64_t row) {
  const std::int64_t bytes = bytes_per_element(layout.storage);
  const std::int64_t key_scales = scales_per_row(layout, layout.key_stride);
  const std::int64_t value_scales = scales_per_row(layout, layout.value_stride);
  return {.keys = moved_bytes(span.keys, row * layout.key_stride * bytes),
          .values = moved_bytes(span.values, row * layout.value_stride * bytes),
          .key_scales = moved(span.key_scales, row * key_scales),
          .value_scales = moved(span.value_scales, row * value_scales),
          .rows = 1};
}

}  // namespace

void select_rows(const KvLayout& layout, KvSequence cache, std::span<const std::int64_t> positions,
                 std::vector<KvSpan>& selected) {
  std::vector<std::int64_t> order(positions.begin(), positions.end());
  std::ranges::sort(order);
  selected.clear();
  std::size_t span = 0;
  std::int64_t first = 0;
  std::int64_t previous = -1;  // the position before, if in the same span
  for (const std::int64_t position : order) {
    if (position < 0) continue;
    while (span < cache.size() && position >= first + cache[span].rows) {
      first += cache[span++].rows;
      previous = -1;
    }
    FATHOM_EXPECT(span < cache.size(), "a position in the cache");
    if (previous >= 0 && position == previous + 1)
      ++selected.back().rows;
    else
      selected.push_back(row_of(layout, cache[span], position - first));
    previous = position;
  }
}

}  // namespace fathom::kernels::cpu
