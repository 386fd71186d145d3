#include "study/request_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

// The largest public traces have 5 million rows in 200 MB.
constexpr std::uintmax_t kMostBytes = 512U << 20U;
constexpr double kMostTokens = 1e8;
// Below this an scv is noise: that of n exponential gaps has a standard error of about sqrt(8 / n).
constexpr std::size_t kFewestGaps = 100;
// An instance takes longer than a minute to start, so a busy minute has to be served by what runs.
constexpr double kWindow = 60.0;
constexpr double kFewestWindows = 10.0;

enum Field : std::size_t { input, output, arrival, kFields };

struct Spelling {
  std::string_view name;
  Field field;
  double scale;
};

constexpr std::array kSpellings{
    Spelling{"input_tokens", input, 1.0},     Spelling{"prompt_tokens", input, 1.0},
    Spelling{"input_length", input, 1.0},     Spelling{"Request tokens", input, 1.0},
    Spelling{"ContextTokens", input, 1.0},    Spelling{"output_tokens", output, 1.0},
    Spelling{"output_length", output, 1.0},   Spelling{"Response tokens", output, 1.0},
    Spelling{"GeneratedTokens", output, 1.0}, Spelling{"arrival_s", arrival, 1.0},
    Spelling{"arrival_ms", arrival, 1e-3},    Spelling{"arrival_us", arrival, 1e-6},
    Spelling{"timestamp", arrival, 1e-3},     Spelling{"Timestamp", arrival, 1.0}};
constexpr std::array<std::string_view, 3> kOurs{"input_tokens", "output_tokens", "arrival_s"};

const Spelling* spelling_of(std::string_view name) {
  const auto found = std::ranges::find(kSpellings, name, &Spelling::name);
  return found == kSpellings.end() ? nullptr : &*found;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\"";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Collects rows and what their times say.
class Collector {
 public:
  explicit Collector(std::string file) { trace_.file = std::move(file); }

  void add(const std::array<std::optional<double>, kFields>& row, std::int64_t line) {
    for (const Field f : {input, output}) {
      if (!row[f]) {
        throw InputError(fmt::format("{}:{}: '{}' is missing", trace_.file, line, kOurs[f]));
      }
      if (!(*row[f] >= 0.0 && *row[f] <= kMostTokens)) {
        throw InputError(fmt::format("{}:{}: found {} = {}, expected 0 to {:g} tokens", trace_.file,
                                     line, kOurs[f], *row[f], kMostTokens));
      }
    }
    if (row[arrival]) {
      if (!std::isfinite(*row[arrival])) {
        throw InputError(fmt::format("{}:{}: arrival is not finite", trace_.file, line));
      }
      times_.push_back(*row[arrival]);  // also of requests that failed: they were sent
    }
    ++rows_;
    if (*row[input] < 1.0 || *row[output] < 1.0) {
      ++trace_.skipped;
    } else {
      trace_.requests.push_back({*row[input], *row[output], 1.0});
    }
  }

  RequestTrace take() {
    if (trace_.requests.empty()) {
      throw InputError(
          fmt::format("{}: found no request with a prompt and an output, expected one "
                      "per line",
                      trace_.file));
    }
    if (!times_.empty() && times_.size() != rows_) {
      throw InputError(fmt::format("{}: found arrival times in {} of {} rows, expected all or none",
                                   trace_.file, times_.size(), rows_));
    }
    if (times_.size() > kFewestGaps) trace_.arrivals = arrivals();
    return std::move(trace_);
  }

 private:
  std::optional<Arrivals> arrivals() {
    std::ranges::sort(times_);
    const double duration = times_.back() - times_.front();
    if (duration <= 0.0) return std::nullopt;
    const auto gaps = static_cast<double>(times_.size() - 1);
    const double mean = duration / gaps;
    double squares = 0.0;
    for (std::size_t i = 1; i < times_.size(); ++i) {
      const double off = times_[i] - times_[i - 1] - mean;
      squares += off * off;
    }
    return Arrivals{.requests_per_s = gaps / duration,
                    .scv = squares / gaps / (mean * mean),
                    .busiest = busiest(duration, mean),
                    .duration_s = duration};
  }

  // Whole windows only: a last one cut short would look quiet.
  double busiest(double duration, double gap) const {
    const double windows = std::floor(duration / kWindow);
    if (windows < kFewestWindows) return 1.0;
    std::size_t most = 0;
    std::size_t begin = 0;
    for (double w = 0.0; w < windows; w += 1.0) {
      std::size_t end = begin;
      while (end < times_.size() && times_[end] < times_.front() + (w + 1.0) * kWindow) ++end;
      most = std::max(most, end - begin);
      begin = end;
    }
    return std::max(1.0, static_cast<double>(most) * gap / kWindow);
  }

  RequestTrace trace_;
  std::vector<double> times_;
  std::size_t rows_ = 0;
};

template <class Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  std::int64_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    begin = end + 1;
    ++line;
    if (!trimmed(row).empty()) visit(row, line);
  }
}

