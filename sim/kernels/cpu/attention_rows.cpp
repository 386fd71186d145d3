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
  const KvSpan* span = nullptr;
  std::int64_t row = 0;
};

Place place_of(const RowReader& reader, std::int64_t position) {
  std::int64_t span = reader.span;
  std::int64_t first = reader.span_first;
  while (span < reader.span_count && position >= first + reader.spans[span].rows)
    first += reader.spans[span++].rows;
  if (span == reader.span_count) return {};
  return {reader.spans + span, position - first};
}

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

/// One row into `to`, zero beyond its elements; asks for the row a block later.
void copy_row(const AttentionJob& job, const Side& side, std::int64_t position, std::uint16_t* to) {
  RowReader& reader = *job.reader;
  Place place;
  if (position < job.last) place = place_of(reader, position);
  const auto bytes = sizeof(std::uint16_t) * static_cast<std::size_t>(side.count);
  if (place.span == nullptr) {
    std::memset(to, 0, sizeof(std::uint16_t) * static_cast<std::size_t>(side.padded));
    return;
  }
  if (reader.storage == KvStorage::bf16)
    std::memcpy(to, bf16_row(side, place), bytes);
  else
    dequantise_row(reader, side, place, to);
  std::fill(to + side.count, to + side.padded, std::uint16_t{0});
  if (reader.storage != KvStorage::bf16 || position + job.block_rows >= job.last) return;
  const Place later = place_of(reader, position + job.block_rows);
  if (later.span != nullptr) ask_for(bf16_row(side, later), static_cast<std::int64_t>(bytes));
}

/// 16 rows from `position` on: in place, or copied to `space`.
Chunk chunk_at(const AttentionJob& job, const Side& side, std::int64_t position, bool copy,
               std::uint16_t* space) {
  const Place place = place_of(*job.reader, position);
  if (!copy && position + kChunkRows <= job.last && in_place(*job.reader, side, place))
    return {bf16_row(side, place), side.stride};
  for (std::int64_t r = 0; r < kChunkRows; ++r)
    copy_row(job, side, position + r, space + r * side.padded);
  return {space, side.padded};
}

/// Where the chunk a block later will be read; `now` where that is not known.
Chunk chunk_after(const AttentionJob& job, const Side& side, std::int64_t position, Chunk now) {
  position += job.block_rows;
  if (position + kChunkRows > job.last) return now;
  const Place place = place_of(*job.reader, position);
  if (!in_place(*job.reader, side, place)) return now;
  return {bf16_row(side, place), side.stride};
}

}  // namespace

void load_block(const AttentionJob& job, std::int64_t first, std::int64_t rows, KeyBlock& block) {
  RowReader& reader = *job.reader;
  while (reader.span < reader.span_count &&
         first >= reader.span_first + reader.spans[reader.span].rows)
    reader.span_first += reader.spans[reader.span++].rows;
  const Side keys = key_side(job);
  const Side values = value_side(job);
  block.chunks = (rows + kChunkRows - 1) / kChunkRows;
  if (block.chunks % 2 != 0) ++block.chunks;  // tiles take 32 rows at a time
  for (std::int64_t c = 0; c < block.chunks; ++c) {
    const std::int64_t at = first + c * kChunkRows;
    block.keys[c] = chunk_at(job, keys, at, reader.pack_keys,
                             reader.key_space + c * kChunkRows * job.qk_padded);
    block.next_keys[c] =
        reader.pack_keys ? block.keys[c] : chunk_after(job, keys, at, block.keys[c]);
    if (reader.shared) {
      block.values[c] = block.keys[c];
      block.next_values[c] = block.next_keys[c];
      continue;
    }
    block.values[c] =
        chunk_at(job, values, at, false, reader.value_space + c * kChunkRows * job.v_padded);
    block.next_values[c] = chunk_after(job, values, at, block.values[c]);
  }
}

}  // namespace fathom::kernels::cpu
