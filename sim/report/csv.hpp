#pragma once

#include <string>
#include <vector>

#include "report/document.hpp"

namespace fathom::report {

/// RFC 4180: a header of column keys, CRLF line ends, numbers in full precision.
std::string render_csv(const Table& table);

/// Every table and every plot's data, in document order. More than one: each after a record with
/// its title, separated by empty lines.
std::string render_csv(const Document& document);

struct CsvFile {
  std::string name;  ///< "03-kv-cache-per-token.csv"
  std::string content;
};
/// The same tables, one file each.
std::vector<CsvFile> csv_files(const Document& document);

}  // namespace fathom::report
