#include "kernels/cpu/attention_plan.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "kernels/cpu/attention_units.hpp"
#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/buffer.hpp"

namespace fathom::kernels::cpu {
namespace {

// Two groups being scored, and two whose softmax runs meanwhile.
constexpr std::int64_t kScoreSlots = 4;
constexpr float kNever = -1e30F;  // the maximum before any score

struct Workspace {
  Buffer<std::uint32_t> queries, key_words, value_words, probs;
  Buffer<std::int32_t> begin, end;
  Buffer<std::uint16_t> key_space, value_space;
  Buffer<float> scores, out, maximum, sum;
};

/// Output of some groups over a range of rows.
struct Partial {
  const float* out;
  const float* maximum;
  const float* sum;
};

}  // namespace

AttentionKernel attention_kernel(Isa isa) {
  FATHOM_EXPECT(supported(isa), "an instruction set that this machine has");
#if defined(__x86_64__)
  // Every processor with tiles so far has vdpbf16ps too, whose conversions the tile kernel uses.
  if (isa == Isa::amx && cpu_features().avx512_bf16) return amx::attention_kernel();
  if (isa == Isa::avx512_bf16) return avx512_bf16::attention_kernel();
  if (isa != Isa::portable) return avx512::attention_kernel();
#endif
  return portable::attention_kernel();
}

void pack_query(const AttentionKernel& kernel, std::span<const Bf16> q, std::int64_t padded,
                std::uint32_t* words, std::int64_t stride) {
  const auto size = static_cast<std::int64_t>(q.size());
  const auto at = [&q](std::int64_t d) { return std::uint32_t{q[static_cast<std::size_t>(d)]}; };
  std::int64_t d = 0;
  if (kernel.terms_per_word == 1) {
    for (; d < size; ++d, words += stride) *words = at(d) << 16;
    for (; d < padded; ++d, words += stride) *words = 0;
    return;
  }
  for (; d + 1 < size; d += 2, words += stride) *words = at(d) | at(d + 1) << 16;
  for (; d < padded; d += 2, words += stride) *words = d < size ? at(d) : 0;
}

struct AttentionPlan::State {
  AttentionShape shape;
  AttentionKernel kernel;
  std::int64_t group_heads = 0;
  std::int64_t qk_padded = 0, v_padded = 0;
  UnitLimits limits;
  std::vector<Workspace> workers;
  std::vector<AttentionSequence> sequences;
  AttentionUnits work;
  Buffer<float> part_out, part_maximum, part_sum;
  std::atomic<std::int64_t> next{0};

