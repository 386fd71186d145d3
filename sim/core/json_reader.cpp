#include "core/json_reader.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace fathom {
namespace {

using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Above 2^53 a JSON number that went through a double may have lost its last digits.
constexpr double kExactLimit = 9007199254740992.0;

std::string describe(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  const auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return printable(text, 40) + (value.is_string() ? " (string)" : "");
}

std::string expected_integer(std::int64_t min, std::int64_t max) {
  const bool has_min = min > std::numeric_limits<std::int64_t>::min();
  const bool has_max = max < (INT64_C(1) << 53);
  if (has_min && has_max) return fmt::format("an integer from {} to {}", min, max);
  if (has_min) return fmt::format("an integer >= {}", min);
  return has_max ? fmt::format("an integer <= {}", max) : "an integer";
}

std::string expected_number(double min, double max) {
  if (std::isfinite(min) && std::isfinite(max)) {
    return fmt::format("a number from {} to {}", min, max);
  }
  if (std::isfinite(min)) return fmt::format("a number >= {}", min);
  return std::isfinite(max) ? fmt::format("a number <= {}", max) : "a number";
}

// 8 and 8.0 are the same count; 8.5, 1e300 and 2^53 + 2 written as a float are none.
std::optional<std::int64_t> exact_integer(const json& value) {
  if (value.is_number_unsigned()) {
    const auto v = value.get<std::uint64_t>();
    if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    return static_cast<std::int64_t>(v);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return {};
  const double v = value.get<double>();
  if (std::abs(v) > kExactLimit || v != std::trunc(v)) return {};
  return static_cast<std::int64_t>(v);
}

std::int64_t checked_integer(const json& value, const std::string& where, std::int64_t min,
                             std::int64_t max) {
  const std::optional<std::int64_t> v = exact_integer(value);
  if (!v || *v < min || *v > max) {
    throw InputError(fmt::format("{}: found {}, expected {}", where, describe(value),
                                 expected_integer(min, max)));
  }
  return *v;
}

std::string printable_token(std::string_view key) { return printable(pointer_token(key), 120); }

std::string quoted_list(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    list += fmt::format("{}'{}'", list.empty() ? "" : ", ", name);
  }
  return list;
}

}  // namespace

std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

JsonReader::JsonReader(const json& object, std::string where)
    : object_(&object), where_(std::move(where)) {
  if (!object.is_object()) {
    throw InputError(fmt::format("{}: found {}, expected an object", where_, describe(object)));
  }
}

bool JsonReader::has(std::string_view key) const {
  const auto it = object_->find(key);
  return it != object_->end() && !it->is_null();
}

bool JsonReader::has_null(std::string_view key) const {
  const auto it = object_->find(key);
  return it != object_->end() && it->is_null();
}

void JsonReader::ignore(std::string_view key) { asked_.emplace(key); }
void JsonReader::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) ignore(key);
}

std::string JsonReader::at(std::string_view key) const {
  return where_ + "/" + printable_token(key);
}

void JsonReader::fail(std::string_view key, const std::string& message) const {
  throw InputError(at(key) + ": " + message);
}

const json& JsonReader::get(std::string_view key, const std::string& expected) {
  ignore(key);
  const auto it = object_->find(key);
  if (it != object_->end()) return *it;
  // Only an unread key can be this one misspelt.
  const std::vector<std::string> rest = unasked();
  const std::vector<std::string_view> known(rest.begin(), rest.end());
  const std::string_view near = nearest(key, known);
  throw InputError(
      fmt::format("{}: missing key '{}'; expected {}{}", where_, key, expected,
                  near.empty() ? "" : fmt::format("; the nearest there is '{}'", printable(near))));
}

std::int64_t JsonReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  return checked_integer(get(key, expected_integer(min, max)), at(key), min, max);
}

std::int64_t JsonReader::integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                    std::int64_t max) {
  ignore(key);
  return has(key) ? integer(key, min, max) : fallback;
}

double JsonReader::number(std::string_view key, double min, double max) {
  const std::string expected = expected_number(min, max);
  const json& value = get(key, expected);
  const double v = value.is_number() ? value.get<double>() : 0.0;
  if (!value.is_number() || !std::isfinite(v) || v < min || v > max) {
    fail(key, fmt::format("found {}, expected {}", describe(value), expected));
  }
  return v;
}

