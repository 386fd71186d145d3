#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace fathom::sweep {

/// What SQLite could not do: "FILE: reason", and the reason alone.
class SqlError : public InputError {
 public:
  SqlError(const std::string& shown, std::string reason, int code);
  const std::string& reason() const { return reason_; }
  bool busy() const;  ///< another connection is in the way

 private:
  std::string reason_;
  int code_;
};

/// One open SQLite file.
class SqlConnection {
 public:
  enum class Access { read, write };
  /// The file must exist. `shown` is its name in messages.
  SqlConnection(const std::string& path, std::string shown, Access access);
  SqlConnection(const SqlConnection&) = delete;
  SqlConnection& operator=(const SqlConnection&) = delete;
  ~SqlConnection();

  void execute(const std::string& sql);
  std::int64_t integer(const std::string& sql);  ///< the first value of the first row, or 0
  std::string text(const std::string& sql);      ///< likewise, or empty

  sqlite3* handle() const { return handle_; }
  const std::string& shown() const { return shown_; }
  [[noreturn]] void fail() const;  ///< SqlError for what went wrong last
  [[noreturn]] void fail_damaged(const std::string& how) const;

 private:
  sqlite3* handle_ = nullptr;
  std::string shown_;
};

/// A prepared statement. Columns count from 0, parameters from 1.
class SqlStatement {
 public:
  SqlStatement(SqlConnection& connection, const std::string& sql);
  SqlStatement(const SqlStatement&) = delete;
  SqlStatement& operator=(const SqlStatement&) = delete;
  ~SqlStatement();

  SqlStatement& bind(int parameter, std::int64_t value);
  SqlStatement& bind(int parameter, std::string_view value);  ///< copies
  bool step();                                                ///< true: there is a row
  void run();                                                 ///< to its end, ready for the next

  enum class Value { null, number, text };
  Value type(int column) const;  ///< a blob counts as text
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  ///< valid until the next step

 private:
  SqlConnection& connection_;
  sqlite3_stmt* handle_ = nullptr;
};

/// "a""b": a name as SQL takes it, whatever it contains but NUL.
std::string sql_name(std::string_view name);

}  // namespace fathom::sweep
