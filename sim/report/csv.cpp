#include "report/csv.hpp"

#include <fmt/format.h>

#include <string_view>

#include "report/escape.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kLongestName = 60;

void append_record(std::string& out, const std::vector<std::string>& fields) {
  bool first = true;
  for (const std::string& field : fields) {
    if (!first) out += ',';
    first = false;
    out += escape_csv(field);
  }
  // A lone empty field would be an empty line, which readers skip.
  if (fields.size() == 1 && fields.front().empty()) out += "\"\"";
  out += kLineEnd;
}

// A number keeps its sign; a text that a spreadsheet would run as a formula does not stay one.
std::string field(const Cell& cell) {
  const std::string text = clean(exact_text(cell));
  return number(cell) != nullptr ? text : neutralise_formula(text);
}

void collect(const std::vector<Block>& blocks, std::vector<Table>& out) {
  for (const Block& block : blocks) {
    if (const auto* table = std::get_if<Table>(&block.content)) out.push_back(*table);
    if (const auto* plot = std::get_if<Plot>(&block.content)) out.push_back(data_table(*plot));
    if (const auto* plot = std::get_if<LanePlot>(&block.content)) out.push_back(data_table(*plot));
    if (const auto* details = std::get_if<Details>(&block.content)) collect(details->blocks, out);
  }
}

std::vector<Table> tables_of(const Document& document) {
  std::vector<Table> tables;
  collect(document.blocks, tables);
  return tables;
}

}  // namespace

std::string render_csv(const Table& table) {
  check(table);
  std::string out;
  append_record(out, column_keys(table));  // letters, digits and underscores
  for (const auto& row : table.rows) {
    std::vector<std::string> fields;
    for (const Cell& cell : row) fields.push_back(field(cell));
    append_record(out, fields);
  }
  return out;
}

std::string render_csv(const Document& document) {
  const std::vector<Table> tables = tables_of(document);
  if (tables.size() == 1) return render_csv(tables.front());
  std::string out;
  for (const Table& table : tables) {
    if (!out.empty()) out += kLineEnd;
    append_record(out, {neutralise_formula(one_line(table.title))});
    out += render_csv(table);
  }
  return out;
}

std::vector<CsvFile> csv_files(const Document& document) {
  std::vector<CsvFile> files;
  for (const Table& table : tables_of(document)) {
    std::string name = slug(table.title, '-').substr(0, kLongestName);
    while (!name.empty() && name.back() == '-') name.pop_back();
    if (name.empty()) name = "table";
    files.push_back({fmt::format("{:02}-{}.csv", files.size() + 1, name), render_csv(table)});
  }
  return files;
}

}  // namespace fathom::report
