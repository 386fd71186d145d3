#include "kernels/cpu/indexer.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include "core/error.hpp"
#include "kernels/cpu/index_state.hpp"

namespace fathom::kernels::cpu {
namespace {

// Cache rows per unit: with 64 heads some 10^7 multiply-adds, far more than taking a unit costs.
constexpr std::int64_t kUnitRows = 1024;

}  // namespace

IndexerState::IndexerState(const IndexerShape& index_shape, const AttentionKernel& index_kernel,
                           int threads)
    : shape(index_shape),
      kernel(index_kernel),
      groups_per_token((index_shape.heads + kLanes - 1) / kLanes),
      padded((index_shape.head_dim + 31) / 32 * 32) {
  FATHOM_EXPECT(groups_per_token <= kMaxGroups, "at most 256 index heads");
  const std::int64_t rows = kMaxGroups * kLanes;
  for (int i = 0; i < threads; ++i) {
    Workspace w;
    w.queries = Buffer<std::uint32_t>{rows * padded / kernel.terms_per_word};
    if (kernel.terms_per_word == 1) w.key_words = Buffer<std::uint32_t>{kernel.block_rows * padded};
    w.begin = Buffer<std::int32_t>{rows};
    w.end = Buffer<std::int32_t>{rows};
    w.key_space = Buffer<std::uint16_t>{kernel.block_rows * padded};
    w.scores = Buffer<float>{rows * kernel.block_rows};
    w.weights = Buffer<float>{rows};
    workers.push_back(std::move(w));
  }
}

void IndexerState::list_units(std::int64_t tokens, std::int64_t keys) {
  units.clear();
  const std::int64_t at_once = kMaxGroups / groups_per_token;
  for (std::int64_t token = 0; token < tokens; token += at_once)
    for (std::int64_t first = 0; first < keys; first += kUnitRows)
      units.push_back({.token = token,
                       .tokens = std::min(at_once, tokens - token),
                       .first = first,
                       .last = std::min(first + kUnitRows, keys)});
}

void IndexerState::pack(const Unit& unit, const IndexerQueries& queries, std::int64_t keys,
                        Workspace& w) const {
  const std::int64_t panel = padded / kernel.terms_per_word * kLanes;
  const std::int64_t rows_per_token = groups_per_token * kLanes;
  for (std::int64_t r = 0; r < unit.tokens * rows_per_token; ++r) {
    const std::int64_t token = unit.token + r / rows_per_token;
    const std::int64_t head = r % rows_per_token;
    const bool exists = head < shape.heads;
    const std::int64_t at = token * shape.heads + head;
    const std::int64_t end = shape.causal ? keys - queries.tokens + token + 1 : keys;
    w.end[r] = static_cast<std::int32_t>(end);
    w.weights[r] = exists ? queries.weights[at] : 0.0F;
    const std::size_t dim = exists ? static_cast<std::size_t>(shape.head_dim) : 0;
    pack_query(kernel, {queries.q + (exists ? at * shape.head_dim : 0), dim}, padded,
               w.queries.data() + r / kLanes * panel + r % kLanes, kLanes);
  }
}

void IndexerState::run_unit(const Unit& unit, const IndexerQueries& queries, KvSequence keys,
                            float* scores, Workspace& w) const {
  const std::int64_t rows = row_count(keys);
  float* out = scores + unit.token * rows;
  const std::int64_t newest = rows - queries.tokens + unit.token + unit.tokens - 1;
  if (shape.causal && unit.first > newest) {  // no token of the unit sees any of its keys
    for (std::int64_t t = 0; t < unit.tokens; ++t)
      std::fill(out + t * rows + unit.first, out + t * rows + unit.last,
                -std::numeric_limits<float>::infinity());
    return;
  }
  pack(unit, queries, rows, w);
  RowReader reader{.spans = keys.data(),
                   .span_count = static_cast<std::int64_t>(keys.size()),
                   .storage = shape.storage,
                   .key_stride = shape.head_dim,
                   .scale_group = shape.scale_group,
                   .key_space = w.key_space.data(),
                   .end = unit.last};
  kernel.index({.job = {.qk = shape.head_dim,
                        .qk_padded = padded,
                        .groups = unit.tokens * groups_per_token,
                        .rows = unit.tokens * groups_per_token * kLanes,
                        .first = unit.first,
                        .last = unit.last,
                        .block_rows = kernel.block_rows,
                        .queries = w.queries.data(),
                        .begin = w.begin.data(),
                        .end = w.end.data(),
                        .reader = &reader,
                        .shared = true,
                        .score_slots = kMaxGroups,
                        .key_words = w.key_words.data(),
                        .scores = w.scores.data()},
                .tokens = unit.tokens,
                .groups_per_token = groups_per_token,
                .weights = w.weights.data(),
                .out = out,
                .stride = rows});
}

void IndexerState::run(const IndexerQueries& queries, KvSequence keys, float* scores,
                       ThreadPool& pool) {
  FATHOM_EXPECT(pool.size() <= static_cast<int>(workers.size()), "a workspace per worker");
  list_units(queries.tokens, row_count(keys));
  std::atomic<std::size_t> next{0};
  pool.run([&](int worker) {
    for (std::size_t i = next++; i < units.size(); i = next++)
      run_unit(units[i], queries, keys, scores, workers[static_cast<std::size_t>(worker)]);
  });
}

Indexer::Indexer(const IndexerShape& shape, Isa isa, int threads)
    : state_(std::make_unique<IndexerState>(shape, attention_kernel(isa), threads)) {}
Indexer::Indexer(Indexer&&) noexcept = default;
Indexer& Indexer::operator=(Indexer&&) noexcept = default;
Indexer::~Indexer() = default;

void Indexer::run(const IndexerQueries& queries, KvSequence keys, float* scores, ThreadPool& pool) {
  state_->run(queries, keys, scores, pool);
}

}  // namespace fathom::kernels::cpu
