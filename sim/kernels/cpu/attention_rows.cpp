#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.hpp"
#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/kv_cache.hpp"

namespace fathom::kernels::cpu {
namespace {

/// Keys, or values, of the cached rows.
struct Side {
  const void* KvSpan::*rows;
  const float* KvSpan::*scales;
  std::int64_t stride;  // elements
  std::int64_t first;
  std::int64_t count;
  std::int64_t padded;
};

Side key_side(const AttentionJob& job) {
  const RowReader& r = *job.reader;
  return {&KvSpan::keys, &KvSpan::key_scales, r.key_stride, r.key_first, job.qk, job.qk_padded};
}

Side value_side(const AttentionJob& job) {
  const RowReader& r = *job.reader;
  return {&KvSpan::values, &KvSpan::value_scales, r.value_stride, r.value_first,
          job.v,           job.v_padded};
}

/// A cached row: its span and its place there; no span behind the end of the sequence.
struct Place {
  const KvSpan* span;
  std::int64_t row;
};

/// Moves forward to the row at `position`.
Place seek(const RowReader& reader, SpanCursor& cursor, std::int64_t position) {
  while (cursor.span < reader.span_count &&
         position >= cursor.first + reader.spans[cursor.span].rows)
    cursor.first += reader.spans[cursor.span++].rows;
  if (cursor.span == reader.span_count) return {};
  return {reader.spans + cursor.span, position - cursor.first};
}

/// 16 rows of the cache. Where the first tells all, the others are not looked up.
class RowPlaces {
 public:
  /// Rows from `first` on, of which those before `end` exist.
  RowPlaces(const RowReader& reader, SpanCursor& cursor, std::int64_t first, std::int64_t end) {
    if (first >= end) return;
    place_[0] = seek(reader, cursor, first);
    const Place& at = place_[0];
    const bool one_span = at.span != nullptr && at.row + kChunkRows <= at.span->rows;
    if (at.span == nullptr || (one_span && first + kChunkRows <= end)) {
      known_ = kChunkRows;
      apart_ = false;
      return;
    }
    known_ = static_cast<int>(end - first < kChunkRows ? end - first : kChunkRows);
    for (int r = 1; r < known_; ++r) place_[r] = seek(reader, cursor, first + r);
  }
  /// No span behind the end.
  Place operator[](int r) const {
    if (r >= known_) return {nullptr, 0};
    return apart_ ? place_[r] : Place{place_[0].span, place_[0].row + r};
  }

 private:
  Place place_[kChunkRows];
  int known_ = 0;
  bool apart_ = true;
};

/// 16 rows from `first` on, and those a block later.
struct ChunkPlaces {
  RowPlaces now;
  RowPlaces later;

