#include "sweep/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/error.hpp"
#include "core/si_format.hpp"
#include "core/system_message.hpp"
#include "sweep/database_block.hpp"
#include "sweep/database_lock.hpp"
#include "sweep/database_schema.hpp"
#include "sweep/database_sql.hpp"

namespace fs = std::filesystem;

namespace fathom::sweep {
namespace {

// Per 1,000,000 points, medians of 5 paired runs: 4 KiB pages 1.9 s of a core, 8 KiB 1.75 s, 16 KiB
// 1.6 s, larger ones within the noise of that; and a small sweep's file has a page per table.
constexpr int kPageBytes = 16384;
// Pages kept in memory. A block's new pages take about 1 MB; what is left over serves resumes.
constexpr int kCacheKib = 16384;
// The -wal file is copied into the database whenever it is this long. 8 MiB wait for the disk more
// often (4.5 s of wall time instead of 2.7 s), 128 MiB take more room for no gain.
constexpr int kCheckpointPages = (32 << 20) / kPageBytes;

void make_empty_file(const fs::path& path, const std::string& shown) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) {
    throw InputError(fmt::format("{}: cannot be written: {}", shown, system_message(errno)));
  }
  ::close(fd);
}

void tune(SqlConnection& connection) {
  // NORMAL: only checkpoints wait for the disk. A power loss may cost the last transactions, which
  // a resume computes again, but never the file.
  // https://www.sqlite.org/pragma.html#pragma_synchronous
  connection.execute("PRAGMA synchronous = NORMAL");
  connection.execute(fmt::format("PRAGMA cache_size = -{}", kCacheKib));
  connection.execute(fmt::format("PRAGMA wal_autocheckpoint = {}", kCheckpointPages));
  // The unused parts of pages are zero, not what memory held: the same bytes in every run.
  connection.execute("PRAGMA secure_delete = ON");
}

void require_write_ahead_log(SqlConnection& connection) {
  if (connection.text("PRAGMA journal_mode = WAL") == "wal") return;
  throw InputError(fmt::format(
      "{}: the file system cannot share memory between processes, as a write-ahead log needs; "
      "write to a local disk",
      connection.shown()));
}

// A new file holds nothing or all of its tables, whenever we are killed.
void initialise(SqlConnection& connection, const Manifest& manifest) {
  connection.execute(fmt::format("PRAGMA page_size = {}", kPageBytes));
  connection.execute("PRAGMA auto_vacuum = NONE");
  connection.execute("PRAGMA encoding = 'UTF-8'");
  write_schema(connection, manifest);
}

void require_same_sweep(SqlConnection& connection, const Manifest& now) {
  const Manifest stored = read_manifest(connection);
  std::string text = difference(stored, now, "this sweep");
  if (text.empty() && stored.whole != now.whole) {
    text = fmt::format("the sweep has points {} to {}, now {} to {}", stored.whole.begin,
                       stored.whole.end, now.whole.begin, now.whole.end);
  }
  if (text.empty() && stored.range != now.range) {
    text = fmt::format("it is for points {} to {}, this shard has {} to {}", stored.range.begin,
                       stored.range.end, now.range.begin, now.range.end);
  }
  if (text.empty()) return;
  throw InputError(fmt::format("{}: {}; start anew with --overwrite or write another file",
                               connection.shown(), text));
}

// Both tables end with the same point, below the next: cheap, and enough to notice files that were
// put together from two moments (a database without its -wal).
std::int64_t require_sound(SqlConnection& connection, const PointRange& range) {
  const std::int64_t next = read_next(connection);
  const std::int64_t points = connection.integer("SELECT ifnull(max(number), -1) FROM points");
  const std::int64_t results = connection.integer("SELECT ifnull(max(number), -1) FROM results");
  if (next < range.begin || next > range.end || points != results || points >= next) {
    connection.fail_damaged("its rows do not end where its progress says");
  }
  return next;
}

bool is_index(double value, std::size_t count) {
  return std::isnan(value) || (value >= 0 && value < static_cast<double>(count));
}

void check_texts(const std::vector<Column>& columns, const std::vector<double>& values) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].kind != ColumnKind::text) continue;
    for (std::size_t at = i; at < values.size(); at += columns.size()) {
      FATHOM_EXPECT(is_index(values[at], columns[i].texts.size()), "a text is one of its column's");
    }
  }
}

void check_block(const Block& block, const Layout& layout) {
  const std::size_t rows = block.rows();
  FATHOM_EXPECT(block.inputs.size() == rows * layout.inputs.size() &&
                    block.results.size() == rows * layout.results.size() &&
                    block.reason.size() == rows,
                "a block has as many values as its rows and columns need");
  std::int64_t least = block.begin;
  for (const std::int64_t number : block.numbers) {
    FATHOM_EXPECT(number >= least && number < block.end, "a block's numbers ascend within it");
    least = number + 1;
  }
  for (const std::int32_t reason : block.reason) {
    FATHOM_EXPECT(reason >= -1 && reason < static_cast<std::int64_t>(block.reasons.size()),
                  "a reason is one of its block's");
  }
  check_texts(layout.inputs, block.inputs);
  check_texts(layout.results, block.results);
}

// Page 1 counts how often the file was opened and written. In a finished file both copies of that
// counter are 1. https://www.sqlite.org/fileformat2.html#file_change_counter
bool reset_change_counter(SqlConnection& connection) {
  connection.execute("BEGIN EXCLUSIVE");
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  constexpr std::array<unsigned char, 4> kOne = {0, 0, 0, 1};  // big-endian
  bool done = file != nullptr && file->pMethods != nullptr;
  for (const sqlite3_int64 offset : {24, 92}) {
    done = done && file->pMethods->xWrite(file, kOne.data(), kOne.size(), offset) == SQLITE_OK;
  }
  done = done && file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK;
  connection.execute("COMMIT");
  return done;
}

}  // namespace

