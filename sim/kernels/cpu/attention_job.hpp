#pragma once

#include <cstdint>

// What the attention kernels of all instruction sets have in common: plain types only, see
// bursts.hpp for why.
namespace fathom::kernels::cpu {

struct KvSpan;
enum class KvStorage : std::uint8_t;

constexpr int kLanes = 16;  // query rows per group: fp32 lanes of a vector, columns of a tile
constexpr int kFewQueryRows = 16;   // up to here vectors run along rows, see attention_few.hpp
constexpr int kChunkRows = 16;      // cache rows that lie at one stride: rows of a tile
constexpr int kMaxBlockRows = 256;  // cache rows that pass through L2 at a time
constexpr int kMaxChunks = kMaxBlockRows / kChunkRows;
constexpr int kMaxGroups = 16;  // 256 query rows

/// 32 bits as the inner loops broadcast them: a pair of bf16, or one fp32.
using Word [[gnu::may_alias]] = std::uint32_t;

/// 16 rows of bf16.
struct Chunk {
  const std::uint16_t* rows = nullptr;
  std::int64_t stride = 0;  // elements
};

/// Cache rows ready to be computed with; rows past the end of the range are zero.
struct KeyBlock {
  Chunk keys[kMaxChunks];
  Chunk values[kMaxChunks];
  Chunk next_keys[kMaxChunks];  // where the block after this one will be read, to be prefetched
  Chunk next_values[kMaxChunks];
  std::int64_t chunks = 0;
};

/// A span of the sequence and the position of its first row.
struct SpanCursor {
  std::int64_t span = 0;
  std::int64_t first = 0;
};

/// The rows of one sequence as one KV head sees them, and how far reading has come.
struct RowReader {
  const KvSpan* spans = nullptr;
  std::int64_t span_count = 0;
  KvStorage storage{};
  bool pack_keys = false;  // copy strided keys even if they could be read in place
  std::int64_t key_stride = 0, value_stride = 0;
  std::int64_t key_first = 0, value_first = 0;  // element of the row at which the head begins
  std::int64_t scale_group = 0;                 // 0: one scale per row
  std::uint16_t* key_space = nullptr;           // [block rows, qk padded]
  std::uint16_t* value_space = nullptr;         // [block rows, v padded]
  std::int64_t end = 0;   // rows before it are read by this call or the next: worth asking for
  SpanCursor now, later;  // how far reading, and asking a block ahead, have come
};

/// One unit of work: `groups` x 16 query rows against cache rows first..last.
struct AttentionJob {
  std::int64_t qk = 0, v = 0;                // as stored
  std::int64_t qk_padded = 0, v_padded = 0;  // multiples of 32
  std::int64_t groups = 0;
  std::int64_t rows = 0;  // query rows; the last group is filled up
  std::int64_t first = 0, last = 0;
  std::int64_t block_rows = 0;          // multiple of 32
  float log2_scale = 1.0F;              // softmax scale times log2(e)
  const Word* queries = nullptr;        // [groups][qk words][16]; few_as_rows: [rows][qk words]
  const std::int32_t* begin = nullptr;  // [groups][16]: cache rows that a query row sees
  const std::int32_t* end = nullptr;
  RowReader* reader = nullptr;
  bool shared = false;  // values are the first v elements of the keys
  // Column of shared rows from which on the next block is asked for beside the scores; what lies
  // before it is asked for while values are packed.
  std::int64_t ask_from = 0;
  std::int64_t score_slots = 0;  // groups whose scores are kept at a time, even
  Word* key_words = nullptr;     // [block rows][qk], where keys are widened
  Word* value_words = nullptr;   // [4][block rows / terms per word][16]: a strip of 64 values
  float* scores = nullptr;       // [score_slots][block rows][16]
  Word* probs = nullptr;         // [groups][block rows / terms per word][16]
  float* out = nullptr;          // [groups][v / 16][16][16], not yet divided by the sum
  float* maximum = nullptr;      // [groups][16], in units of log2
  float* sum = nullptr;          // [groups][16]
};

/// The next `rows` rows (at most block_rows, from position `first` on) of the reader's sequence, in
/// place where they can be, copied and dequantised where not.
void load_block(const AttentionJob& job, std::int64_t first, std::int64_t rows, KeyBlock& block);

/// Index scores of `tokens` query tokens: `job` has groups of 16 heads, `groups_per_token` each.
struct IndexJob {
  AttentionJob job;
  std::int64_t tokens = 0;
  std::int64_t groups_per_token = 0;
  const float* weights = nullptr;  // [groups][16], zero for heads that do not exist
  float* out = nullptr;            // [tokens][stride], at cache row 0
  std::int64_t stride = 0;
};

/// The kernels of an instruction set, and how they want their words.
struct AttentionKernel {
  void (*attend)(const AttentionJob& job) = nullptr;
  void (*index)(const IndexJob& job) = nullptr;
  int terms_per_word = 1;  // 1: fp32, 2: pairs of bf16
  int block_rows = 64;
  bool spread_asks = false;  // half of the next rows asked for beside the scores
  int few_block_rows = 64;   // with at most kFewQueryRows query rows
  bool few_as_rows = false;  // the queries of these as rows instead of panels
};

namespace portable {
AttentionKernel attention_kernel();
}
namespace avx512 {
AttentionKernel attention_kernel();
}
namespace avx512_bf16 {
AttentionKernel attention_kernel();
}
namespace amx {
AttentionKernel attention_kernel();
}

}  // namespace fathom::kernels::cpu
