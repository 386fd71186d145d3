#include "sweep/database_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/utf8.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr std::string_view kKinds[] = {"REAL", "INTEGER", "TEXT"};  // in the order of ColumnKind

bool is_part(const PointRange& range, const PointRange& whole) {
  return 0 <= whole.begin && whole.begin <= range.begin && range.begin <= range.end &&
         range.end <= whole.end;
}

std::string_view sql_type(ColumnKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::string table_sql(std::string_view table, const std::vector<Column>& columns,
                      std::string_view rest) {
  std::string sql = fmt::format("CREATE TABLE {}(number INTEGER PRIMARY KEY", table);
  for (const Column& column : columns) {
    sql += fmt::format(", {} {}", sql_name(column.name), sql_type(column.kind));
  }
  return fmt::format("{}{})", sql, rest);
}

std::string points_sql(const Layout& layout) { return table_sql("points", layout.inputs, ""); }
std::string results_sql(const Layout& layout) {
  return table_sql("results", layout.results, ", feasible INTEGER, reason TEXT");
}

std::string view_sql(const Layout& layout) {
  std::string sql = "CREATE VIEW rows AS SELECT points.number AS number";
  for (const Column& column : layout.inputs) {
    const std::string name = sql_name(column.name);
    sql += fmt::format(", points.{} AS {}", name, name);
  }
  for (const Column& column : layout.results) {
    const std::string name = sql_name(column.name);
    sql += fmt::format(", results.{} AS {}", name, name);
  }
  return sql + ", feasible, reason FROM points JOIN results USING (number)";
}

// SQL's notion of the same name: ASCII letters lose their case.
std::string folded(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

void check_names(const Layout& layout, const std::string& shown) {
  std::set<std::string> seen = {"number", "feasible", "reason"};
  for (const std::vector<Column>* columns : {&layout.inputs, &layout.results}) {
    for (const Column& column : *columns) {
      const std::string at = fmt::format("{}: column '{}'", shown, printable(column.name));
      if (column.name.empty() || column.name.find('\0') != std::string::npos) {
        throw InputError(at + " is empty or holds a NUL; a database needs another name");
      }
      if (!seen.insert(folded(column.name)).second) {
        throw InputError(at + " is there twice, whether in capitals or not; rename one");
      }
    }
  }
}

void write_columns(SqlConnection& connection, std::string_view table,
                   const std::vector<Column>& columns) {
  SqlStatement insert(connection, "INSERT INTO columns VALUES (?, ?, ?, ?, ?)");
  std::int64_t position = 0;
  for (const Column& column : columns) {
    insert.bind(1, table).bind(2, position++).bind(3, column.name).bind(4, sql_type(column.kind));
    insert.bind(5, json(column.texts).dump()).run();
  }
}

Column read_column(const SqlStatement& row, const SqlConnection& connection) {
  Column column{.name = std::string(row.text(0))};
  const auto* const kind = std::ranges::find(kKinds, row.text(1));
  if (kind == std::end(kKinds)) connection.fail_damaged("table columns has a kind of no column");
  column.kind = static_cast<ColumnKind>(kind - std::begin(kKinds));
  const json texts = json::parse(row.text(2), nullptr, false);
  if (!texts.is_array()) connection.fail_damaged("table columns has texts that are no list");
  for (const json& text : texts) {
    if (!text.is_string()) connection.fail_damaged("table columns has a text that is none");
    column.texts.push_back(text.get<std::string>());
  }
  return column;
}

std::vector<Column> read_columns(SqlConnection& connection, std::string_view table) {
  SqlStatement query(connection,
                     "SELECT name, kind, texts FROM columns WHERE of = ? ORDER BY position");
  query.bind(1, table);
  std::vector<Column> columns;
  while (query.step()) columns.push_back(read_column(query, connection));
  return columns;
}

void read_ranges(SqlConnection& connection, Manifest& manifest) {
  SqlStatement query(connection,
                     "SELECT range_begin, range_end, whole_begin, whole_end FROM progress");
  if (!query.step()) connection.fail_damaged("table progress is empty");
  manifest.range = {query.integer(0), query.integer(1)};
  manifest.whole = {query.integer(2), query.integer(3)};
  if (!is_part(manifest.range, manifest.whole)) {
    connection.fail_damaged("table progress has a range outside the sweep");
  }
}

void require_table(SqlConnection& connection, const std::string& table, const std::string& sql) {
  SqlStatement query(connection, "SELECT sql FROM sqlite_schema WHERE name = ?");
  if (query.bind(1, table).step() && query.text(0) == sql) return;
  connection.fail_damaged(fmt::format("table {} was changed", table));
}

// Where two values part, with a little of what comes before: their beginnings are often alike.
std::string around(std::string_view text, std::size_t at) {
  constexpr std::size_t kBefore = 16;
  const bool cut = at > kBefore;
  return fmt::format("'{}{}'", cut ? "…" : "", printable(text.substr(cut ? at - kBefore : 0), 48));
}

using Entries = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Entries& entries, const std::string& name) {
  const auto entry = std::ranges::find(entries, name, &Entries::value_type::first);
  return entry == entries.end() ? nullptr : &entry->second;
}

std::string provenance_difference(const Entries& stored, const Entries& other,
                                  const std::string& other_name) {
  for (const auto& [name, value] : stored) {
    const std::string* const theirs = find(other, name);
    if (theirs == nullptr) {
      return fmt::format("provenance '{}' is {}, {} has none", printable(name), around(value, 0),
                         other_name);
    }
    if (*theirs == value) continue;
    const auto parting = std::ranges::mismatch(value, *theirs);
    const auto at = static_cast<std::size_t>(parting.in1 - value.begin());
    return fmt::format("provenance '{}' is {}, {} has {}", printable(name), around(value, at),
                       other_name, around(*theirs, at));
  }
  for (const auto& [name, value] : other) {
    if (find(stored, name) != nullptr) continue;
    return fmt::format("provenance '{}' is missing, {} has {}", printable(name), other_name,
                       around(value, 0));
  }
  return stored == other ? "" : "provenance is in another order than in " + other_name;
}

std::string column_text(const std::vector<Column>& columns, std::size_t i) {
  if (i >= columns.size()) return "none";
  return fmt::format("'{}' ({})", printable(columns[i].name), sql_type(columns[i].kind));
}

// The first of the texts that the other column does not have in its place.
std::string own_text(const Column& column, const Column& other) {
  const std::size_t i = static_cast<std::size_t>(
      std::ranges::mismatch(column.texts, other.texts).in1 - column.texts.begin());
  if (i == column.texts.size()) return fmt::format("{} texts", i);
  return fmt::format("'{}'", printable(column.texts[i]));
}

std::string column_difference(std::string_view table, const std::vector<Column>& stored,
                              const std::vector<Column>& other, const std::string& other_name) {
  for (std::size_t i = 0; i < std::max(stored.size(), other.size()); ++i) {
    const bool both = i < stored.size() && i < other.size();
    if (both && stored[i] == other[i]) continue;
    if (both && stored[i].name == other[i].name && stored[i].kind == other[i].kind) {
      return fmt::format("column '{}' of {} can hold {}, in {} {}", printable(stored[i].name),
                         table, own_text(stored[i], other[i]), other_name,
                         own_text(other[i], stored[i]));
    }
    return fmt::format("column {} of {} is {}, {} has {}", i + 1, table, column_text(stored, i),
                       other_name, column_text(other, i));
  }
  return "";
}

}  // namespace

