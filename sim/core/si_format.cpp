#include "core/si_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace fathom {
namespace {

constexpr int kDigits = 3;

struct Rounded {
  double value;
  int exponent;  // of the leading decimal digit, after rounding: 999.6 has exponent 3
};

// Rounds through text, so that the digits shown are those of the decimal expansion.
Rounded round_significant(double value, int digits) {
  const std::string text = fmt::format("{:.{}e}", value, digits - 1);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  return {std::strtod(text.c_str(), nullptr), exponent};
}

std::string non_finite(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

std::string with_unit(std::string number, std::string_view prefix, std::string_view unit) {
  if (prefix.empty() && unit.empty()) return number;
  return fmt::format("{} {}{}", number, prefix, unit);
}

// Whole numbers below a thousand are counts: "64 B", not "64.0 B".
std::string small_or_significant(double value) {
  if (std::abs(value) < 1000.0 && value == std::trunc(value)) return fmt::format("{:.0f}", value);
  return format_significant(value, kDigits);
}

}  // namespace

std::string format_significant(double value, int digits) {
  if (!std::isfinite(value)) return non_finite(value);
  if (value == 0.0) return "0";
  const Rounded rounded = round_significant(value, digits);
  if (std::abs(rounded.value) < 1e-4 || std::abs(rounded.value) >= 1e7) {
    return fmt::format("{:.{}e}", value, digits - 1);
  }
  const int decimals = std::max(0, digits - 1 - rounded.exponent);
  return fmt::format("{:.{}f}", rounded.value, decimals);
}

std::string format_si(double value, const char* unit) {
  // K for 10^3 as in "70.3 KB/token"; the binary kilo is always written Ki.
  static constexpr std::array<std::string_view, 12> kPrefixes{"p", "n", "µ", "m", "",  "K",
                                                              "M", "G", "T", "P", "E", "Z"};
  static constexpr int kUnity = 4;
  if (!std::isfinite(value)) return with_unit(non_finite(value), "", unit);
  if (value == 0.0) return with_unit("0", "", unit);
  const int exponent = round_significant(value, kDigits).exponent;
  const int thousands = exponent >= 0 ? exponent / 3 : -((2 - exponent) / 3);
  const int index = std::clamp(kUnity + thousands, 0, static_cast<int>(kPrefixes.size()) - 1);
  const double scaled = value / std::pow(1000.0, index - kUnity);
  const std::string number =
      index == kUnity ? small_or_significant(value) : format_significant(scaled, kDigits);
  return with_unit(number, kPrefixes[static_cast<std::size_t>(index)], unit);
}

std::string format_bytes_binary(Bytes bytes) {
  static constexpr std::array<std::string_view, 7> kPrefixes{"",   "Ki", "Mi", "Gi",
                                                             "Ti", "Pi", "Ei"};
  if (!std::isfinite(bytes.value)) return with_unit(non_finite(bytes.value), "", "B");
  double scaled = bytes.value;
  std::size_t index = 0;
  while (std::abs(scaled) >= 1023.5 && index + 1 < kPrefixes.size()) {
    scaled /= 1024.0;
    ++index;
  }
  // Between 1000 and 1023 four digits are exact enough to keep: "1016 KiB".
  const std::string number =
      std::abs(scaled) >= 999.5
          ? fmt::format("{:.0f}", scaled)
          : (index == 0 ? small_or_significant(scaled) : format_significant(scaled, kDigits));
  return with_unit(number, kPrefixes[index], "B");
}

std::string format_seconds(Seconds time) {
  constexpr double kMinute = 60.0;
  constexpr double kHour = 3600.0;
  constexpr double kDay = 86400.0;
  const double magnitude = std::abs(time.value);
  if (!std::isfinite(magnitude)) return with_unit(non_finite(time.value), "", "s");
  if (magnitude == 0.0) return "0 s";
  if (magnitude >= 2.0 * kDay) return format_significant(time.value / kDay) + " days";
  if (magnitude >= 2.0 * kHour) return format_significant(time.value / kHour) + " h";
  if (magnitude >= 2.0 * kMinute) return format_significant(time.value / kMinute) + " min";
  if (magnitude >= 1.0) return format_significant(time.value) + " s";
  return format_si(time.value, "s");
}

std::string format_percent(double fraction) { return format_significant(fraction * 100.0) + " %"; }

std::string format_count(std::int64_t value) {
  std::string text = fmt::format("{}", value);
  const std::size_t first_digit = value < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first_digit + 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

}  // namespace fathom
