#include "sweep/database_sql.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include "core/system_message.hpp"

namespace fathom::sweep {
namespace {

int last_errno(sqlite3* handle, int pointer_to_file) {
  sqlite3_file* file = nullptr;
  int error = 0;
  if (sqlite3_file_control(handle, "main", pointer_to_file, &file) != SQLITE_OK) return 0;
  if (file == nullptr || file->pMethods == nullptr) return 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

// Statements keep the system's error, commits leave it with the file that could not be written.
int system_error(sqlite3* handle) {
  if (const int error = sqlite3_system_errno(handle); error != 0) return error;
  if (const int error = last_errno(handle, SQLITE_FCNTL_JOURNAL_POINTER); error != 0) return error;
  return last_errno(handle, SQLITE_FCNTL_FILE_POINTER);
}

// SQLite's texts are about its calls ("disk I/O error"); users want what the system said.
std::string reason_of(sqlite3* handle, int code) {
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
      return "is not a database; expected one that `fathom sweep` wrote";
    case SQLITE_CORRUPT:
      return fmt::format("is damaged: {}; start anew with --overwrite", sqlite3_errmsg(handle));
    case SQLITE_FULL:
      return "no room left on the device";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "is in use by another program; close that first";
    case SQLITE_CANTOPEN:
      // The file itself was there; what a reader could not open are the files beside it.
      if (sqlite3_db_readonly(handle, "main") == 1) {
        return "is unfinished, so that reading it needs to write beside it, and its folder does "
               "not allow that; finish it or copy it elsewhere with its -wal file";
      }
      [[fallthrough]];
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_PERM: {
      const int error = system_error(handle);
      if (error == 0) return sqlite3_errmsg(handle);
      return fmt::format("{} ({})", sqlite3_errmsg(handle), system_message(error));
    }
    default:
      return sqlite3_errmsg(handle);
  }
}

}  // namespace

SqlError::SqlError(const std::string& shown, std::string reason, int code)
    : InputError(fmt::format("{}: {}", shown, reason)), reason_(std::move(reason)), code_(code) {}

bool SqlError::busy() const {
  return (code_ & 0xFF) == SQLITE_BUSY || (code_ & 0xFF) == SQLITE_LOCKED;
}

SqlConnection::SqlConnection(const std::string& path, std::string shown, Access access)
    : shown_(std::move(shown)) {
  // Everything here is used by one thread at a time: no mutex per call.
  const int flags =
      (access == Access::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
  if (code != SQLITE_OK) {
    SqlError error(shown_, handle_ == nullptr ? "out of memory" : reason_of(handle_, code), code);
    sqlite3_close(handle_);
    throw error;
  }
  sqlite3_extended_result_codes(handle_, 1);
  // A database may come from anywhere: nothing in its schema gets to run code or write.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  // Others hold the file for moments (a shell's query, the end of a reader): 2 s outlast them.
  sqlite3_busy_timeout(handle_, 2000);
}

SqlConnection::~SqlConnection() { sqlite3_close(handle_); }

void SqlConnection::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

std::int64_t SqlConnection::integer(const std::string& sql) {
  SqlStatement query(*this, sql);
  return query.step() ? query.integer(0) : 0;
}

std::string SqlConnection::text(const std::string& sql) {
  SqlStatement query(*this, sql);
  return query.step() ? std::string(query.text(0)) : std::string();
}

void SqlConnection::fail() const {
  const int code = sqlite3_extended_errcode(handle_);
  throw SqlError(shown_, reason_of(handle_, code), code);
}

void SqlConnection::fail_damaged(const std::string& how) const {
  throw SqlError(shown_, fmt::format("is damaged: {}; start anew with --overwrite", how),
                 SQLITE_CORRUPT);
}

SqlStatement::SqlStatement(SqlConnection& connection, const std::string& sql)
    : connection_(connection) {
  if (sqlite3_prepare_v3(connection.handle(), sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &handle_,
                         nullptr) != SQLITE_OK) {
    connection.fail();
  }
}

SqlStatement::~SqlStatement() { sqlite3_finalize(handle_); }

SqlStatement& SqlStatement::bind(int parameter, std::int64_t value) {
  if (sqlite3_bind_int64(handle_, parameter, value) != SQLITE_OK) connection_.fail();
  return *this;
}

SqlStatement& SqlStatement::bind(int parameter, std::string_view value) {
  if (sqlite3_bind_text64(handle_, parameter, value.data(), value.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8) != SQLITE_OK) {
    connection_.fail();
  }
  return *this;
}

bool SqlStatement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  // The message goes with the reset, which must not be skipped: an open statement pins a snapshot.
  try {
    connection_.fail();
  } catch (...) {
    sqlite3_reset(handle_);
    throw;
  }
}

void SqlStatement::run() {
  while (step()) {
  }
  sqlite3_reset(handle_);
}

SqlStatement::Value SqlStatement::type(int column) const {
  switch (sqlite3_column_type(handle_, column)) {
    case SQLITE_NULL:
      return Value::null;
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
      return Value::number;
    default:
      return Value::text;
  }
}

std::int64_t SqlStatement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}
double SqlStatement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string_view SqlStatement::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(handle_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string sql_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace fathom::sweep
