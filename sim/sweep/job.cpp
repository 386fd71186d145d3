#include "sweep/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/si_format.hpp"
#include "core/utf8.hpp"
#include "sweep/evaluator.hpp"

namespace fathom::sweep {
namespace {

PointRange whole(const Sweep& sweep) { return {0, sweep.points()}; }

std::int64_t blocks_of(std::int64_t points) { return (points + kBlockPoints - 1) / kBlockPoints; }

void refuse_too_many(const Sweep& sweep, const PointRange& range) {
  if (range.points() <= kMaxPoints) return;
  const std::int64_t shards = (sweep.points() + kMaxPoints - 1) / kMaxPoints;
  throw InputError(fmt::format(
      "{}: {} points; at most {} go into one database. Run the parts, each into its own: --shard "
      "0/{} to --shard {}/{}; or take fewer values, or sample",
      sweep.where, format_count(range.points()), format_count(kMaxPoints), shards, shards - 1,
      shards));
}

// Rows of earlier runs count as well.
void add_stored(const std::string& path, Summarizer& summarizer) {
  Reader reader = Reader::open(path);
  reader.for_each([&](const Block& block) { summarizer.add(block); });
}

}  // namespace

Shard parse_shard(std::string_view text, std::string_view where) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, shard.index);
  bool good = first == std::errc{} && slash != end && *slash == '/';
  if (good) {
    const auto [last, second] = std::from_chars(slash + 1, end, shard.count);
    good = second == std::errc{} && last == end && shard.count >= 1 && shard.index >= 0 &&
           shard.index < shard.count;
  }
  if (!good) {
    throw InputError(fmt::format("{}: found '{}', expected i/n with 0 <= i < n, such as 0/8", where,
                                 printable(text)));
  }
  return shard;
}

PointRange range_of(const Sweep& sweep, const Shard& shard) {
  const std::int64_t points = sweep.points();
  const std::int64_t blocks = blocks_of(points);
  const auto cut = [&](std::int64_t i) {
    const std::int64_t before = blocks / shard.count * i + std::min(i, blocks % shard.count);
    return std::min(points, before * kBlockPoints);
  };
  return {cut(shard.index), cut(shard.index + 1)};
}

Provenance provenance_of(const Sweep& sweep, const study::Library& library,
                         std::string_view version) {
  Provenance out;
  out.entries.emplace_back("fathom", version);
  out.entries.emplace_back("sweep", sweep.document);
  for (const study::Library::Input& input : library.inputs())
    out.entries.emplace_back(input.name, input.hash);
  return out;
}

JobResult run_job(const Sweep& sweep, study::Library& library, const JobOptions& options,
                  std::string_view version) {
  JobResult out;
  out.range = range_of(sweep, options.shard);
  refuse_too_many(sweep, out.range);
  const Manifest manifest{.layout = sweep.layout,
                          .provenance = provenance_of(sweep, library, version),
                          .range = out.range,
                          .whole = whole(sweep)};
  std::string identity;
  for (const auto& [name, value] : manifest.provenance.entries) identity += name + '\n' + value;
  identity = content_hash(identity);
  if (options.run.peers != nullptr && options.run.peers->rank() != 0) {
    run_points(sweep, library, out.range, options.run, {}, identity);
    out.writer = false;
    return out;
  }
  std::optional<Database> database;
  try {
    database = options.resume ? Database::resume(options.database, manifest)
                              : Database::create(options.database, manifest, options.overwrite);
  } catch (const InputError&) {
    // Other ranks wait for work or a farewell.
    if (options.run.peers != nullptr)
      run_points(sweep, library, {out.range.end, out.range.end}, options.run, {}, identity);
    throw;
  }
  Summarizer summarizer(sweep.layout, sweep.objectives);
  out.before = database->next();
  if (out.before > out.range.begin) add_stored(options.database, summarizer);
  out.next = run_points(
      sweep, library, {out.before, out.range.end}, options.run,
      [&](const Block& block) {
        database->append(block);
        summarizer.add(block);
      },
      identity);
  if (out.next == out.range.end) database->finish();
  out.summary = summarizer.take();
  return out;
}

Forecast forecast(const Sweep& sweep, study::Library& library, const Shard& shard) {
  constexpr std::int64_t kCounted = 20'000'000;  // more are estimated
  constexpr std::int64_t kPlaces = 32;
  constexpr std::int64_t kAtOnce = 64;
  const PointRange range = range_of(sweep, shard);
  Forecast out{.points = range.points()};
  if (out.points == 0) return out;
  Evaluator evaluator(sweep, library);
  Block block;
  std::int64_t numbers = 0;
  std::int64_t feasible = 0;
  double seconds = 0.0;
  const std::int64_t places = std::min(kPlaces, (out.points + kAtOnce - 1) / kAtOnce);
  for (std::int64_t i = 0; i < places; ++i) {
    const std::int64_t begin = range.begin + out.points / places * i;
    const std::int64_t end = std::min(begin + kAtOnce, range.end);
    // The first time reads files and cuts the model; then it is as in the middle of a run.
    evaluator.run(begin, std::min(begin + 1, end), block);
    const auto start = std::chrono::steady_clock::now();
    evaluator.run(begin, end, block);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    numbers += end - begin;
    out.tried += static_cast<std::int64_t>(block.rows());
    feasible += std::ranges::count(block.reason, -1);
  }
  out.exact_rows = out.points <= kCounted;
  out.rows = out.exact_rows ? static_cast<double>(evaluator.count(range.begin, range.end))
                            : static_cast<double>(out.points) * static_cast<double>(out.tried) /
                                  static_cast<double>(numbers);
  if (out.tried == 0) return out;
  out.feasible = static_cast<double>(feasible) / static_cast<double>(out.tried);
  out.seconds_per_row = seconds / static_cast<double>(out.tried);
  return out;
}

}  // namespace fathom::sweep
