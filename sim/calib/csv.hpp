#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::calib {

/// One record of a CSV file under its header. Every complaint says file:line:column.
class CsvRow {
 public:
  CsvRow(std::string_view shown, const std::vector<std::string>& header)
      : shown_(shown), header_(&header) {}

  bool has(std::string_view column) const;
  /// InputError without the column.
  std::string_view text(std::string_view column) const;
  /// InputError unless a finite number above zero.
  double positive(std::string_view column) const;
  /// InputError unless a finite number, zero or above.
  double non_negative(std::string_view column) const;
  /// InputError unless a whole number, zero or above.
  double count(std::string_view column) const;
  /// `otherwise` without the column.
  double count_or(std::string_view column, double otherwise) const;
  /// The first of several spellings that the header has. InputError naming the first without any.
  std::string_view any_of(std::initializer_list<std::string_view> columns) const;

  const std::string& shown() const { return shown_; }
  [[noreturn]] void fail(std::string_view column, std::string_view message) const;

  std::vector<std::string> fields;  // of the current record
  std::int64_t line = 0;            // where it starts

 private:
  double number(std::string_view column) const;
  std::size_t index(std::string_view column) const;

  std::string shown_;
  const std::vector<std::string>* header_;
};

/// More rows than this are refused: a fit takes 1500 per sub-fit, and a table of a million costs a
/// gigabyte.
inline constexpr std::int64_t kMaxCsvRows = 250'000;

/// The first record, without reading further.
std::vector<std::string> csv_header(const std::filesystem::path& path, std::string_view shown);

/// RFC 4180, record by record, memory bounded by one record. `header` replaces a missing first
/// line: it is used when the first record has none of its names. Empty lines are skipped.
void for_each_row(const std::filesystem::path& path, std::string_view shown,
                  const std::function<void(const CsvRow&)>& visit,
                  const std::vector<std::string>& header = {});

}  // namespace fathom::calib
