#include "sweep/merge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "core/si_format.hpp"
#include "core/system_message.hpp"
#include "sweep/database.hpp"
#include "sweep/database_lock.hpp"
#include "sweep/database_schema.hpp"

namespace fs = std::filesystem;

namespace fathom::sweep {
namespace {

std::string range_text(const PointRange& range) {
  return fmt::format("{} to {}", format_count(range.begin), format_count(range.end - 1));
}

// Short of open files long before it is short of shards: each is opened when it is read.
struct Shard {
  std::string path;
  Manifest manifest;
};

Shard inspect(const std::string& path) {
  Reader reader = Reader::open(path);
  const PointRange left = {reader.next(), reader.manifest().range.end};
  if (left.points() > 0) {
    throw InputError(fmt::format("{}: lacks points {}; finish it with --resume first",
                                 shown_path(path), range_text(left)));
  }
  return {path, reader.manifest()};
}

void require_same_sweep(const Shard& shard, const Shard& first) {
  const std::string other = shown_path(first.path);
  std::string text = difference(shard.manifest, first.manifest, other);
  if (text.empty() && shard.manifest.whole != first.manifest.whole) {
    text = fmt::format("the sweep has points {}, that of {} has {}",
                       range_text(shard.manifest.whole), other, range_text(first.manifest.whole));
  }
  if (text.empty()) return;
  throw InputError(fmt::format("{}: {}; merge shards of one sweep", shown_path(shard.path), text));
}

// The shards are in the order of their points.
void require_every_point_once(const std::vector<Shard>& shards, const std::string& output) {
  const PointRange whole = shards.front().manifest.whole;
  std::vector<std::string> missing;
  std::int64_t end = whole.begin;
  const Shard* last = nullptr;
  for (const Shard& shard : shards) {
    const PointRange& range = shard.manifest.range;
    if (range.points() == 0) continue;  // more shards than points
    if (range.begin < end) {
      throw InputError(fmt::format(
          "{}: has points {}, which {} has as well; give each shard once", shown_path(shard.path),
          range_text({range.begin, std::min(end, range.end)}), shown_path(last->path)));
    }
    if (range.begin > end) missing.push_back(range_text({end, range.begin}));
    end = range.end;
    last = &shard;
  }
  if (end < whole.end) missing.push_back(range_text({end, whole.end}));
  if (missing.empty()) return;
  throw InputError(fmt::format("{}: points {} are in none of the {} shards; give all of them",
                               shown_path(output), fmt::join(missing, ", "), shards.size()));
}

std::vector<Shard> inspect_all(const std::vector<std::string>& paths, const std::string& output) {
  if (paths.empty()) throw InputError("no shards to merge; expected their files");
  const fs::path target = database_path(output);
  std::vector<Shard> shards;
  for (const std::string& path : paths) {
    if (database_path(path) == target) {
      throw InputError(
          fmt::format("{}: is a shard and the output; write another file", shown_path(path)));
    }
    shards.push_back(inspect(path));
    require_same_sweep(shards.back(), shards.front());
  }
  std::ranges::stable_sort(shards, {}, [](const Shard& shard) {
    return std::pair(shard.manifest.range.begin, shard.manifest.range.end);
  });
  require_every_point_once(shards, output);
  return shards;
}

// Blocks of the shards, cut anew where the whole sweep is cut.
class Joiner {
 public:
  Joiner(Database& out, const PointRange& whole) : out_(out), whole_(whole) {
    joined_.begin = joined_.end = whole.begin;
  }

  void add(const Block& block) {
    const auto reasons = static_cast<std::int32_t>(joined_.reasons.size());
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(joined_.numbers, block.numbers);
    append(joined_.inputs, block.inputs);
    append(joined_.results, block.results);
    append(joined_.reasons, block.reasons);
    for (const std::int32_t reason : block.reason) {
      joined_.reason.push_back(reason < 0 ? reason : reason + reasons);
    }
    joined_.end = block.end;
    // A shard's blocks are cut where the sweep's are, but for its first and last.
    if (joined_.end != block_end(joined_.begin, whole_)) return;
    out_.append(joined_);
    joined_.clear();
    joined_.begin = joined_.end = block.end;
  }

 private:
  Database& out_;
  PointRange whole_;
  Block joined_;
};

// Moves all rows into `out`, which is for the whole sweep.
void join(const std::vector<Shard>& shards, Database out) {
  Joiner joiner(out, shards.front().manifest.whole);
  for (const Shard& shard : shards) {
    Reader reader = Reader::open(shard.path);
    if (reader.manifest() != shard.manifest || !reader.complete()) {
      throw InputError(fmt::format("{}: was replaced meanwhile; merge again when nobody writes it",
                                   shown_path(shard.path)));
    }
    reader.for_each([&](const Block& block) { joiner.add(block); });
  }
  out.finish();
}

void replace(const fs::path& from, const fs::path& to, const std::string& shown) {
  remove_side_files(to);
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return;
  throw InputError(fmt::format("{}: cannot be written: {}", shown, system_message(error.value())));
}

}  // namespace

void merge(const std::vector<std::string>& shards, const std::string& output, bool overwrite) {
  const std::vector<Shard> inspected = inspect_all(shards, output);
  const fs::path target = database_path(output);
  const std::string shown = shown_path(output);
  const WriterLock lock(target, shown);
  require_replaceable(target, shown, overwrite);
  // Beside the output, which stays until there is a whole one to replace it. What a killed merge
  // left there is replaced.
  const fs::path partial = target.string() + "-merging";
  Manifest manifest = inspected.front().manifest;
  manifest.range = manifest.whole;
  Database out = Database::create(partial.string(), manifest, true);
  try {
    join(inspected, std::move(out));
    replace(partial, target, shown);
  } catch (...) {
    std::error_code ignored;
    remove_side_files(partial);
    fs::remove(partial, ignored);
    throw;
  }
}

}  // namespace fathom::sweep
