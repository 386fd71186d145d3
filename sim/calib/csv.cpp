#include "calib/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <span>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"

namespace fathom::calib {
namespace {

constexpr std::size_t kMaxRecord = 64 * 1024;

/// Splits a stream into records; a quoted field may span lines.
class RecordReader {
 public:
  RecordReader(const std::filesystem::path& path, std::string_view shown)
      : in_(path, std::ios::binary), shown_(shown) {
    if (!in_) throw InputError(fmt::format("{}: cannot be read", shown_));
    // A byte order mark, as spreadsheets write it.
    if (in_.peek() == 0xEF) in_.ignore(3);
  }

  bool next(std::vector<std::string>& fields) {
    while (in_.peek() == '\n' || in_.peek() == '\r') step();
    if (in_.peek() == std::char_traits<char>::eof()) return false;
    fields.clear();
    start_ = line_;
    size_ = 0;
    while (!read_field(fields.emplace_back())) {
    }
    return true;
  }
  std::int64_t line() const { return start_; }

 private:
  int step() {
    const int c = in_.get();
    if (c == '\n') ++line_;
    if (++size_ > kMaxRecord && c != '\n') fail("a record longer than 64 KiB; expected a table");
    return c;
  }
  [[noreturn]] void fail(std::string_view message) const {
    throw InputError(fmt::format("{}:{}: {}", shown_, start_, message));
  }

  // True at the end of the record.
  bool read_field(std::string& field) {
    if (in_.peek() == '"') {
      step();
      read_quoted(field);
    }
    while (true) {
      const int c = step();
      if (c == ',') return false;
      if (c == '\n' || c == std::char_traits<char>::eof()) {
        if (!field.empty() && field.back() == '\r') field.pop_back();
        return true;
      }
      if (c == 0) fail("a zero byte; expected text");
      field.push_back(static_cast<char>(c));
    }
  }

  void read_quoted(std::string& field) {
    while (true) {
      const int c = step();
      if (c == std::char_traits<char>::eof()) fail("a quote that never closes");
      if (c == '"') {
        if (in_.peek() != '"') return;
        step();
      }
      field.push_back(static_cast<char>(c));
    }
  }

  std::ifstream in_;
  std::string shown_;
  std::int64_t line_ = 1;
  std::int64_t start_ = 1;
  std::size_t size_ = 0;
};

void check_header(const std::vector<std::string>& header, std::string_view shown) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto again =
        std::find(header.begin() + static_cast<std::ptrdiff_t>(i) + 1, header.end(), header[i]);
    if (again == header.end()) continue;
    throw InputError(fmt::format("{}:1:{}: the column appears twice", shown, printable(header[i])));
  }
}

bool shares_a_name(const std::vector<std::string>& record, const std::vector<std::string>& names) {
  return std::any_of(record.begin(), record.end(), [&](const std::string& field) {
    return std::find(names.begin(), names.end(), field) != names.end();
  });
}

}  // namespace

std::size_t CsvRow::index(std::string_view column) const {
  const auto found = std::find(header_->begin(), header_->end(), column);
  return static_cast<std::size_t>(found - header_->begin());
}

bool CsvRow::has(std::string_view column) const { return index(column) < header_->size(); }

void CsvRow::fail(std::string_view column, std::string_view message) const {
  throw InputError(fmt::format("{}:{}:{}: {}", shown_, line, printable(column), message));
}

std::string_view CsvRow::text(std::string_view column) const {
  const std::size_t i = index(column);
  if (i < fields.size()) return fields[i];
  const std::vector<std::string_view> names(header_->begin(), header_->end());
  throw InputError(fmt::format("{}:1:{}: the column is missing{}", shown_, printable(column),
                               did_you_mean(column, names)));
}

std::string_view CsvRow::any_of(std::initializer_list<std::string_view> columns) const {
  for (const std::string_view column : columns) {
    if (has(column)) return column;
  }
  text(*columns.begin());  // complains
  return {};
}

double CsvRow::number(std::string_view column) const {
  std::string_view field = text(column);
  while (field.starts_with(' ')) field.remove_prefix(1);
  while (field.ends_with(' ')) field.remove_suffix(1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  const bool whole = error == std::errc{} && end == field.data() + field.size();
  if (!whole || !std::isfinite(value)) {
    fail(column, fmt::format("found '{}'; expected a number", printable(field)));
  }
  return value;
}

double CsvRow::positive(std::string_view column) const {
  const double value = number(column);
  if (value <= 0.0) fail(column, fmt::format("found {}; expected a number above zero", value));
  return value;
}

double CsvRow::non_negative(std::string_view column) const {
  const double value = number(column);
  if (value < 0.0) fail(column, fmt::format("found {}; expected zero or above", value));
  return value;
}

double CsvRow::count(std::string_view column) const {
  const double value = number(column);
  if (value < 0.0 || value != std::floor(value) || value > 1e15) {
    fail(column, fmt::format("found {}; expected a whole number, zero or above", value));
  }
  return value;
}

double CsvRow::count_or(std::string_view column, double otherwise) const {
  return has(column) ? count(column) : otherwise;
}

std::vector<std::string> csv_header(const std::filesystem::path& path, std::string_view shown) {
  RecordReader in{path, shown};
  std::vector<std::string> header;
  in.next(header);
  return header;
}

void for_each_row(const std::filesystem::path& path, std::string_view shown,
                  const std::function<void(const CsvRow&)>& visit,
                  const std::vector<std::string>& header) {
  RecordReader in{path, shown};
  std::vector<std::string> names;
  if (!in.next(names)) throw InputError(fmt::format("{}: empty; expected a header line", shown));
  std::vector<std::string> first;
  if (!header.empty() && !shares_a_name(names, header)) {
    first = std::move(names);
    names = header;
  }
  check_header(names, shown);
  CsvRow row{shown, names};
  std::int64_t rows = 0;
  const auto take = [&] {
    if (row.fields.size() != names.size()) {
      throw InputError(fmt::format("{}:{}: found {} fields; expected {}, as in the header", shown,
                                   in.line(), row.fields.size(), names.size()));
    }
    if (++rows > kMaxCsvRows) {
      throw InputError(fmt::format("{}:{}: more than {} rows; expected a sample of the table",
                                   shown, in.line(), kMaxCsvRows));
    }
    row.line = in.line();
    visit(row);
  };
  if (!first.empty()) {
    row.fields = std::move(first);
    take();
  }
  while (in.next(row.fields)) take();
}

}  // namespace fathom::calib
