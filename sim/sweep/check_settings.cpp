#include "sweep/check_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "study/scenario.hpp"
#include "sweep/field_table.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr std::int64_t kTriedValues = 256;       // of one axis
constexpr std::int64_t kTriedCombinations = 64;  // before a base counts as wrong
constexpr std::int64_t kTriedBeside = 16;        // … before a value does

using Row = std::vector<std::int64_t>;  // which value of each axis

class Settings {
 public:
  Settings(const Sweep& sweep, const Base& base, study::Library& library)
      : sweep_(sweep), base_(base), library_(library), document_(json::parse(base.document)) {}

  // The complaint about a combination, or nothing; then `parsed` is its scenario.
  std::optional<std::string> complaint(const Row& row) {
    json document = document_;
    for (std::size_t a = 0; a < base_.axes.size(); ++a) set(document, base_.axes[a], row[a]);
    return parse(document);
  }

  std::optional<std::string> complaint_alone(const Axis& axis) {
    json document = document_;
    set(document, axis, 0);
    return parse(document);
  }
  std::optional<std::string> complaint_of_base() { return parse(document_); }

  json spelled_out() const {
    json out = parsed_;
    out["workload"] = document_.value("workload", json::object());
    return out;
  }

 private:
  void set(json& document, const Axis& axis, std::int64_t at) const {
    const std::size_t width = axis.fields.size();
    for (std::size_t i = 0; i < width; ++i) {
      const Field& field = sweep_.fields[static_cast<std::size_t>(axis.fields[i])];
      if (field.workload) continue;
      patch(document, sweep_, field, axis.values[static_cast<std::size_t>(at) * width + i]);
    }
  }

  std::optional<std::string> parse(const json& document) {
    try {
      if (const auto scenario = study::parse_setting(document, base_.where, library_)) {
        parsed_ = study::to_json(*scenario);
      } else {
        parsed_ = document;  // its load follows from the workload: nothing more to spell out
      }
      return std::nullopt;
    } catch (const InputError& error) {
      return error.what();
    }
  }

  const Sweep& sweep_;
  const Base& base_;
  study::Library& library_;
  json document_;
  json parsed_;
};

// The k-th combination to try: every axis at another place.
Row combination(const Base& base, std::int64_t k) {
  Row row;
  std::int64_t stride = 1;
  for (const Axis& axis : base.axes) {
    row.push_back(k * stride % axis.size);
    stride += 2;
  }
  return row;
}

[[noreturn]] void blame(const Base& base, Settings& settings, const std::string& first) {
  if (auto complaint = settings.complaint_of_base()) {
    // What the base lacks an axis may bring; what is wrong in it no axis mends.
    if (first == *complaint) throw InputError(*complaint);
  }
  for (const Axis& axis : base.axes) {
    const auto complaint = settings.complaint_alone(axis);
    if (axis.setting && complaint) throw InputError(fmt::format("{}: {}", axis.where, *complaint));
  }
  throw InputError(first);
}

Row find_valid(const Base& base, Settings& settings) {
  std::string first;
  for (std::int64_t k = 0; k < kTriedCombinations; ++k) {
    Row row = combination(base, k);
    const auto complaint = settings.complaint(row);
    if (!complaint) return row;
    if (k == 0) first = *complaint;
  }
  blame(base, settings, first);
}

void check_workload_values(const Sweep& sweep, const Axis& axis) {
  for (std::size_t i = 0; i < axis.values.size(); ++i) {
    const Field& field =
        sweep.fields[static_cast<std::size_t>(axis.fields[i % axis.fields.size()])];
    if (!field.workload) continue;
    if (const auto text = study::out_of_limits(*field.workload, axis.values[i])) {
      throw InputError(fmt::format("{}: value {} of '{}': {}", axis.where, i / axis.fields.size(),
                                   field.pointer, *text));
    }
  }
}

void check_axis(const Base& base, std::size_t which, const Row& valid, Settings& settings) {
  const Axis& axis = base.axes[which];
  for (std::int64_t at = 0; at < std::min(axis.size, kTriedValues); ++at) {
    Row row = valid;
    row[which] = at;
    const auto complaint = settings.complaint(row);
    bool wrong = complaint.has_value();
    for (std::int64_t k = 0; wrong && k < kTriedBeside; ++k) {
      row = combination(base, k);
      row[which] = at;
      wrong = settings.complaint(row).has_value();
    }
    if (wrong) throw InputError(fmt::format("{}: value {}: {}", axis.where, at, *complaint));
  }
}

// What the base itself says of its workload, every key checked.
study::WorkloadValues own_workload(const Base& base) {
  const json document = json::parse(base.document);
  const json given = document.value("workload", json::object());
  JsonReader in{given, base.where + "/workload"};
  const study::WorkloadValues values = study::read_workload(in, base.phase, true);
  in.finish();
  return values;
}

// What is wrong with one combination on a model without limits.
std::optional<std::string> workload_complaint(const Sweep& sweep, const Base& base,
                                              const Row& row) {
  study::WorkloadValues values = own_workload(base);
  for (std::size_t a = 0; a < base.axes.size(); ++a) {
    const Axis& axis = base.axes[a];
    const std::size_t width = axis.fields.size();
    for (std::size_t i = 0; i < width; ++i) {
      const Field& field = sweep.fields[static_cast<std::size_t>(axis.fields[i])];
      if (!field.workload) continue;
      values[*field.workload] = axis.values[static_cast<std::size_t>(row[a]) * width + i];
    }
  }
  const auto workload = study::make_workload(values, base.phase, 1, {});
  const auto* error = std::get_if<study::WorkloadError>(&workload);
  if (error == nullptr) return std::nullopt;
  return fmt::format("{}: {}", study::name(error->field), error->text);
}

}  // namespace

void check_workloads(const Sweep& sweep) {
  for (const Base& base : sweep.bases) own_workload(base);
  for (const Derived& d : sweep.derived) {
    if (sweep.fields[static_cast<std::size_t>(d.field)].workload) return;  // known point by point
  }
  for (const Base& base : sweep.bases) {
    std::optional<std::string> first;
    bool valid = false;
    for (std::int64_t k = 0; !valid && k < kTriedCombinations; ++k) {
      const auto complaint = workload_complaint(sweep, base, combination(base, k));
      valid = !complaint;
      if (k == 0) first = complaint;
    }
    if (!valid) throw InputError(base.where + "/workload/" + *first);
  }
}

std::vector<std::string> check_settings(const Sweep& sweep, study::Library& library) {
  std::vector<std::string> spelled;
  for (const Base& base : sweep.bases) {
    Settings settings(sweep, base, library);
    const Row valid = find_valid(base, settings);
    spelled.push_back(settings.spelled_out().dump());
    for (std::size_t a = 0; a < base.axes.size(); ++a) {
      check_workload_values(sweep, base.axes[a]);
      if (base.axes[a].setting) check_axis(base, a, valid, settings);
    }
  }
  return spelled;
}

}  // namespace fathom::sweep