  Workspace workspace() const;
  void reserve_parts();
  void run_bundle(const UnitBundle& bundle, Workspace& w);
  AttentionJob job_of(const AttentionUnit& unit, std::int64_t at, Workspace& w, RowReader& rows);
  void pack_queries(const AttentionUnit& unit, std::int64_t at, Workspace& w) const;
  RowReader reader(const AttentionUnit& unit, Workspace& w) const;
  void finish(const AttentionUnit& unit, std::int64_t group,
              std::span<const Partial> partials) const;
  void finish_row(const AttentionSequence& s, std::int64_t at, std::span<const Partial> partials,
                  std::int64_t tile_row) const;
  void merge(const AttentionUnit& unit, int first, int step) const;
  const AttentionSequence& sequence_of(const AttentionUnit& unit) const {
    return sequences[static_cast<std::size_t>(unit.sequence)];
  }
  Partial partial(std::int64_t part) const {
    const std::int64_t row = part * work.part_rows;
    return {part_out.data() + row * v_padded, part_maximum.data() + row, part_sum.data() + row};
  }
};

Workspace AttentionPlan::State::workspace() const {
  const std::int64_t block = kernel.block_rows;
  const std::int64_t terms = kernel.terms_per_word;
  Workspace w;
  w.queries = Buffer<std::uint32_t>{limits.max_rows * qk_padded / terms};
  if (terms == 1) w.key_words = Buffer<std::uint32_t>{block * qk_padded};
  w.value_words = Buffer<std::uint32_t>{block * 4 * kLanes / terms};
  w.probs = Buffer<std::uint32_t>{limits.max_rows * block / terms};
  w.begin = Buffer<std::int32_t>{limits.max_rows};
  w.end = Buffer<std::int32_t>{limits.max_rows};
  w.key_space = Buffer<std::uint16_t>{block * qk_padded};
  w.value_space = Buffer<std::uint16_t>{block * v_padded};
  w.scores = Buffer<float>{kScoreSlots * kLanes * block};
  w.out = Buffer<float>{limits.max_rows * v_padded};
  w.maximum = Buffer<float>{limits.max_rows};
  w.sum = Buffer<float>{limits.max_rows};
  return w;
}

void AttentionPlan::State::reserve_parts() {
  const std::int64_t rows = work.parts * work.part_rows;
  if (rows <= part_maximum.size()) return;
  part_out = Buffer<float>{rows * v_padded};
  part_maximum = Buffer<float>{rows};
  part_sum = Buffer<float>{rows};
}

/// Panels [group][qk words][16 query rows] from row `at` of the workspace on, or single rows where
/// the kernel wants few of them so; begin and end of what each row sees.
void AttentionPlan::State::pack_queries(const AttentionUnit& unit, std::int64_t at,
                                        Workspace& w) const {
  const AttentionSequence& s = sequence_of(unit);
  const std::int64_t terms = kernel.terms_per_word;
  const std::int64_t words = qk_padded / terms;
  const std::int64_t keys = row_count(s.cache);
  const bool as_rows = kernel.few_as_rows && unit.rows <= kFewQueryRows;
  const std::int64_t count = as_rows ? unit.rows : round_up(unit.rows, kLanes);
  std::uint32_t* queries = w.queries.data() + at * words;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t row = unit.row + std::min(r, unit.rows - 1);  // the last group: repeated
    const std::int64_t token = row / group_heads;
    const std::int64_t head = unit.kv_head * group_heads + row % group_heads;
    const auto [begin, end] = seen_rows(shape, s, keys, token);
    w.begin[at + r] = static_cast<std::int32_t>(begin);
    w.end[at + r] = static_cast<std::int32_t>(end);
    const Bf16* q = s.q + token * s.token_stride + head * shape.qk_head_dim;
    const std::int64_t place = as_rows ? r * words : r / kLanes * words * kLanes + r % kLanes;
    pack_query(kernel, {q, static_cast<std::size_t>(shape.qk_head_dim)}, qk_padded, queries + place,
               as_rows ? 1 : kLanes);
  }
}

RowReader AttentionPlan::State::reader(const AttentionUnit& unit, Workspace& w) const {
  const AttentionSequence& s = sequence_of(unit);
  const KvLayout& layout = shape.layout;
  return {.spans = s.cache.data(),
          .span_count = static_cast<std::int64_t>(s.cache.size()),
          .storage = layout.storage,
          // Far strided rows fall into few cache sets; one copy per block serves all groups.
          .pack_keys = layout.key_stride > 2 * qk_padded && unit.rows > 2 * kLanes,
          .key_stride = layout.key_stride,
          .value_stride = layout.value_stride,
          .key_first = unit.kv_head * shape.qk_head_dim,
          .value_first = unit.kv_head * shape.v_head_dim,
          .scale_group = layout.scale_group,
          .key_space = w.key_space.data(),
          .value_space = w.value_space.data(),
          .end = unit.last};
}

