#include "sweep/axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "sweep/sampler.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr double kLargest = 1e15;  // integers stay exact

std::string read_pointer(JsonReader& in) {
  std::string pointer = in.string("pointer");
  check_pointer(pointer, in.at("pointer"));
  return pointer;
}

Range read_range(JsonReader& in) {
  Range range;
  range.from = in.number("from", -kLargest, kLargest);
  range.to = in.number("to", -kLargest, kLargest);
  range.scale = static_cast<Scale>(in.choice_or("scale", kScaleNames, 0));
  range.integer = in.boolean_or("integer", false);
  if (range.scale == Scale::log && (range.from <= 0.0 || range.to <= 0.0))
    in.fail("scale", "a log scale needs 'from' and 'to' above 0");
  const auto whole = [](double v) { return v == std::trunc(v); };
  if (range.integer && !(whole(range.from) && whole(range.to)))
    in.fail("integer", "needs integers in 'from' and 'to'");
  return range;
}

json number_value(double value) {
  if (value == std::trunc(value) && std::abs(value) <= kLargest)
    return static_cast<std::int64_t>(value);
  return value;
}

const json& read_list(JsonReader& in, std::string_view key) {
  const json& list = in.raw(key);
  if (!list.is_array()) in.fail(key, "expected an array");
  if (list.empty()) in.fail(key, "is empty; expected at least one");
  if (static_cast<std::int64_t>(list.size()) > kMaxAxis)
    in.fail(key, fmt::format("{} entries, expected at most {}", list.size(), kMaxAxis));
  return list;
}

void read_values(JsonReader& in, AxisText& out) {
  const json& list = read_list(in, "values");
  out.values.assign(list.begin(), list.end());
  out.size = static_cast<std::int64_t>(list.size());
}

void read_grid_range(JsonReader& in, AxisText& out) {
  JsonReader r = in.object("range");
  const Range range = read_range(r);
  const std::int64_t count = r.integer("count", 1, kMaxAxis);
  if (count == 1 && range.from != range.to)
    r.fail("count", "one value of a range whose ends differ; expected at least 2");
  r.finish();
  for (const double value : range_values(range, count)) out.values.push_back(number_value(value));
  out.size = static_cast<std::int64_t>(out.values.size());
}

void read_single(JsonReader& in, AxisText& out) {
  out.pointers = {read_pointer(in)};
  if (in.has("values") == in.has("range"))
    in.fail("pointer", "expected either \"values\" or \"range\" beside it");
  if (in.has("values")) {
    read_values(in, out);
  } else {
    read_grid_range(in, out);
  }
}

void read_zip(JsonReader& in, AxisText& out) {
  std::vector<AxisText> parts;
  for (JsonReader& part : in.objects("zip")) parts.push_back(read_axis(std::move(part)));
  if (parts.empty()) in.fail("zip", "is empty; expected at least one axis");
  out.size = parts.front().size;
  for (const AxisText& part : parts) {
    if (part.size != out.size) {
      throw InputError(fmt::format("{}: {} values beside {} of {}; zipped axes are equally long",
                                   part.where, part.size, out.size, parts.front().where));
    }
    if (!part.bases.empty())
      throw InputError(part.where + "/bases: belongs to the zip, not to one of its axes");
    out.pointers.insert(out.pointers.end(), part.pointers.begin(), part.pointers.end());
  }
  for (std::int64_t i = 0; i < out.size; ++i) {
    for (const AxisText& part : parts) {
      const auto width = static_cast<std::ptrdiff_t>(part.pointers.size());
      const auto row = part.values.begin() + i * width;
      out.values.insert(out.values.end(), row, row + width);
    }
  }
}

void read_points(JsonReader& in, AxisText& out) {
  const json& list = read_list(in, "list");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}/{}", in.at("list"), i);
    if (!list[i].is_object() || list[i].empty())
      throw InputError(where + ": expected an object of \"/json/pointer\": value");
    if (i == 0) {
      for (const auto& item : list[i].items()) {
        check_pointer(item.key(), where);
        out.pointers.push_back(item.key());
      }
    }
    for (const std::string& pointer : out.pointers) {
      if (!list[i].contains(pointer))
        throw InputError(fmt::format("{}: lacks '{}', which the first entry has", where, pointer));
      out.values.push_back(list[i].at(pointer));
    }
    if (list[i].size() != out.pointers.size())
      throw InputError(where + ": has pointers that the first entry lacks");
  }
  out.size = static_cast<std::int64_t>(list.size());
}

// What one coordinate of a sample becomes.
struct Dimension {
  Range range;
  std::vector<json> choices;  // instead
};

Dimension read_dimension(JsonReader& in, AxisText& out) {
  Dimension d;
  out.pointers.push_back(read_pointer(in));
  if (in.has("values")) {
    const json& list = read_list(in, "values");
    d.choices.assign(list.begin(), list.end());
  } else {
    d.range = read_range(in);
  }
  in.finish();
  return d;
}

void read_sample(JsonReader& in, AxisText& out) {
  SampleRequest request;
  request.kind = static_cast<SampleKind>(in.choice("sample", kSampleKindNames));
  request.count = in.integer("count", 1, kMaxAxis);
  request.seed = static_cast<std::uint64_t>(in.integer_or("seed", 1));
  std::vector<Dimension> dimensions;
  for (JsonReader& of : in.objects("of")) dimensions.push_back(read_dimension(of, out));
  if (dimensions.empty()) in.fail("of", "is empty; expected at least one");
  const auto width = static_cast<std::int64_t>(dimensions.size());
  if (request.kind == SampleKind::sobol && width > max_sobol_dimensions())
    in.fail("of", fmt::format("{} dimensions; a Sobol sequence has at most {}", width,
                              max_sobol_dimensions()));
  if (request.count > kMaxAxis / width)
    in.fail("count", fmt::format("{} points of {} values, expected at most {} values together",
                                 request.count, width, kMaxAxis));
  request.dimensions = static_cast<int>(width);
  const std::vector<double> cube = sample_unit_cube(request);
  out.values.reserve(cube.size());
  for (std::size_t i = 0; i < cube.size(); ++i) {
    const Dimension& d = dimensions[i % dimensions.size()];
    out.values.push_back(d.choices.empty() ? number_value(value_at(d.range, cube[i]))
                                           : d.choices[choice_at(d.choices.size(), cube[i])]);
  }
  out.size = request.count;
}

void refuse_repeats(const AxisText& axis) {
  std::set<std::string> seen;
  for (const std::string& pointer : axis.pointers) {
    if (!seen.insert(pointer).second)
      throw InputError(fmt::format("{}: '{}' is set twice", axis.where, printable(pointer)));
  }
}

}  // namespace

void check_pointer(const std::string& pointer, const std::string& where) {
  try {
    if (!json::json_pointer(pointer).empty()) return;
  } catch (const json::exception&) {
    // Not a pointer: said below.
  }
  throw InputError(fmt::format("{}: found '{}', expected a JSON pointer such as \"/plan/tp\"",
                               where, printable(pointer)));
}

AxisText read_axis(JsonReader in) {
  AxisText out;
  out.where = in.where();
  in.ignore("comment");
  if (in.has("bases")) out.bases = in.strings("bases");
  if (in.has("zip")) {
    read_zip(in, out);
  } else if (in.has("list")) {
    read_points(in, out);
  } else if (in.has("sample")) {
    read_sample(in, out);
  } else {
    read_single(in, out);
  }
  in.finish();
  refuse_repeats(out);
  return out;
}

}  // namespace fathom::sweep