std::vector<std::string_view> fields_of(std::string_view row) {
  std::vector<std::string_view> out;
  for (std::size_t begin = 0; begin <= row.size();) {
    const std::size_t end = std::min(row.find(',', begin), row.size());
    out.push_back(trimmed(row.substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

double number_of(std::string_view text, const std::string& where) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc{} && stop == end) return value;
  const bool date = text.find('-', 1) != std::string_view::npos || text.find(':') != text.npos;
  throw InputError(fmt::format("{}: found '{}', expected a number{}", where, text,
                               date ? "; convert dates to seconds" : ""));
}

RequestTrace parse_csv(std::string_view text, const std::string& file) {
  Collector collector{file};
  std::vector<const Spelling*> columns;
  for_each_line(text, [&](std::string_view row, std::int64_t line) {
    const auto fields = fields_of(row);
    if (columns.empty()) {
      std::array<bool, kFields> seen{};
      for (const std::string_view field : fields) {
        columns.push_back(spelling_of(field));
        if (columns.back() != nullptr) seen[columns.back()->field] = true;
      }
      for (const Field f : {input, output}) {
        if (seen[f]) continue;
        throw InputError(fmt::format("{}:{}: found no column '{}'{}", file, line, kOurs[f],
                                     did_you_mean(kOurs[f], fields)));
      }
      return;
    }
    if (fields.size() != columns.size()) {
      throw InputError(fmt::format("{}:{}: found {} fields, expected {} as in the header", file,
                                   line, fields.size(), columns.size()));
    }
    std::array<std::optional<double>, kFields> values;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (columns[i] == nullptr) continue;
      const std::string where = fmt::format("{}:{}: column '{}'", file, line, columns[i]->name);
      values[columns[i]->field] = number_of(fields[i], where) * columns[i]->scale;
    }
    collector.add(values, line);
  });
  return collector.take();
}

RequestTrace parse_lines(std::string_view text, const std::string& file) {
  Collector collector{file};
  for_each_line(text, [&](std::string_view row, std::int64_t line) {
    const std::string where = fmt::format("{}:{}", file, line);
    const json document = parse_json(row, where);
    if (!document.is_object()) {
      throw InputError(
          fmt::format("{}: found {}, expected an object", where, document.type_name()));
    }
    std::array<std::optional<double>, kFields> values;
    for (const Spelling& s : kSpellings) {
      const auto found = document.find(s.name);
      if (found == document.end()) continue;
      if (!found->is_number()) {
        throw InputError(
            fmt::format("{}: found {} = {}, expected a number", where, s.name, found->dump()));
      }
      values[s.field] = found->get<double>() * s.scale;
    }
    collector.add(values, line);
  });
  return collector.take();
}

}  // namespace

RequestTrace parse_request_trace(std::string_view text, const std::string& file) {
  RequestTrace trace = file.ends_with(".jsonl") ? parse_lines(text, file) : parse_csv(text, file);
  trace.hash = content_hash(text);
  return trace;
}

RequestTrace read_request_trace(const std::string& file) {
  return parse_request_trace(read_text(file, kMostBytes), file);
}

}  // namespace fathom::study