/// What the kernel needs for a unit, whose query rows take the workspace's from `at` on.
AttentionJob AttentionPlan::State::job_of(const AttentionUnit& unit, std::int64_t at, Workspace& w,
                                          RowReader& rows) {
  const bool split = unit.part >= 0;
  const std::int64_t part = unit.part * work.part_rows;
  float* out = split ? part_out.data() + part * v_padded : w.out.data() + at * v_padded;
  float* maximum = split ? part_maximum.data() + part : w.maximum.data() + at;
  float* sum = split ? part_sum.data() + part : w.sum.data() + at;
  const std::int64_t groups = (unit.rows + kLanes - 1) / kLanes;
  std::fill_n(out, groups * kLanes * v_padded, 0.0F);
  std::fill_n(maximum, groups * kLanes, kNever);
  std::fill_n(sum, groups * kLanes, 0.0F);
  pack_queries(unit, at, w);
  const bool few = unit.rows <= kFewQueryRows;
  rows = reader(unit, w);
  return {.qk = shape.qk_head_dim,
          .v = shape.v_head_dim,
          .qk_padded = qk_padded,
          .v_padded = v_padded,
          .groups = groups,
          .rows = unit.rows,
          .first = unit.first,
          .last = unit.last,
          .block_rows = few ? kernel.few_block_rows : kernel.block_rows,
          .log2_scale = static_cast<float>(shape.softmax_scale * std::numbers::log2e),
          .queries = w.queries.data() + at * (qk_padded / kernel.terms_per_word),
          .begin = w.begin.data() + at,
          .end = w.end.data() + at,
          .reader = &rows,
          .shared = shape.shared_kv,
          .ask_from = kernel.spread_asks ? round_up(v_padded / 2, 64) : v_padded,
          .score_slots = kScoreSlots,
          .key_words = w.key_words.data(),
          .value_words = w.value_words.data(),
          .scores = w.scores.data(),
          .probs = w.probs.data(),
          .out = out,
          .maximum = maximum,
          .sum = sum};
}

void AttentionPlan::State::run_bundle(const UnitBundle& bundle, Workspace& w) {
  const std::span members =
      std::span{std::as_const(work.units)}.subspan(bundle.first, bundle.count);
  RowReader readers[kMaxGroups];
  AttentionJob jobs[kMaxGroups];
  for (std::size_t i = 0; i < members.size(); ++i)
    jobs[i] = job_of(members[i], static_cast<std::int64_t>(i) * kLanes, w, readers[i]);
  const AttentionUnit& range = members.front();
  const std::int64_t step = members.size() > 1 ? jobs[0].block_rows : range.last - range.first;
  for (std::int64_t first = range.first; first < range.last; first += step)
    for (std::size_t i = 0; i < members.size(); ++i) {
      jobs[i].first = first;
      jobs[i].last = std::min(first + step, range.last);
      kernel.attend(jobs[i]);
    }
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].part >= 0) continue;
    const Partial whole{jobs[i].out, jobs[i].maximum, jobs[i].sum};
    for (std::int64_t g = 0; g < jobs[i].groups; ++g) finish(members[i], g, {&whole, 1});
  }
}

/// One query row out of tiles [v / 16][16][16]: ranges weighted by what their maxima differ.
void AttentionPlan::State::finish_row(const AttentionSequence& s, std::int64_t at,
                                      std::span<const Partial> partials,
                                      std::int64_t tile_row) const {
  const std::int64_t group = tile_row / kLanes;
  const std::int64_t lane = tile_row % kLanes;
  float best = kNever;
  for (const Partial& p : partials) best = std::max(best, p.maximum[tile_row]);
  float sum = 0.0F;
  for (const Partial& p : partials) sum += p.sum[tile_row] * std::exp2(p.maximum[tile_row] - best);
  if (s.out.log_sum_exp != nullptr)
    s.out.log_sum_exp[at] =
        static_cast<float>((static_cast<double>(best) + std::log2(sum)) * std::numbers::ln2);
  const float inverse = sum > 0.0F ? 1.0F / sum : 0.0F;  // a query that sees nothing: zeros
  for (std::int64_t v = 0; v < shape.v_head_dim; v += kLanes) {
    float values[kLanes] = {};
    for (const Partial& p : partials) {
      const float weight = std::exp2(p.maximum[tile_row] - best) * inverse;
      const float* tile = p.out + (group * v_padded + v + lane) * kLanes;
      for (int i = 0; i < kLanes; ++i) values[i] += weight * tile[i];
    }
    const auto count =
        static_cast<std::size_t>(std::min<std::int64_t>(kLanes, shape.v_head_dim - v));
    const std::int64_t to = at * shape.v_head_dim + v;
    if (s.out.fp32 != nullptr) std::copy_n(values, count, s.out.fp32 + to);
    if (s.out.bf16 != nullptr) to_bf16({values, count}, s.out.bf16 + to);
  }
}