// Members go in reverse order: statements, connection, the tables it looks into, the lock.
struct Database::Writer {
  Writer(const std::string& path, const Manifest& for_sweep)
      : manifest(for_sweep), file(database_path(path)), shown(shown_path(path)) {
    check_manifest(manifest, shown);
    lock.emplace(file, shown);
  }

  void begin();
  void proceed();
  void prepare();
  void store(const Block& block);

  Manifest manifest;
  fs::path file;
  std::string shown;
  std::int64_t next = 0;
  std::optional<WriterLock> lock;
  BlockTables tables{manifest.layout};
  std::optional<SqlConnection> connection;
  std::optional<SqlStatement> insert_points;
  std::optional<SqlStatement> insert_results;
  std::optional<SqlStatement> set_next;
};

void Database::Writer::begin() {
  remove_side_files(file);
  make_empty_file(file, shown);
  try {
    connection.emplace(file.string(), shown, SqlConnection::Access::write);
    tune(*connection);
    initialise(*connection, manifest);
    require_write_ahead_log(*connection);
  } catch (...) {
    connection.reset();
    remove_side_files(file);
    ::unlink(file.c_str());
    throw;
  }
  next = manifest.range.begin;
  prepare();
}

void Database::Writer::proceed() {
  connection.emplace(file.string(), shown, SqlConnection::Access::write);
  tune(*connection);
  if (connection->integer("PRAGMA page_count") == 0) {
    initialise(*connection, manifest);  // killed before it had tables
  } else {
    require_same_sweep(*connection, manifest);
  }
  next = require_sound(*connection, manifest.range);
  if (next == manifest.range.end) return;  // nothing to write; finish() may have a log to fold in
  require_write_ahead_log(*connection);
  prepare();
}

void Database::Writer::prepare() {
  tables.attach(*connection);
  // OR FAIL: a number that is there already stops us. The default, OR ABORT, would also keep a copy
  // of every changed page to undo one statement; we undo the transaction.
  insert_points.emplace(*connection, "INSERT OR FAIL INTO points SELECT * FROM block_points");
  insert_results.emplace(*connection, "INSERT OR FAIL INTO results SELECT * FROM block_results");
  set_next.emplace(*connection, "UPDATE progress SET next = ?");
}

void Database::Writer::store(const Block& block) {
  connection->execute("BEGIN IMMEDIATE");
  // Cut by cut, for the two tables' pages lie in the file in the order they were filled.
  auto first = block.numbers.begin();
  for (std::int64_t cut = block.begin; cut < block.end;) {
    cut = block_end(cut, manifest.range);
    const auto last = std::lower_bound(first, block.numbers.end(), cut);
    tables.show(block, static_cast<std::size_t>(first - block.numbers.begin()),
                static_cast<std::size_t>(last - block.numbers.begin()));
    insert_points->run();
    insert_results->run();
    first = last;
  }
  set_next->bind(1, block.end).run();
  connection->execute("COMMIT");
}

Database::Database(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Database Database::create(const std::string& path, const Manifest& manifest, bool overwrite) {
  auto writer = std::make_unique<Writer>(path, manifest);
  require_replaceable(writer->file, writer->shown, overwrite);
  ::unlink(writer->file.c_str());
  writer->begin();
  return Database(std::move(writer));
}

Database Database::resume(const std::string& path, const Manifest& manifest) {
  auto writer = std::make_unique<Writer>(path, manifest);
  std::error_code unreachable;  // then the file cannot be made either, which says why
  if (fs::exists(writer->file, unreachable)) {
    writer->proceed();
  } else {
    writer->begin();
  }
  return Database(std::move(writer));
}

std::int64_t Database::next() const { return writer_->next; }

void Database::append(const Block& block) {
  Writer& writer = *writer_;
  const PointRange& range = writer.manifest.range;
  FATHOM_EXPECT(writer.connection.has_value(), "nothing is appended after finish()");
  FATHOM_EXPECT(block.begin == writer.next && block.end > block.begin && block.end <= range.end,
                "blocks follow one another within the range");
  FATHOM_EXPECT(block.end % kBlockPoints == 0 || block.end == range.end,
                "a block ends at a multiple of kBlockPoints or with the range");
  check_block(block, writer.manifest.layout);
  try {
    writer.store(block);
  } catch (const SqlError& error) {
    // A full disk has undone the transaction already.
    if (sqlite3_get_autocommit(writer.connection->handle()) == 0) {
      sqlite3_exec(writer.connection->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    throw InputError(fmt::format(
        "{}: points {} to {} cannot be stored: {}; all points before are kept: continue with "
        "--resume",
        writer.shown, format_count(block.begin), format_count(block.end - 1), error.reason()));
  }
  writer.next = block.end;
}

bool Database::finish() {
  Writer& writer = *writer_;
  FATHOM_EXPECT(writer.next == writer.manifest.range.end, "only a complete database is finished");
  if (!writer.connection) return true;
  writer.insert_points.reset();
  writer.insert_results.reset();
  writer.set_next.reset();
  bool alone = false;
  try {
    alone = writer.connection->text("PRAGMA journal_mode = DELETE") == "delete" &&
            reset_change_counter(*writer.connection);
  } catch (const SqlError& error) {
    if (!error.busy()) throw;
  }
  writer.connection.reset();
  writer.lock.reset();
  return alone;
}

}  // namespace fathom::sweep