double JsonReader::number_or(std::string_view key, double fallback, double min, double max) {
  ignore(key);
  return has(key) ? number(key, min, max) : fallback;
}

bool JsonReader::boolean(std::string_view key) {
  const json& value = get(key, "true or false");
  if (!value.is_boolean()) {
    fail(key, fmt::format("found {}, expected true or false", describe(value)));
  }
  return value.get<bool>();
}

bool JsonReader::boolean_or(std::string_view key, bool fallback) {
  ignore(key);
  return has(key) ? boolean(key) : fallback;
}

std::string JsonReader::string(std::string_view key) {
  const json& value = get(key, "a string");
  if (!value.is_string()) fail(key, fmt::format("found {}, expected a string", describe(value)));
  return value.get<std::string>();
}

std::string JsonReader::string_or(std::string_view key, std::string_view fallback) {
  ignore(key);
  return has(key) ? string(key) : std::string{fallback};
}

Dtype JsonReader::dtype_or(std::string_view key, Dtype fallback) {
  ignore(key);
  return has(key) ? parse_dtype(string(key), at(key)) : fallback;
}

std::size_t JsonReader::choice(std::string_view key, std::span<const std::string_view> choices) {
  const std::string expected = "one of " + quoted_list(choices);
  const json& value = get(key, expected);
  const std::string text = value.is_string() ? value.get<std::string>() : std::string{};
  for (std::size_t i = 0; value.is_string() && i < choices.size(); ++i) {
    if (choices[i] == text) return i;
  }
  fail(key, fmt::format("found {}, expected {}{}", describe(value), expected,
                        did_you_mean(text, choices)));
}

std::size_t JsonReader::choice_or(std::string_view key, std::span<const std::string_view> choices,
                                  std::size_t fallback) {
  ignore(key);
  return has(key) ? choice(key, choices) : fallback;
}

const json& JsonReader::array(std::string_view key, const std::string& expected) {
  const json& value = get(key, expected);
  if (!value.is_array()) {
    fail(key, fmt::format("found {}, expected {}", describe(value), expected));
  }
  return value;
}

std::vector<std::int64_t> JsonReader::integers(std::string_view key, std::int64_t min,
                                               std::int64_t max) {
  std::vector<std::int64_t> out;
  for (const json& item : array(key, "an array of integers")) {
    const std::string where = fmt::format("{}/{}", at(key), out.size());
    out.push_back(checked_integer(item, where, min, max));
  }
  return out;
}

std::vector<std::string> JsonReader::strings(std::string_view key) {
  std::vector<std::string> out;
  for (const json& item : array(key, "an array of strings")) {
    if (!item.is_string()) {
      throw InputError(
          fmt::format("{}/{}: found {}, expected a string", at(key), out.size(), describe(item)));
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

JsonReader JsonReader::object(std::string_view key) {
  return JsonReader{get(key, "an object"), at(key)};
}

std::optional<JsonReader> JsonReader::object_opt(std::string_view key) {
  ignore(key);
  if (!has(key)) return std::nullopt;
  return object(key);
}

std::vector<JsonReader> JsonReader::objects(std::string_view key) {
  std::vector<JsonReader> out;
  for (const json& item : array(key, "an array of objects")) {
    out.emplace_back(item, fmt::format("{}/{}", at(key), out.size()));
  }
  return out;
}

const json& JsonReader::raw(std::string_view key) { return get(key, "a value"); }

std::vector<std::string> JsonReader::unasked() const {
  std::vector<std::string> out;
  for (const auto& item : object_->items()) {
    if (!asked_.contains(item.key())) out.push_back(item.key());
  }
  return out;
}

void JsonReader::finish() const {
  const std::vector<std::string> rest = unasked();
  if (rest.empty()) return;
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  throw InputError(
      fmt::format("{}: unknown key '{}'{}", where_, printable(rest.front()),
                  known.empty() ? "; expected none" : did_you_mean(rest.front(), known)));
}

}  // namespace fathom
