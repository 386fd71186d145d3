#include "sweep/field_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/utf8.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kExact = 9007199254740992.0;  // 2^53
constexpr std::string_view kWorkload = "/workload/";

Encoding encoding_of(const json& value) {
  if (value.is_number()) return Encoding::number;
  if (value.is_boolean()) return Encoding::boolean;
  return value.is_string() ? Encoding::text : Encoding::json;
}

bool is_for(const AxisText& axis, const Base& base) {
  return axis.bases.empty() || std::ranges::find(axis.bases, base.name) != axis.bases.end();
}

void check_bases(const AxisText& axis, const Sweep& sweep) {
  std::vector<std::string_view> known;
  for (const Base& base : sweep.bases) known.push_back(base.name);
  for (const std::string& name : axis.bases) {
    if (std::ranges::find(known, name) == known.end()) {
      throw InputError(fmt::format("{}/bases: unknown base '{}'{}", axis.where, printable(name),
                                   did_you_mean(name, known)));
    }
  }
}

// "/plan" and "/plan/tp" would overwrite each other.
void refuse_overlap(const std::string& pointer, const std::string& where, const Sweep& sweep) {
  for (const Field& field : sweep.fields) {
    const auto& [shorter, longer] =
        std::minmax(field.pointer, pointer, [](auto& a, auto& b) { return a.size() < b.size(); });
    if (shorter.size() < longer.size() && longer.starts_with(shorter + "/")) {
      throw InputError(fmt::format("{}: '{}' and '{}' set the same thing; vary one of them", where,
                                   printable(shorter), printable(longer)));
    }
  }
}

std::optional<study::WorkloadField> workload_of(const std::string& pointer,
                                                const std::string& where) {
  if (pointer == "/workload")
    throw InputError(where + ": vary the fields of the workload, such as \"/workload/sequences\"");
  if (!pointer.starts_with(kWorkload)) return std::nullopt;
  const std::string_view name = std::string_view(pointer).substr(kWorkload.size());
  if (const auto field = study::workload_field(name)) return field;
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < study::kWorkloadFields; ++i)
    known.push_back(study::name(static_cast<study::WorkloadField>(i)));
  throw InputError(fmt::format("{}: a workload has no '{}'{}", where, printable(name),
                               did_you_mean(name, known)));
}

void check_phase(const Field& field, const Base& base, const std::string& where) {
  if (field.workload && !study::belongs_to(*field.workload, base.phase)) {
    throw InputError(fmt::format(
        "{}: '{}' is no field of a {} workload ({}); name the axis' \"bases\"", where,
        field.pointer, base.phase == model::Phase::decode ? "decode" : "prefill", base.name));
  }
}

// All values that any axis gives the pointer.
std::vector<const json*> values_of(const std::string& pointer, const std::vector<AxisText>& axes) {
  std::vector<const json*> out;
  for (const AxisText& axis : axes) {
    for (std::size_t p = 0; p < axis.pointers.size(); ++p) {
      if (axis.pointers[p] != pointer) continue;
      for (std::size_t i = p; i < axis.values.size(); i += axis.pointers.size())
        out.push_back(&axis.values[i]);
    }
  }
  return out;
}

Axis in_numbers(const AxisText& text, Sweep& sweep) {
  Axis axis{.where = text.where, .size = text.size};
  for (const std::string& pointer : text.pointers) {
    axis.fields.push_back(*find_field(sweep, pointer));
    if (!sweep.fields[static_cast<std::size_t>(axis.fields.back())].workload) axis.setting = true;
  }
  axis.values.reserve(text.values.size());
  for (std::size_t i = 0; i < text.values.size(); ++i) {
    const auto field = static_cast<std::size_t>(axis.fields[i % axis.fields.size()]);
    axis.values.push_back(*encode(text.values[i], sweep.fields[field].encoding, sweep.texts));
  }
  return axis;
}

void give(const Axis& axis, Base& base, const Sweep& sweep) {
  for (const std::int32_t f : axis.fields) {
    const Field& field = sweep.fields[static_cast<std::size_t>(f)];
    check_phase(field, base, axis.where);
    for (const Axis& other : base.axes) {
      if (std::ranges::find(other.fields, f) != other.fields.end()) {
        throw InputError(fmt::format("{}: '{}' is set by {} too", axis.where,
                                     printable(field.pointer), other.where));
      }
    }
  }
  base.axes.push_back(axis);
}

}  // namespace

