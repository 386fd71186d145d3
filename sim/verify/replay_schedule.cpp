#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "train/schedules/dualpipe.hpp"
#include "train/schedules/dualpipev.hpp"
#include "train/schedules/interleaved.hpp"
#include "train/schedules/one_f_one_b.hpp"
#include "train/timeline.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using nlohmann::json;
using namespace train;

constexpr std::string_view kDualpipe = "dualpipe";
constexpr std::string_view kDualpipeV = "dualpipev";
constexpr std::string_view kNonInterleaved = "non_interleaved";
constexpr std::string_view kInterleaved = "interleaved";
constexpr std::int64_t kMaxSize = 1 << 12;  // of a schedule worth writing out

bool has_list(const GoldenCase& c, std::string_view key) {
  const json& config = c.config();
  return c.expects("schedule") && config.contains(key) && config[std::string{key}].is_array();
}

bool matches_dualpipe(const GoldenCase& c) {
  return has_list(c, kDualpipe) || has_list(c, kDualpipeV);
}

bool matches_1f1b(const GoldenCase& c) {
  return has_list(c, kNonInterleaved) || has_list(c, kInterleaved);
}

/// The pipeline sizes under `key` of the config: rows of `width` positive integers, the last of
/// which may be missing where `or_less`.
std::vector<std::vector<std::int64_t>> sizes(const GoldenCase& c, std::string_view key,
                                             std::size_t width, bool or_less = false) {
  std::vector<std::vector<std::int64_t>> out;
  if (!has_list(c, key)) return out;
  JsonReader config = c.config_reader();
  for (const json& row : config.raw(key)) {
    const bool fits = row.size() == width || (or_less && row.size() + 1 == width);
    if (!row.is_array() || !fits) config.fail(key, "rows of sizes expected");
    auto& numbers = out.emplace_back();
    for (const json& number : row) {
      const bool whole = number.is_number_integer();
      numbers.push_back(whole ? number.get<std::int64_t>() : 0);
      if (numbers.back() < 1 || numbers.back() > kMaxSize) config.fail(key, "size out of range");
    }
  }
  return out;
}

json orders(const PipelineSchedule& schedule, std::string (*text)(const PipelineOp&)) {
  json out = json::array();
  for (const auto& order : schedule.orders) {
    json& rank = out.emplace_back(json::array());
    for (const PipelineOp& op : order) rank.push_back(text(op));
  }
  return out;
}

/// What the golden file derives from an order: its makespan under unit costs.
json derived(const PipelineSchedule& schedule) {
  const ChunkTimes unit;
  ChunkTimes hidden = unit;
  hidden.overlapped = 2.5;
  const auto timeline = simulate(schedule, unit);
  const auto faster = simulate(schedule, hidden);
  FATHOM_EXPECT(timeline && faster, "a generated schedule is stuck");
  return {{"F", unit.forward},
          {"B", unit.backward},
          {"W", unit.weight},
          {"FB", unit.overlapped},
          {"makespan", timeline->makespan},
          {"busy_per_rank", timeline->busy},
          {"makespan_with_FB_2.5", faster->makespan}};
}

json bidirectional_entry(const std::vector<std::int64_t>& size, const PipelineSchedule& schedule) {
  return {{"ranks", size[0]},
          {"chunks", size[1]},
          {"orders", orders(schedule, to_text)},
          {"derived", derived(schedule)}};
}

template <class T>
void replay_dualpipe(const GoldenCase& c, Produced<T>& out) {
  json document{{kDualpipe, json::array()}, {kDualpipeV, json::array()}};
  for (const auto& size : sizes(c, kDualpipe, 2)) {
    if (size[0] % 2 != 0 || size[1] % 2 != 0 || size[1] < 2 * size[0]) {
      c.config_reader().fail(kDualpipe, "ranks and chunks must be even, chunks >= 2 * ranks");
    }
    const PipelineSchedule schedule = dualpipe(size[0], size[1]);
    document[std::string{kDualpipe}].push_back(bidirectional_entry(size, schedule));
  }
  for (const auto& size : sizes(c, kDualpipeV, 2)) {
    if (size[1] < 2 * size[0]) c.config_reader().fail(kDualpipeV, "needs chunks >= 2 * ranks");
    const PipelineSchedule schedule = dualpipev(size[0], size[1]);
    document[std::string{kDualpipeV}].push_back(bidirectional_entry(size, schedule));
  }
  out.documents["schedule"] = document.dump();
}

json interleaved_rank(const InterleavedSpec& spec, std::int64_t rank) {
  const std::int64_t total = spec.microbatches * spec.chunks;
  const std::int64_t warmup = warmup_forwards(spec, rank);
  json table = json::array();
  for (const VirtualMicrobatch& v : schedule_table(spec)) table.push_back({v.microbatch, v.chunk});
  return {{"total", total},   {"all_warmup", warmup == total},
          {"warmup", warmup}, {"remaining", total - warmup},
          {"table", table},   {"order", signed_order(spec, rank)}};
}

template <class T>
void replay_1f1b(const GoldenCase& c, Produced<T>& out) {
  json document{{kNonInterleaved, json::array()}, {kInterleaved, json::array()}};
  for (const auto& size : sizes(c, kNonInterleaved, 2)) {
    const PipelineSchedule schedule = one_f_one_b(size[0], size[1]);
    document[std::string{kNonInterleaved}].push_back(
        {{"ranks", size[0]},
         {"microbatches", size[1]},
         {"orders", orders(schedule, to_single_module_text)}});
  }
  for (const auto& size : sizes(c, kInterleaved, 4, /*or_less=*/true)) {
    // Megatron-LM's groups are as large as the pipeline where nothing else is said.
    const InterleavedSpec spec{.ranks = size[0],
                               .microbatches = size[1],
                               .chunks = size[2],
                               .group = size.size() == 4 ? size[3] : size[0]};
    json ranks = json::array();
    for (std::int64_t r = 0; r < spec.ranks; ++r) ranks.push_back(interleaved_rank(spec, r));
    document[std::string{kInterleaved}].push_back({{"ranks", spec.ranks},
                                                   {"microbatches", spec.microbatches},
                                                   {"chunks", spec.chunks},
                                                   {"group", spec.group},
                                                   {"ranks_data", ranks}});
  }
  out.documents["schedule"] = document.dump();
}

}  // namespace

extern const Family kDualPipe;
const Family kDualPipe{"dualpipe", matches_dualpipe, replay_dualpipe<float>,
                       replay_dualpipe<double>};

extern const Family kOneFOneB;
const Family kOneFOneB{"one_f_one_b", matches_1f1b, replay_1f1b<float>, replay_1f1b<double>};

}  // namespace fathom::verify
