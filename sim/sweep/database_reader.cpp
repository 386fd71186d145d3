#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "sweep/database.hpp"
#include "sweep/database_lock.hpp"
#include "sweep/database_schema.hpp"
#include "sweep/database_sql.hpp"

namespace fathom::sweep {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// One snapshot for several queries; a writer goes on meanwhile.
class Snapshot {
 public:
  explicit Snapshot(SqlConnection& connection) : connection_(connection) {
    connection_.execute("BEGIN");
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    try {
      connection_.execute("ROLLBACK");
    } catch (const SqlError&) {  // SQLite ended it already
    }
  }

 private:
  SqlConnection& connection_;
};

// Texts of a column, or a block's reasons, by what they say.
class TextIndex {
 public:
  void add(std::string_view text) { index_.emplace(text, index_.size()); }
  // -1: no such text. Neighbouring rows mostly have the same.
  std::int64_t find(std::string_view text) {
    if (last_ != index_.end() && last_->first == text)
      return static_cast<std::int64_t>(last_->second);
    last_ = index_.find(text);
    return last_ == index_.end() ? -1 : static_cast<std::int64_t>(last_->second);
  }

 private:
  using Map = std::unordered_map<std::string_view, std::size_t>;
  Map index_;
  Map::const_iterator last_ = index_.end();
};

// One table's rows in number order.
class TableReader {
 public:
  TableReader(SqlConnection& connection, const std::string& table,
              const std::vector<Column>& columns)
      : connection_(connection),
        table_(table),
        columns_(columns),
        texts_(columns.size()),
        query_(connection, fmt::format("SELECT * FROM {} ORDER BY number", table)) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      for (const std::string& text : columns[i].texts) texts_[i].add(text);
    }
  }

  bool step() { return query_.step(); }
  std::int64_t number() const { return query_.integer(0); }
  void append_values(std::vector<double>& out) {
    for (std::size_t i = 0; i < columns_.size(); ++i) out.push_back(value(i));
  }
  // Columns after the layout's.
  bool flag(std::size_t after) const {
    return query_.integer(static_cast<int>(columns_.size() + 1 + after)) != 0;
  }
  std::string_view text(std::size_t after) const {
    return query_.text(static_cast<int>(columns_.size() + 1 + after));
  }

 private:
  double value(std::size_t i) {
    const int at = static_cast<int>(i) + 1;
    const SqlStatement::Value type = query_.type(at);
    if (type == SqlStatement::Value::null) return kNothing;
    const bool is_text = columns_[i].kind == ColumnKind::text;
    if (is_text != (type == SqlStatement::Value::text)) fail(i);
    if (!is_text) return query_.real(at);
    const std::int64_t index = texts_[i].find(query_.text(at));
    if (index < 0) fail(i);
    return static_cast<double>(index);
  }
  [[noreturn]] void fail(std::size_t i) const {
    connection_.fail_damaged(fmt::format("{} of point {} has a '{}' that its column cannot hold",
                                         table_, number(), printable(columns_[i].name)));
  }

  SqlConnection& connection_;
  std::string table_;
  const std::vector<Column>& columns_;
  std::vector<TextIndex> texts_;
  SqlStatement query_;
};

std::int32_t reason_index(Block& block, std::string_view reason) {
  const auto found = std::ranges::find(block.reasons, reason);
  const auto index = static_cast<std::int32_t>(found - block.reasons.begin());
  if (found == block.reasons.end()) block.reasons.emplace_back(reason);
  return index;
}

// Both tables side by side: a row that only one of them has is noticed.
class RowReader {
 public:
  RowReader(SqlConnection& connection, const Layout& layout)
      : connection_(connection),
        points_(connection, "points", layout.inputs),
        results_(connection, "results", layout.results) {
    advance();
  }

  // Into `block`, which ends at `end`.
  void read_until(std::int64_t end, Block& block) {
    block.end = end;
    for (; has_row_ && points_.number() < end; advance()) {
      if (points_.number() < block.begin) fail(points_.number());
      block.numbers.push_back(points_.number());
      points_.append_values(block.inputs);
      results_.append_values(block.results);
      const bool feasible = results_.flag(0);
      block.reason.push_back(feasible ? -1 : reason_index(block, results_.text(1)));
    }
  }
  void require_end() const {
    if (has_row_) fail(points_.number());
  }

 private:
  void advance() {
    has_row_ = points_.step();
    if (results_.step() != has_row_) connection_.fail_damaged("points and results differ in rows");
    if (has_row_ && results_.number() != points_.number()) fail(points_.number());
  }
  [[noreturn]] void fail(std::int64_t number) const {
    connection_.fail_damaged(fmt::format("point {} has no result or no place", number));
  }

  SqlConnection& connection_;
  TableReader points_;
  TableReader results_;
  bool has_row_ = false;
};

}  // namespace

struct Reader::Source {
  Source(const std::string& file, std::string shown)
      : path(file),
        connection(database_path(file).string(), std::move(shown), SqlConnection::Access::read) {
    if (connection.integer("PRAGMA page_count") == 0) {
      throw InputError(fmt::format("{}: holds no sweep yet", connection.shown()));
    }
    const Snapshot snapshot(connection);
    manifest = read_manifest(connection);
    require_next();
  }

  std::int64_t require_next() {
    const std::int64_t next = read_next(connection);
    if (next < manifest.range.begin || next > manifest.range.end) {
      connection.fail_damaged("its progress lies outside its range");
    }
    return next;
  }

  std::string path;
  SqlConnection connection;
  Manifest manifest;
};

Reader::Reader(std::unique_ptr<Source> source) : source_(std::move(source)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Reader Reader::open(const std::string& path) {
  const std::string shown = shown_path(path);
  std::error_code unreachable;
  if (!std::filesystem::exists(database_path(path), unreachable)) {
    throw InputError(
        fmt::format("{}: no such file; expected a database from `fathom sweep`", shown));
  }
  return Reader(std::make_unique<Source>(path, shown));
}

const std::string& Reader::path() const { return source_->path; }
const Manifest& Reader::manifest() const { return source_->manifest; }
std::int64_t Reader::next() { return source_->require_next(); }

void Reader::for_each(const std::function<void(const Block&)>& sink) {
  const Snapshot snapshot(source_->connection);
  const PointRange stored = {source_->manifest.range.begin, source_->require_next()};
  RowReader rows(source_->connection, source_->manifest.layout);
  Block block;
  for (std::int64_t begin = stored.begin; begin < stored.end; begin = block.end) {
    block.clear();
    block.begin = begin;
    rows.read_until(block_end(begin, stored), block);
    sink(block);
  }
  rows.require_end();
}

Statistics Reader::statistics() {
  const Snapshot snapshot(source_->connection);
  Statistics out;
  std::unordered_map<std::string, std::int64_t> reasons;
  SqlStatement query(source_->connection, "SELECT feasible, reason FROM results");
  for (; query.step(); ++out.rows) {
    if (query.integer(0) != 0) {
      ++out.feasible;
    } else {
      ++reasons[std::string(query.text(1))];
    }
  }
  out.reasons.assign(reasons.begin(), reasons.end());
  std::ranges::sort(out.reasons, [](const auto& a, const auto& b) {
    return std::tie(b.second, a.first) < std::tie(a.second, b.first);
  });
  return out;
}

}  // namespace fathom::sweep
