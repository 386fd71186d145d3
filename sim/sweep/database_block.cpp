#include "sweep/database_block.hpp"

#include <sqlite3.h>

#include <cmath>
#include <cstdint>
#include <new>
#include <string>

namespace fathom::sweep {

// A virtual table costs no call per row from our side: SQLite asks for each value and puts it into
// the row it builds. Storing 1,000,000 points of 10 inputs and 14 results takes 1.6 s of a core so,
// hardly more with INSERTs of 64 rows (whose parameters wide layouts would exhaust), 2.4 s with one
// row each; medians of 5 paired runs.
struct BlockTables::Table {
  const std::vector<Column>& columns;
  bool is_results;
  const Block* block = nullptr;
  std::size_t first = 0;
  std::size_t last = 0;
};

namespace {

using Table = BlockTables::Table;

struct Rows {
  sqlite3_vtab base;
  Table* table;
};
struct Cursor {
  sqlite3_vtab_cursor base;
  const Table* table;
  std::size_t row;
};

Cursor& cursor_of(sqlite3_vtab_cursor* base) { return *reinterpret_cast<Cursor*>(base); }

int declare(sqlite3* handle, const Table& table) {
  // What the columns are called here plays no part: they are only ever selected in order.
  std::string sql = "CREATE TABLE rows(number";
  const std::size_t others = table.columns.size() + (table.is_results ? 2U : 0U);
  for (std::size_t i = 0; i < others; ++i) sql += ", c" + std::to_string(i);
  return sqlite3_declare_vtab(handle, (sql + ")").c_str());
}

int connect(sqlite3* handle, void* table, int, const char* const*, sqlite3_vtab** out, char**) {
  auto* rows = new (std::nothrow) Rows{{}, static_cast<Table*>(table)};
  if (rows == nullptr) return SQLITE_NOMEM;
  *out = &rows->base;
  const int code = declare(handle, *rows->table);
  if (code != SQLITE_OK) delete rows;
  return code;
}

int disconnect(sqlite3_vtab* base) {
  delete reinterpret_cast<Rows*>(base);
  return SQLITE_OK;
}

int choose_index(sqlite3_vtab*, sqlite3_index_info*) {
  return SQLITE_OK;
}  // always the whole block

int open(sqlite3_vtab* base, sqlite3_vtab_cursor** out) {
  auto* cursor = new (std::nothrow) Cursor{{}, reinterpret_cast<Rows*>(base)->table, 0};
  if (cursor == nullptr) return SQLITE_NOMEM;
  *out = &cursor->base;
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* base) {
  delete reinterpret_cast<Cursor*>(base);
  return SQLITE_OK;
}

int rewind(sqlite3_vtab_cursor* base, int, const char*, int, sqlite3_value**) {
  cursor_of(base).row = cursor_of(base).table->first;
  return SQLITE_OK;
}

int advance(sqlite3_vtab_cursor* base) {
  ++cursor_of(base).row;
  return SQLITE_OK;
}

int is_at_end(sqlite3_vtab_cursor* base) {
  return cursor_of(base).row >= cursor_of(base).table->last ? 1 : 0;
}

void give_text(sqlite3_context* context, const std::string& text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void give_value(sqlite3_context* context, const Column& column, double value) {
  if (std::isnan(value)) return;  // nothing given: NULL
  if (column.kind == ColumnKind::text) {
    give_text(context, column.texts[static_cast<std::size_t>(value)]);
    return;
  }
  // Whole numbers take 1 to 6 bytes instead of 8; a REAL column gives them back as reals.
  if (value >= -0x1p63 && value < 0x1p63) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) {
      sqlite3_result_int64(context, whole);
      return;
    }
  }
  sqlite3_result_double(context, value);
}

int give(sqlite3_vtab_cursor* base, sqlite3_context* context, int index) {
  const Cursor& cursor = cursor_of(base);
  const Table& table = *cursor.table;
  const Block& block = *table.block;
  if (index == 0) {
    sqlite3_result_int64(context, block.numbers[cursor.row]);
    return SQLITE_OK;
  }
  const std::size_t count = table.columns.size();
  const auto column = static_cast<std::size_t>(index - 1);
  if (column < count) {
    const std::vector<double>& values = table.is_results ? block.results : block.inputs;
    give_value(context, table.columns[column], values[cursor.row * count + column]);
    return SQLITE_OK;
  }
  const std::int32_t reason = block.reason[cursor.row];
  if (column == count) {
    sqlite3_result_int(context, reason < 0 ? 1 : 0);
  } else if (reason >= 0) {
    give_text(context, block.reasons[static_cast<std::size_t>(reason)]);
  }
  return SQLITE_OK;
}

int row_id(sqlite3_vtab_cursor* base, sqlite3_int64* out) {
  *out = static_cast<sqlite3_int64>(cursor_of(base).row);
  return SQLITE_OK;
}

// No xCreate: the table exists wherever the module does, and only there.
const sqlite3_module kModule = {.iVersion = 0,
                                .xConnect = connect,
                                .xBestIndex = choose_index,
                                .xDisconnect = disconnect,
                                .xOpen = open,
                                .xClose = close,
                                .xFilter = rewind,
                                .xNext = advance,
                                .xEof = is_at_end,
                                .xColumn = give,
                                .xRowid = row_id};

}  // namespace

BlockTables::BlockTables(const Layout& layout)
    : points_(new Table{layout.inputs, false}), results_(new Table{layout.results, true}) {}

BlockTables::~BlockTables() = default;

void BlockTables::attach(SqlConnection& connection) {
  sqlite3* handle = connection.handle();
  if (sqlite3_create_module(handle, "block_points", &kModule, points_.get()) != SQLITE_OK ||
      sqlite3_create_module(handle, "block_results", &kModule, results_.get()) != SQLITE_OK) {
    connection.fail();
  }
}

void BlockTables::show(const Block& block, std::size_t first, std::size_t last) {
  for (Table* table : {points_.get(), results_.get()}) {
    table->block = &block;
    table->first = first;
    table->last = last;
  }
}

}  // namespace fathom::sweep
