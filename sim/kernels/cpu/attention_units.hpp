#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cpu/attention_plan.hpp"

namespace fathom::kernels::cpu {

/// Query rows that share what they read, and the range of it that one unit covers.
struct AttentionUnit {
  std::int64_t sequence = 0;
  std::int64_t kv_head = 0;
  std::int64_t row = 0;  // first query row: token * (heads per KV head) + head of the group
  std::int64_t rows = 0;
  std::int64_t first = 0, last = 0;  // cache rows
  std::int64_t part = -1;            // place of its partial output; -1: covers everything
  std::int64_t parts = 1;            // ranges of the same query rows, part .. part + parts
};

/// Units of neighbouring KV heads over the same cache rows: units [first, first + count).
struct UnitBundle {
  std::size_t first = 0;
  std::size_t count = 1;
};

struct UnitLimits {
  std::int64_t max_rows = 0;        // query rows of a unit
  std::int64_t grain = 0;           // cache rows: ranges are multiples of it
  std::int64_t heads_together = 1;  // in a bundle
};

/// All work of a call. The more of it a bundle has, the earlier it comes, so that the last ones to
/// be taken are small.
struct AttentionUnits {
  std::vector<AttentionUnit> units;
  std::vector<UnitBundle> bundles;
  std::int64_t parts = 0;      // partial outputs
  std::int64_t part_rows = 0;  // query rows of the largest of them
};

/// Ranges of a unit are fewer than this.
inline constexpr std::int64_t kMostRanges = 32;

inline std::int64_t round_up(std::int64_t value, std::int64_t grain) {
  return (value + grain - 1) / grain * grain;
}

/// First and last (exclusive) cache row that query token `token` of a sequence with `keys` rows
/// sees.
std::pair<std::int64_t, std::int64_t> seen_rows(const AttentionShape& shape,
                                                const AttentionSequence& s, std::int64_t keys,
                                                std::int64_t token);

/// Replaces what `out` holds. BugError when a cache has 2^31 rows or more.
void plan_units(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                const UnitLimits& limits, AttentionUnits& out);

}  // namespace fathom::kernels::cpu
