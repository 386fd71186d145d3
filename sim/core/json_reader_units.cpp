// The unit-suffixed keys of JsonReader: the only place where a unit in a key becomes a base unit.

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom {

/// A suffix and how many base units one of it is.
struct UnitSuffix {
  std::string_view suffix;
  double scale;
};

namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The first of each list is the spelling a complaint about a missing key proposes.
constexpr std::array kTimeSuffixes{UnitSuffix{"_s", 1.0}, UnitSuffix{"_ms", 1e-3},
                                   UnitSuffix{"_us", 1e-6}, UnitSuffix{"_ns", 1e-9}};
constexpr std::array kByteSuffixes{UnitSuffix{"_gib", 1073741824.0}, UnitSuffix{"_b", 1.0},
                                   UnitSuffix{"_kib", 1024.0}, UnitSuffix{"_mib", 1048576.0},
                                   UnitSuffix{"_gb", 1e9}};
constexpr std::array kRateSuffixes{UnitSuffix{"_gb_s", 1e9}, UnitSuffix{"_b_s", 1.0},
                                   UnitSuffix{"_tb_s", 1e12}};
constexpr std::array kFlopSuffixes{UnitSuffix{"_tflops", 1e12}, UnitSuffix{"_gflops", 1e9},
                                   UnitSuffix{"_flops", 1.0}};

}  // namespace

std::optional<double> JsonReader::quantity(std::string_view stem,
                                           std::span<const UnitSuffix> suffixes) {
  std::string key;
  double scale = 0.0;
  for (const UnitSuffix& unit : suffixes) {
    std::string spelling = fmt::format("{}{}", stem, unit.suffix);
    ignore(spelling);
    if (!has(spelling)) continue;
    if (!key.empty()) {
      throw InputError(
          fmt::format("{}: found both '{}' and '{}', expected one of them", where_, key, spelling));
    }
    key = std::move(spelling);
    scale = unit.scale;
  }
  if (key.empty()) return std::nullopt;
  const double value = number(key, 0.0, kUnlimited) * scale;
  if (!std::isfinite(value)) fail(key, "too large; expected a number below 1.8e308 base units");
  return value;
}

double JsonReader::required_quantity(std::string_view stem, std::span<const UnitSuffix> suffixes) {
  const std::optional<double> value = quantity(stem, suffixes);
  if (value) return *value;
  std::string others;
  for (const UnitSuffix& unit : suffixes.subspan(1)) {
    others += fmt::format("{}{}", others.empty() ? "" : ", ", unit.suffix);
  }
  const std::string first = fmt::format("{}{}", stem, suffixes.front().suffix);
  get(first, fmt::format("a number (or the suffix {} instead)", others));
  fail(first, "found null, expected a number >= 0");
}

double JsonReader::positive_quantity(std::string_view stem, std::span<const UnitSuffix> suffixes) {
  const double value = required_quantity(stem, suffixes);
  if (value > 0.0) return value;
  for (const UnitSuffix& unit : suffixes) {
    const std::string key = fmt::format("{}{}", stem, unit.suffix);
    if (has(key)) fail(key, "found 0, expected a number > 0");
  }
  return value;
}

std::optional<Seconds> JsonReader::seconds_opt(std::string_view stem, double min_s) {
  const std::optional<double> value = quantity(stem, kTimeSuffixes);
  if (!value) return std::nullopt;
  if (*value < min_s) {
    throw InputError(
        fmt::format("{}: found {} s, expected at least {} s", at(stem), *value, min_s));
  }
  return Seconds{*value};
}

Seconds JsonReader::seconds(std::string_view stem, double min_s) {
  const std::optional<Seconds> value = seconds_opt(stem, min_s);
  return value ? *value : Seconds{required_quantity(stem, kTimeSuffixes)};
}

std::optional<Bytes> JsonReader::bytes_opt(std::string_view stem) {
  const std::optional<double> value = quantity(stem, kByteSuffixes);
  if (!value) return std::nullopt;
  return Bytes{*value};
}

Bytes JsonReader::bytes(std::string_view stem) {
  return Bytes{required_quantity(stem, kByteSuffixes)};
}

BytesPerSecond JsonReader::bandwidth(std::string_view stem) {
  return BytesPerSecond{positive_quantity(stem, kRateSuffixes)};
}

FlopsPerSecond JsonReader::flop_rate(std::string_view stem) {
  return FlopsPerSecond{positive_quantity(stem, kFlopSuffixes)};
}

}  // namespace fathom
