#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/units.hpp"

namespace fathom {

/// The nearest of `known` to `word` by edit distance, or empty when nothing is close.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);
/// "; did you mean 'x'?" or an empty string.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

/// `key` as one token of a JSON pointer: '~' and '/' are escaped (RFC 6901).
std::string pointer_token(std::string_view key);

struct UnitSuffix;  // a key suffix such as _gb_s and its size in base units

/// Strict reader of one JSON object. Every complaint names `file#/pointer`, what was found and what
/// was expected. A key that nobody asked for is an error: finish() names it and the nearest key
/// that was asked for. Numbers: NaN and infinities do not exist in JSON; 1e400 (overflow) is
/// refused; integers must be integral and in range.
class JsonReader {
 public:
  /// `where` is "file.json#" or "file.json#/pointer"; `object` must outlive the reader. Throws
  /// InputError if not an object.
  JsonReader(const nlohmann::json& object, std::string where);

  bool has(std::string_view key) const;       ///< present and not null
  bool has_null(std::string_view key) const;  ///< present and null
  void ignore(std::string_view key);          ///< known and deliberately unused
  void ignore(std::initializer_list<std::string_view> keys);

  std::int64_t integer(std::string_view key, std::int64_t min = 0,
                       std::int64_t max = INT64_C(1) << 53);
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t min = 0,
                          std::int64_t max = INT64_C(1) << 53);
  double number(std::string_view key, double min, double max);
  double number_or(std::string_view key, double fallback, double min, double max);
  bool boolean(std::string_view key);
  bool boolean_or(std::string_view key, bool fallback);
  std::string string(std::string_view key);
  std::string string_or(std::string_view key, std::string_view fallback);
  Dtype dtype_or(std::string_view key, Dtype fallback);
  /// One of `choices`; complains with the nearest one. Returns its index.
  std::size_t choice(std::string_view key, std::span<const std::string_view> choices);
  std::size_t choice_or(std::string_view key, std::span<const std::string_view> choices,
                        std::size_t fallback);
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t min = 0,
                                     std::int64_t max = INT64_C(1) << 53);
  std::vector<std::string> strings(std::string_view key);

  /// Reads `stem` + a unit suffix: time (_s, _ms, _us, _ns), bytes (_b, _kib, _mib, _gib, _gb),
  /// rate (_b_s, _gb_s, _tb_s), flops (_flops, _gflops, _tflops). Rates and flops must be positive.
  /// Two spellings at once are an error.
  Seconds seconds(std::string_view stem, double min_s = 0.0);
  std::optional<Seconds> seconds_opt(std::string_view stem, double min_s = 0.0);
  Bytes bytes(std::string_view stem);
  std::optional<Bytes> bytes_opt(std::string_view stem);
  BytesPerSecond bandwidth(std::string_view stem);
  FlopsPerSecond flop_rate(std::string_view stem);

  /// A nested object, read with the same strictness; the caller calls finish() on it.
  JsonReader object(std::string_view key);
  std::optional<JsonReader> object_opt(std::string_view key);
  /// A nested array of objects.
  std::vector<JsonReader> objects(std::string_view key);
  /// Any value, unchecked (still counts as asked for).
  const nlohmann::json& raw(std::string_view key);

  /// Throws for the first key that was never asked for.
  void finish() const;
  /// Keys never asked for, sorted (for readers that list what they do not model).
  std::vector<std::string> unasked() const;
  /// "file.json#/pointer/key"
  std::string at(std::string_view key) const;
  const std::string& where() const { return where_; }
  /// InputError{at(key) + ": " + message}.
  [[noreturn]] void fail(std::string_view key, const std::string& message) const;

 private:
  const nlohmann::json& get(std::string_view key, const std::string& expected);
  const nlohmann::json& array(std::string_view key, const std::string& expected);
  std::optional<double> quantity(std::string_view stem, std::span<const UnitSuffix> suffixes);
  double required_quantity(std::string_view stem, std::span<const UnitSuffix> suffixes);
  double positive_quantity(std::string_view stem, std::span<const UnitSuffix> suffixes);

  const nlohmann::json* object_;
  std::string where_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace fathom