void check_manifest(const Manifest& manifest, const std::string& shown) {
  const PointRange& range = manifest.range;
  const PointRange& whole = manifest.whole;
  FATHOM_EXPECT(is_part(range, whole), "a database is for a part of a sweep");
  std::set<std::string> names;
  for (const auto& entry : manifest.provenance.entries) names.insert(entry.first);
  FATHOM_EXPECT(names.size() == manifest.provenance.entries.size(), "provenance names differ");
  check_names(manifest.layout, shown);
  // The view has the columns of both tables, and number, feasible and reason. SQLite's own bound:
  // https://www.sqlite.org/limits.html
  constexpr std::size_t kMostColumns = 2000;
  const std::size_t columns = manifest.layout.inputs.size() + manifest.layout.results.size() + 3;
  if (columns > kMostColumns) {
    throw InputError(fmt::format("{}: found {} columns, expected at most {}; vary fewer fields",
                                 shown, columns, kMostColumns));
  }
}

void write_schema(SqlConnection& connection, const Manifest& manifest) {
  const PointRange& range = manifest.range;
  connection.execute("BEGIN IMMEDIATE");
  connection.execute(fmt::format("PRAGMA application_id = {}", kApplicationId));
  connection.execute(fmt::format("PRAGMA user_version = {}", kFormatVersion));
  connection.execute(
      "CREATE TABLE provenance(name TEXT, value TEXT);"
      "CREATE TABLE columns(of TEXT, position INTEGER, name TEXT, kind TEXT, texts TEXT);"
      "CREATE TABLE progress(range_begin INTEGER, range_end INTEGER, whole_begin INTEGER,"
      " whole_end INTEGER, next INTEGER);");
  connection.execute(points_sql(manifest.layout));
  connection.execute(results_sql(manifest.layout));
  connection.execute(view_sql(manifest.layout));
  write_columns(connection, "points", manifest.layout.inputs);
  write_columns(connection, "results", manifest.layout.results);
  {
    SqlStatement insert(connection, "INSERT INTO provenance VALUES (?, ?)");
    for (const auto& [name, value] : manifest.provenance.entries) {
      insert.bind(1, name).bind(2, value).run();
    }
  }
  connection.execute(fmt::format("INSERT INTO progress VALUES ({}, {}, {}, {}, {})", range.begin,
                                 range.end, manifest.whole.begin, manifest.whole.end, range.begin));
  connection.execute("COMMIT");
}

Manifest read_manifest(SqlConnection& connection) {
  if (connection.integer("PRAGMA application_id") != kApplicationId) {
    throw InputError(
        fmt::format("{}: is not a sweep's database; expected one that `fathom sweep` wrote",
                    connection.shown()));
  }
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (version != kFormatVersion) {
    throw InputError(fmt::format(
        "{}: found sweep database format {}, expected {}; use the fathom version that wrote it",
        connection.shown(), version, kFormatVersion));
  }
  Manifest manifest;
  SqlStatement query(connection, "SELECT name, value FROM provenance ORDER BY rowid");
  while (query.step()) {
    manifest.provenance.entries.emplace_back(query.text(0), query.text(1));
  }
  manifest.layout.inputs = read_columns(connection, "points");
  manifest.layout.results = read_columns(connection, "results");
  read_ranges(connection, manifest);
  require_table(connection, "points", points_sql(manifest.layout));
  require_table(connection, "results", results_sql(manifest.layout));
  return manifest;
}

std::int64_t read_next(SqlConnection& connection) {
  return connection.integer("SELECT next FROM progress");
}

std::string difference(const Manifest& stored, const Manifest& other,
                       const std::string& other_name) {
  std::string text =
      provenance_difference(stored.provenance.entries, other.provenance.entries, other_name);
  if (text.empty()) {
    text = column_difference("points", stored.layout.inputs, other.layout.inputs, other_name);
  }
  if (text.empty()) {
    text = column_difference("results", stored.layout.results, other.layout.results, other_name);
  }
  return text;
}

}  // namespace fathom::sweep
