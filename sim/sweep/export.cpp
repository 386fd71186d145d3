#include "sweep/export.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace fathom::sweep {
namespace {

// The rule of escape_csv in sim/report, and one for formulas, which computed reports do not hold.
std::string csv_field(std::string_view text) {
  std::string field(text);
  constexpr std::string_view kStartsFormula = "=+-@\t\r";  // OWASP, "CSV injection"
  if (!field.empty() && kStartsFormula.find(field.front()) != std::string_view::npos) {
    field.insert(field.begin(), '\'');
  }
  // Some readers trim a field's spaces unless it is quoted.
  const bool edge_space = !field.empty() && (field.front() == ' ' || field.back() == ' ');
  if (field.find_first_of(",\"\r\n") == std::string::npos && !edge_space) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string json_text(std::string_view text) {
  using nlohmann::json;
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_number(std::string& out, double value, ColumnKind kind) {
  std::array<char, 32> text{};
  std::to_chars_result end{};
  // Below 2^53 a whole number and its double are the same; above, its digits would promise more.
  if (kind == ColumnKind::integer && std::trunc(value) == value && std::abs(value) < 0x1p53) {
    end = std::to_chars(text.data(), text.data() + text.size(), static_cast<std::int64_t>(value));
  } else {
    end = std::to_chars(text.data(), text.data() + text.size(), value);
  }
  out.append(text.data(), end.ptr);
}

struct Csv {
  explicit Csv(const std::vector<std::string>&) {}
  static std::string text(std::string_view text) { return csv_field(text); }
  static void before(std::string& out, std::size_t column) { out += column == 0 ? "" : ","; }
  static void end_row(std::string& out) { out += "\r\n"; }
  static constexpr std::string_view kNothing = "";
  static constexpr std::string_view kInfinite = "inf";
  static constexpr std::string_view kMinusInfinite = "-inf";
  static constexpr std::string_view kFalseTrue[] = {"0", "1"};
};

struct Jsonl {
  explicit Jsonl(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      keys.push_back((keys.empty() ? '{' : ',') + json_text(name) + ':');
    }
  }
  static std::string text(std::string_view text) { return json_text(text); }
  void before(std::string& out, std::size_t column) const { out += keys[column]; }
  static void end_row(std::string& out) { out += "}\n"; }
  static constexpr std::string_view kNothing = "null";
  static constexpr std::string_view kInfinite = "\"inf\"";
  static constexpr std::string_view kMinusInfinite = "\"-inf\"";
  static constexpr std::string_view kFalseTrue[] = {"false", "true"};

  std::vector<std::string> keys;
};

std::vector<std::string> names_of(const Layout& layout) {
  std::vector<std::string> names = {"number"};
  for (const Column& column : layout.inputs) names.push_back(column.name);
  for (const Column& column : layout.results) names.push_back(column.name);
  names.insert(names.end(), {"feasible", "reason"});
  return names;
}

// Texts are escaped once, not in every row.
template <class Format>
class RowWriter {
 public:
  explicit RowWriter(const Layout& layout) : format_(names_of(layout)) {
    for (const Column& column : layout.inputs) add(column);
    inputs_ = columns_.size();
    for (const Column& column : layout.results) add(column);
  }

  void append(std::string& out, const Block& block) {
    reasons_.clear();
    for (const std::string& reason : block.reasons) reasons_.push_back(Format::text(reason));
    for (std::size_t row = 0; row < block.rows(); ++row) append(out, block, row);
  }

 private:
  struct Shown {
    ColumnKind kind;
    std::vector<std::string> texts;
  };

  void add(const Column& column) {
    Shown& shown = columns_.emplace_back(Shown{column.kind, {}});
    for (const std::string& text : column.texts) shown.texts.push_back(Format::text(text));
  }

  void append(std::string& out, const Block& block, std::size_t row) const {
    const std::size_t results = columns_.size() - inputs_;
    format_.before(out, 0);
    append_number(out, static_cast<double>(block.numbers[row]), ColumnKind::integer);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      format_.before(out, i + 1);
      append_value(out, columns_[i],
                   i < inputs_ ? block.inputs[row * inputs_ + i]
                               : block.results[row * results + i - inputs_]);
    }
    const std::int32_t reason = block.reason[row];
    format_.before(out, columns_.size() + 1);
    out += Format::kFalseTrue[reason < 0 ? 1 : 0];
    format_.before(out, columns_.size() + 2);
    out += reason < 0 ? Format::kNothing : reasons_[static_cast<std::size_t>(reason)];
    Format::end_row(out);
  }

  static void append_value(std::string& out, const Shown& column, double value) {
    if (std::isnan(value)) {
      out += Format::kNothing;
    } else if (column.kind == ColumnKind::text) {
      out += column.texts[static_cast<std::size_t>(value)];
    } else if (std::isinf(value)) {
      out += value > 0 ? Format::kInfinite : Format::kMinusInfinite;
    } else {
      append_number(out, value, column.kind);
    }
  }

  Format format_;
  std::size_t inputs_ = 0;
  std::vector<Shown> columns_;
  std::vector<std::string> reasons_;
};

void write(std::ostream& out, const std::string& text) {
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!out) throw InputError("the export cannot be written; is there room?");
}

template <class Format>
void export_rows(Reader& reader, std::ostream& out) {
  RowWriter<Format> rows(reader.manifest().layout);
  std::string text;
  reader.for_each([&](const Block& block) {
    text.clear();
    rows.append(text, block);
    write(out, text);
  });
  out.flush();
  write(out, "");
}

}  // namespace

void export_csv(Reader& reader, std::ostream& out) {
  std::string header;
  for (const std::string& name : names_of(reader.manifest().layout)) {
    header += (header.empty() ? "" : ",") + csv_field(name);
  }
  write(out, header + "\r\n");
  export_rows<Csv>(reader, out);
}

void export_jsonl(Reader& reader, std::ostream& out) { export_rows<Jsonl>(reader, out); }

}  // namespace fathom::sweep