void AttentionPlan::State::finish(const AttentionUnit& unit, std::int64_t group,
                                  std::span<const Partial> partials) const {
  const std::int64_t end = std::min((group + 1) * kLanes, unit.rows);
  for (std::int64_t r = group * kLanes; r < end; ++r) {
    const std::int64_t token = (unit.row + r) / group_heads;
    const std::int64_t head = unit.kv_head * group_heads + (unit.row + r) % group_heads;
    finish_row(sequence_of(unit), token * shape.heads + head, partials, r);
  }
}

AttentionPlan::AttentionPlan(const AttentionShape& shape, const AttentionKernel& kernel,
                             int threads)
    : state_(std::make_unique<State>()) {
  FATHOM_EXPECT(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0,
                "KV heads must divide the heads");
  FATHOM_EXPECT(kernel.block_rows % 32 == 0 && kernel.block_rows <= kMaxBlockRows, "block of rows");
  State& s = *state_;
  s.shape = shape;
  s.kernel = kernel;
  s.group_heads = shape.heads / shape.kv_heads;
  s.qk_padded = round_up(shape.qk_head_dim, 32);
  s.v_padded = round_up(shape.v_head_dim, 32);
  const bool large_l2 = cpu_features().l2_bytes >= std::int64_t{2} << 20;
  s.limits.grain = kernel.block_rows;
  s.limits.max_rows = (large_l2 ? 2 : 1) * kLanes * kMaxGroups / 2;
  // Their block and the next one take half of L2.
  const std::int64_t l2 = large_l2 ? cpu_features().l2_bytes : std::int64_t{1} << 20;
  const std::int64_t block =
      kernel.few_block_rows * (s.qk_padded + s.v_padded) * std::int64_t{sizeof(Bf16)};
  s.limits.heads_together = std::clamp<std::int64_t>(
      l2 / 4 / block, 1, std::min(shape.kv_heads, s.limits.max_rows / kLanes));
  for (int i = 0; i < threads; ++i) s.workers.push_back(s.workspace());
}

AttentionPlan::~AttentionPlan() = default;

std::span<AttentionSequence> AttentionPlan::sequences(std::int64_t count) {
  state_->sequences.assign(static_cast<std::size_t>(count), {});
  return state_->sequences;
}

void AttentionPlan::run(ThreadPool& pool) {
  State& s = *state_;
  FATHOM_EXPECT(pool.size() <= static_cast<int>(s.workers.size()), "a workspace per worker");
  plan_units(s.shape, s.sequences, s.limits, s.work);
  s.reserve_parts();
  s.next.store(0);
  pool.run([&s](int worker) {
    const auto count = static_cast<std::int64_t>(s.work.bundles.size());
    for (std::int64_t i = s.next++; i < count; i = s.next++)
      s.run_bundle(s.work.bundles[static_cast<std::size_t>(i)],
                   s.workers[static_cast<std::size_t>(worker)]);
  });
  if (s.work.parts == 0) return;
  pool.run([&s, &pool](int worker) {
    for (const AttentionUnit& unit : s.work.units)
      if (unit.part >= 0 && unit.parts > 0) s.merge(unit, worker, pool.size());
  });
}

/// The ranges of a split unit, every `step`-th group of query rows.
void AttentionPlan::State::merge(const AttentionUnit& unit, int first, int step) const {
  Partial partials[kMostRanges];
  FATHOM_EXPECT(unit.parts <= kMostRanges, "no more ranges than the split makes");
  for (std::int64_t p = 0; p < unit.parts; ++p) partials[p] = partial(unit.part + p);
  const std::span<const Partial> ranges{partials, static_cast<std::size_t>(unit.parts)};
  for (std::int64_t g = first; g * kLanes < unit.rows; g += step) finish(unit, g, ranges);
}

}  // namespace fathom::kernels::cpu