  ChunkPlaces(const AttentionJob& job, std::int64_t first)
      : now(*job.reader, job.reader->now, first, job.last),
        later(*job.reader, job.reader->later, first + job.block_rows, job.reader->end) {}
};

const std::uint16_t* bf16_row(const Side& side, const Place& place) {
  return static_cast<const std::uint16_t*>(place.span->*side.rows) + place.row * side.stride +
         side.first;
}

/// Whether 16 rows from here can be read where they are, word by word.
bool in_place(const RowReader& reader, const Side& side, const Place& place) {
  if (reader.storage != KvStorage::bf16 || place.span == nullptr) return false;
  if (place.row + kChunkRows > place.span->rows) return false;
  const bool whole_words = side.stride % 2 == 0 &&
                           std::bit_cast<std::uintptr_t>(bf16_row(side, place)) % sizeof(Word) == 0;
  return whole_words && side.count == side.padded;
}

constexpr float e4m3_value(std::uint8_t code) {
  const int field = code >> 3 & 15;
  const int mantissa = code & 7;
  const float sign = (code & 0x80) != 0 ? -1.0F : 1.0F;
  if (field == 15 && mantissa == 7) return std::bit_cast<float>(0x7fc00000U);
  if (field == 0) return sign * static_cast<float>(mantissa) * 0x1p-9F;
  const auto bits =
      static_cast<std::uint32_t>(field + 120) << 23 | static_cast<std::uint32_t>(mantissa) << 20;
  return sign * std::bit_cast<float>(bits);
}

struct E4m3Values {
  float of[256] = {};
  constexpr E4m3Values() {
    for (int i = 0; i < 256; ++i) of[i] = e4m3_value(static_cast<std::uint8_t>(i));
  }
};
constexpr E4m3Values kE4m3Values;

float code_value(KvStorage storage, std::uint8_t code) {
  return storage == KvStorage::int8 ? static_cast<float>(static_cast<std::int8_t>(code))
                                    : kE4m3Values.of[code];
}

void dequantise_row(const RowReader& reader, const Side& side, const Place& place,
                    std::uint16_t* to) {
  const std::int64_t group = reader.scale_group > 0 ? reader.scale_group : side.stride;
  const std::int64_t scales_per_row = (side.stride + group - 1) / group;
  const float* scales = place.span->*side.scales + place.row * scales_per_row;
  const auto* codes =
      static_cast<const std::uint8_t*>(place.span->*side.rows) + place.row * side.stride;
  for (std::int64_t i = 0; i < side.count; ++i) {
    const std::int64_t at = side.first + i;
    to[i] = to_bf16(code_value(reader.storage, codes[at]) * scales[at / group]);
  }
}

void ask_for(const void* row, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64)
    __builtin_prefetch(static_cast<const char*>(row) + at);
}

/// One row into `to`, zero beyond its elements.
void copy_row(const RowReader& reader, const Side& side, const Place& place, std::uint16_t* to) {
  const std::int64_t count = place.span == nullptr ? 0 : side.count;
  if (count > 0 && reader.storage == KvStorage::bf16)
    std::memcpy(to, bf16_row(side, place), sizeof(std::uint16_t) * static_cast<std::size_t>(count));
  else if (count > 0)
    dequantise_row(reader, side, place, to);
  std::fill(to + count, to + side.padded, std::uint16_t{0});
}

/// Copies 16 rows to `space` and asks for those a block later.
Chunk copy_chunk(const RowReader& reader, const Side& side, const ChunkPlaces& places,
                 std::uint16_t* space) {
  const std::int64_t bytes = static_cast<std::int64_t>(sizeof(std::uint16_t)) * side.count;
  for (int r = 0; r < kChunkRows; ++r) {
    copy_row(reader, side, places.now[r], space + r * side.padded);
    if (places.later[r].span != nullptr && reader.storage == KvStorage::bf16)
      ask_for(bf16_row(side, places.later[r]), bytes);
  }
  return {space, side.padded};
}

/// 16 rows, in place or copied, and where those a block later will be read; the same place where
/// that is not known or they are asked for already.
void load_chunk(const RowReader& reader, const Side& side, const ChunkPlaces& places, bool copy,
                Chunk& now, Chunk& later) {
  if (copy || places.now[kChunkRows - 1].span == nullptr ||
      !in_place(reader, side, places.now[0])) {
    now = later = copy_chunk(reader, side, places, const_cast<std::uint16_t*>(now.rows));
    return;
  }
  now = {bf16_row(side, places.now[0]), side.stride};
  const bool ask =
      places.later[kChunkRows - 1].span != nullptr && in_place(reader, side, places.later[0]);
  later = ask ? Chunk{bf16_row(side, places.later[0]), side.stride} : now;
}

}  // namespace

void load_block(const AttentionJob& job, std::int64_t first, std::int64_t rows, KeyBlock& block) {
  RowReader& reader = *job.reader;
  const Side keys = key_side(job);
  const Side values = value_side(job);
  block.chunks =
      (rows + 2 * kChunkRows - 1) / (2 * kChunkRows) * 2;  // tiles take 32 rows at a time
  for (std::int64_t c = 0; c < block.chunks; ++c) {
    const ChunkPlaces places{job, first + c * kChunkRows};
    block.keys[c].rows = reader.key_space + c * kChunkRows * job.qk_padded;
    load_chunk(reader, keys, places, reader.pack_keys, block.keys[c], block.next_keys[c]);
    block.values[c] = block.keys[c];
    block.next_values[c] = block.next_keys[c];
    if (job.shared) continue;
    block.values[c].rows = reader.value_space + c * kChunkRows * job.v_padded;
    load_chunk(reader, values, places, false, block.values[c], block.next_values[c]);
  }
}

}  // namespace fathom::kernels::cpu
