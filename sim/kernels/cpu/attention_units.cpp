#include "kernels/cpu/attention_units.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "core/error.hpp"
#include "kernels/cpu/attention_job.hpp"

namespace fathom::kernels::cpu {
namespace {

// A sequence is split when its share of the call's cache rows is larger than this part ...
constexpr std::int64_t kUnits = 16;
// ... but a range of rows is worth the fp32 output that it leaves to be merged: 16 query rows of
// MLA write 32 KiB per range and read 1152 B per row.
constexpr std::int64_t kMinRange = 512;
// Ranges are at least three quarters of a part, hence fewer than twice as many.
static_assert(kMostRanges >= 2 * kUnits);

void list_units(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                std::int64_t max_rows, std::vector<AttentionUnit>& units) {
  const std::int64_t group_heads = shape.heads / shape.kv_heads;
  units.clear();
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const AttentionSequence& s = sequences[i];
    const std::int64_t keys = row_count(s.cache);
    FATHOM_EXPECT(keys < std::numeric_limits<std::int32_t>::max(), "positions are 32 bits wide");
    const std::int64_t rows = s.query_tokens * group_heads;
    const std::int64_t blocks = (rows + max_rows - 1) / max_rows;
    const std::int64_t block = blocks == 0 ? 0 : round_up((rows + blocks - 1) / blocks, kLanes);
    for (std::int64_t head = 0; head < shape.kv_heads; ++head)
      for (std::int64_t row = 0; row < rows; row += block) {
        const std::int64_t count = std::min(block, rows - row);
        const std::int64_t last_token = (row + count - 1) / group_heads;
        const auto first = seen_rows(shape, s, keys, row / group_heads).first;
        const auto last = seen_rows(shape, s, keys, last_token).second;
        units.push_back({.sequence = static_cast<std::int64_t>(i),
                         .kv_head = head,
                         .row = row,
                         .rows = count,
                         .first = std::min(first, last),
                         .last = last});
      }
  }
}

void split_units(const UnitLimits& limits, AttentionUnits& out) {
  std::vector<AttentionUnit>& units = out.units;
  std::int64_t total = 0;
  for (const AttentionUnit& unit : units) total += unit.last - unit.first;
  if (!units.empty() && units.front().rows <= kFewQueryRows) total /= limits.heads_together;
  const std::int64_t range = std::max(kMinRange, round_up(total / kUnits, limits.grain));
  out.parts = 0;
  const std::size_t whole = units.size();
  for (std::size_t i = 0; i < whole; ++i) {
    const AttentionUnit unit = units[i];
    const std::int64_t rows = unit.last - unit.first;
    const std::int64_t pieces = std::max<std::int64_t>(1, (rows + range / 2) / range);
    if (pieces == 1) continue;
    const std::int64_t piece = round_up((rows + pieces - 1) / pieces, limits.grain);
    const std::int64_t count = (rows + piece - 1) / piece;
    for (std::int64_t p = 0; p < count; ++p) {
      AttentionUnit cut = unit;
      cut.first = unit.first + p * piece;
      cut.last = std::min(cut.first + piece, unit.last);
      cut.part = out.parts + p;
      cut.parts = p == 0 ? count : 0;  // the first range also merges
      p == 0 ? units[i] = cut : units.emplace_back(cut);
    }
    out.parts += count;
  }
}

// A row of few KV heads' keys is a small part of what lies between it and the next row: memory
// delivers whole rows faster, so neighbouring heads walk the cache together, block by block.
void bundle_units(std::int64_t heads_together, AttentionUnits& out) {
  std::vector<AttentionUnit>& units = out.units;
  const auto order = [](const AttentionUnit& u) {
    return std::tuple{-(u.last - u.first) * u.rows, u.sequence, u.first, u.kv_head, u.row};
  };
  std::ranges::sort(units, {}, order);
  out.bundles.clear();
  for (std::size_t i = 0; i < units.size(); ++i) {
    const AttentionUnit& unit = units[i];
    if (!out.bundles.empty() && unit.rows <= kFewQueryRows) {
      UnitBundle& open = out.bundles.back();
      const AttentionUnit& first = units[open.first];
      if (first.sequence == unit.sequence && first.first == unit.first && first.last == unit.last &&
          first.rows == unit.rows && static_cast<std::int64_t>(open.count) < heads_together) {
        ++open.count;
        continue;
      }
    }
    out.bundles.push_back({i, 1});
  }
}

}  // namespace

std::pair<std::int64_t, std::int64_t> seen_rows(const AttentionShape& shape,
                                                const AttentionSequence& s, std::int64_t keys,
                                                std::int64_t token) {
  const std::int64_t position = keys - s.query_tokens + token;
  const std::int64_t end = shape.causal ? position + 1 : keys;
  const std::int64_t begin = shape.window > 0 ? position + 1 - shape.window : 0;
  return {std::max<std::int64_t>(begin, 0), std::max<std::int64_t>(end, 0)};
}

void plan_units(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                const UnitLimits& limits, AttentionUnits& out) {
  list_units(shape, sequences, limits.max_rows, out.units);
  split_units(limits, out);
  bundle_units(limits.heads_together, out);
  out.part_rows = 0;
  for (const AttentionUnit& unit : out.units)
    if (unit.part >= 0) out.part_rows = std::max(out.part_rows, round_up(unit.rows, kLanes));
}

}  // namespace fathom::kernels::cpu
