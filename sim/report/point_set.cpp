#include "report/point_set.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/error.hpp"
#include "report/document.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "typed arrays are written as they lie");

// RFC 4648, section 4.
std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U;
    };
    const std::uint32_t three = byte(0) << 16U | byte(1) << 8U | byte(2);
    out += kAlphabet[three >> 18U];
    out += kAlphabet[three >> 12U & 63U];
    out += i + 1 < bytes.size() ? kAlphabet[three >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[three & 63U] : '=';
  }
  return out;
}

template <class T>
std::string base64_of(const std::vector<T>& values) {
  return base64(std::as_bytes(std::span(values)));
}

// Ascending, without NaN; none if there are more than `most`, for then a table saves nothing.
std::vector<double> distinct(const std::vector<double>& values, std::size_t most) {
  std::vector<double> out;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    const auto at = std::ranges::lower_bound(out, value);
    if (at != out.end() && *at == value) continue;
    if (out.size() == most) return {};
    out.insert(at, value);
  }
  return out;
}

template <class Index>
std::string indices(const std::vector<double>& values, const std::vector<double>& table) {
  constexpr Index kNothing = std::numeric_limits<Index>::max();
  std::vector<Index> out;
  out.reserve(values.size());
  for (const double value : values) {
    const auto at = std::ranges::lower_bound(table, value) - table.begin();
    out.push_back(std::isnan(value) ? kNothing : static_cast<Index>(at));
  }
  return base64_of(out);
}

// An infinity has no place in JSON; it is a text there.
json table_json(const std::vector<double>& table) {
  json out = json::array();
  for (const double value : table)
    out.push_back(std::isfinite(value) ? json(value) : json(exact_number(value)));
  return out;
}

std::string floats(const std::vector<double>& values) {
  std::vector<float> out;
  out.reserve(values.size());
  for (const double value : values) out.push_back(static_cast<float>(value));
  return base64_of(out);
}

void encode(const std::vector<double>& values, json& out) {
  // The largest index says that there is no value, so 255 and not 256; beyond 4096 the table of a
  // column costs as much as its floats.
  const std::vector<double> table = distinct(values, 4096);
  if (table.empty()) {
    out["coding"] = "f32";
    out["data"] = floats(values);
    return;
  }
  const bool bytes = table.size() <= 255;
  out["coding"] = bytes ? "u8" : "u16";
  out["data"] =
      bytes ? indices<std::uint8_t>(values, table) : indices<std::uint16_t>(values, table);
  out["table"] = table_json(table);
}

// Differences, which repeat where the numbers do not: with a table of them, or as they are.
json numbers_json(const std::vector<std::int64_t>& numbers) {
  std::vector<double> steps;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    steps.push_back(static_cast<double>(i == 0 ? 0 : numbers[i] - numbers[i - 1]));
  json out;
  out["first"] = numbers.empty() ? 0 : numbers.front();
  encode(steps, out);
  if (out["coding"] == "f32") {
    out["coding"] = "plain";
    out["data"] = steps;
  }
  return out;
}

const char* wish(Better better) {
  constexpr std::array<const char*, 3> kNames{"neither", "high", "low"};
  return kNames.at(static_cast<std::size_t>(better));
}

json column_json(const PointColumn& column) {
  json out{{"name", clean(column.name)},
           {"header", one_line(column.header)},
           {"format", report::name(column.format)},
           {"input", column.input},
           {"better", wish(column.better)}};
  for (const std::string& text : column.texts) out["texts"].push_back(one_line(text));
  encode(column.values, out);
  return out;
}

}  // namespace

void check(const PointSet& points) {
  for (const PointColumn& column : points.columns) {
    FATHOM_EXPECT(column.values.size() == points.numbers.size(),
                  "a column has one value per point");
    const auto texts = static_cast<double>(column.texts.size());
    FATHOM_EXPECT(
        column.texts.empty() || std::ranges::all_of(column.values,
                                                    [&](double value) {
                                                      return std::isnan(value) ||
                                                             (value >= 0 && value < texts);
                                                    }),
        "every text's index has a text");
  }
  const auto falls = std::ranges::adjacent_find(points.numbers, std::ranges::greater_equal{});
  FATHOM_EXPECT(falls == points.numbers.end(), "points come in the order of their numbers");
}

std::string points_json(const PointSet& points, std::size_t budget) {
  check(points);
  json out{{"points", points.numbers.size()},
           {"front", points.front},
           {"columns", json::array()},
           {"left_out", json::array()}};
  out["numbers"] = numbers_json(points.numbers);
  std::size_t spent = 0;
  for (const PointColumn& column : points.columns) {
    json one = column_json(column);
    const std::size_t cost = one["data"].get_ref<const std::string&>().size() +
                             (one.contains("table") ? one["table"].size() * 8 : 0);
    if (spent + cost > budget) {
      out["left_out"].push_back(one_line(column.header));
      continue;
    }
    spent += cost;
    out["columns"].push_back(std::move(one));
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace fathom::report
