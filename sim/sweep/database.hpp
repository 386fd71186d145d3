#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sweep/rows.hpp"

namespace fathom::sweep {

/// What made the rows: the program's version, the inputs' hashes, the calibration, the sweep's own
/// text. Kept in table `provenance` and compared entry by entry on resume and merge.
struct Provenance {
  std::vector<std::pair<std::string, std::string>> entries;  // name and value; names differ
  bool operator==(const Provenance&) const = default;
};

/// Point numbers [begin, end).
struct PointRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const PointRange&) const = default;

  std::int64_t points() const { return end - begin; }
};

/// Blocks are cut at multiples of this number of points, so that a database's pages are laid out
/// the same whoever wrote it, in however many runs and shards.
inline constexpr std::int64_t kBlockPoints = 4096;
constexpr std::int64_t block_end(std::int64_t begin, const PointRange& range) {
  const std::int64_t left = range.end - begin;
  const std::int64_t to_cut = kBlockPoints - begin % kBlockPoints;
  return begin + (left < to_cut ? left : to_cut);
}

/// What a database says about its rows.
struct Manifest {
  Layout layout;  // names differ in more than case; none is number, feasible or reason
  Provenance provenance;
  PointRange range;  // the points this database is for: a shard …
  PointRange whole;  // … of the sweep
  bool operator==(const Manifest&) const = default;
};

/// Writes a sweep's rows to one SQLite file: tables `points`, `results`, `provenance`, `columns`,
/// `progress` and the view `rows`. Text, integer and real columns hold just that; what does not
/// apply is NULL, and -0 is kept as 0. At every moment, a kill, a power loss or a full disk
/// included, the file holds the rows of exactly the points below next(). While it is written it
/// has a -wal and a -shm file beside it, and a -lock that keeps a second writer out.
class Database {
 public:
  /// InputError if the file exists, unless `overwrite`, which replaces nothing but an empty file or
  /// a sweep's database; or if it cannot be written or another process writes it.
  static Database create(const std::string& path, const Manifest& manifest, bool overwrite);
  /// Continues the file, or begins it where there is none yet, so that a job that is started again
  /// and again keeps one command line. InputError, naming the difference, if it was not written for
  /// this very manifest, or is damaged.
  static Database resume(const std::string& path, const Manifest& manifest);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // an unfinished file stays, to be resumed

  /// The first number not yet stored; the range's end once it is complete.
  std::int64_t next() const;
  /// Stores rows and progress together or, with an InputError, neither: then the same block may be
  /// given again. A block begins at next() and ends at a multiple of kBlockPoints or the range's
  /// end.
  void append(const Block& block);
  /// Once complete: leaves one plain file, the same bytes whatever interruptions there were (for
  /// one version of SQLite). False if another program has the file open: it is as complete and
  /// readable, but keeps its -wal file; a resume and finish folds that in later.
  bool finish();

 private:
  struct Writer;
  explicit Database(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

/// How many rows there are, and why some have no results.
struct Statistics {
  std::int64_t rows = 0;
  std::int64_t feasible = 0;
  std::vector<std::pair<std::string, std::int64_t>> reasons;  // most frequent first
  bool operator==(const Statistics&) const = default;
};

/// Reads a database, also while it is written. Changes nothing.
class Reader {
 public:
  /// InputError if it is not a sweep's database, of another format, or damaged.
  static Reader open(const std::string& path);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  const std::string& path() const;
  const Manifest& manifest() const;
  std::int64_t next();  // now: a writer may have moved on
  bool complete() { return next() == manifest().range.end; }
  /// Every stored row in number order, in blocks that cover [range.begin, next) without a gap. The
  /// block is reused. What a writer adds meanwhile is not seen.
  void for_each(const std::function<void(const Block&)>& sink);
  Statistics statistics();

 private:
  struct Source;
  explicit Reader(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

}  // namespace fathom::sweep