Encoding common_encoding(const std::vector<const json*>& values) {
  if (values.empty()) return Encoding::number;
  const Encoding first = encoding_of(*values.front());
  const bool same =
      std::ranges::all_of(values, [&](const json* v) { return encoding_of(*v) == first; });
  return same ? first : Encoding::json;
}

std::optional<double> encode(const json& value, Encoding encoding, TextDictionary& texts) {
  if (encoding == Encoding::json) return texts.intern(value.dump());
  if (encoding_of(value) != encoding) return std::nullopt;
  switch (encoding) {
    case Encoding::number:
      return value.get<double>();
    case Encoding::boolean:
      return value.get<bool>() ? 1.0 : 0.0;
    default:
      return texts.intern(value.get_ref<const std::string&>());
  }
}

std::optional<std::int32_t> find_field(const Sweep& sweep, std::string_view pointer) {
  const auto found = std::ranges::find(sweep.fields, pointer, &Field::pointer);
  if (found == sweep.fields.end()) return std::nullopt;
  return static_cast<std::int32_t>(found - sweep.fields.begin());
}

std::int32_t add_field(Field field, Sweep& sweep) {
  for (Base& base : sweep.bases) {
    double value = kNone;
    if (!field.pointer.empty() && field.pointer.front() == '/') {
      const json document = json::parse(base.document);
      const json::json_pointer pointer(field.pointer);
      if (document.contains(pointer))
        value = encode(document.at(pointer), field.encoding, sweep.texts).value_or(kNone);
    }
    base.values.push_back(value);
  }
  sweep.fields.push_back(std::move(field));
  return static_cast<std::int32_t>(sweep.fields.size()) - 1;
}

std::int32_t add_pointer(const std::string& pointer, Encoding encoding, const std::string& where,
                         Sweep& sweep) {
  if (pointer == "/phase")
    throw InputError(where + ": the phase is a base's own; give several bases");
  refuse_overlap(pointer, where, sweep);
  Field field{.pointer = pointer, .encoding = encoding, .workload = workload_of(pointer, where)};
  if (field.workload && encoding != Encoding::number)
    throw InputError(fmt::format("{}: '{}' takes numbers", where, pointer));
  return add_field(std::move(field), sweep);
}

void add_axes(const std::vector<AxisText>& axes, Sweep& sweep) {
  for (const AxisText& axis : axes) {
    check_bases(axis, sweep);
    for (const std::string& pointer : axis.pointers) {
      if (!find_field(sweep, pointer))
        add_pointer(pointer, common_encoding(values_of(pointer, axes)), axis.where, sweep);
    }
  }
  for (const AxisText& text : axes) {
    const Axis axis = in_numbers(text, sweep);
    for (Base& base : sweep.bases) {
      if (is_for(text, base)) give(axis, base, sweep);
    }
  }
  for (Base& base : sweep.bases)
    std::ranges::stable_partition(base.axes, [](const Axis& axis) { return axis.setting; });
}

json value_of(const Sweep& sweep, const Field& field, double value) {
  if (std::isnan(value)) return nullptr;
  switch (field.encoding) {
    case Encoding::number:
      if (value == std::trunc(value) && std::abs(value) < kExact)
        return static_cast<std::int64_t>(value);
      return value;
    case Encoding::boolean:
      return value != 0.0;
    case Encoding::text:
      return sweep.texts.at(static_cast<std::int32_t>(value));
    case Encoding::json:
      return json::parse(sweep.texts.at(static_cast<std::int32_t>(value)));
  }
  return nullptr;
}

void patch(json& document, const Sweep& sweep, const Field& field, double value) {
  if (std::isnan(value)) return;
  try {
    document[json::json_pointer(field.pointer)] = value_of(sweep, field, value);
  } catch (const json::exception&) {
    throw InputError(fmt::format("{}: '{}' leads through something that is no object", sweep.where,
                                 printable(field.pointer)));
  }
}

}  // namespace fathom::sweep
