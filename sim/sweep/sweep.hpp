#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/library.hpp"
#include "study/workload.hpp"
#include "sweep/expression.hpp"
#include "sweep/rows.hpp"

namespace fathom::sweep {

/// How the number in a column becomes a JSON value: the texts of `text` are strings, those of
/// `json` any other JSON (objects, or numbers and strings mixed).
enum class Encoding : std::uint8_t { number, boolean, text, json };

/// A place in a scenario that points differ in, or that an expression reads. Field 0 is no pointer
/// but `base`, the name of the base scenario.
struct Field {
  std::string pointer;
  Encoding encoding = Encoding::number;
  std::optional<study::WorkloadField> workload;  // in "/workload"; else part of the setting
  bool column = true;                            // varied or derived; else only read
};

/// One digit of a point's number: values of one or more fields that change together.
struct Axis {
  std::string where;                 // "sweep.json#/axes/2"
  std::vector<std::int32_t> fields;  // indices into Sweep::fields
  std::vector<double> values;        // [size][fields]
  std::int64_t size = 0;
  bool setting = false;  // touches more than the workload
};

/// A base scenario with its own grid. Points count up with the last axis fastest; axes of the
/// setting come before those of the workload, so that a model is cut and placed once for a run of
/// points.
struct Base {
  std::string name;
  std::string where;     // for complaints
  std::string document;  // canonical JSON
  model::Phase phase = model::Phase::decode;
  std::vector<double> values;  // of every field, as the document says; NaN: not there
  std::vector<Axis> axes;
  std::int64_t begin = 0;  // its point numbers: [begin, end)
  std::int64_t end = 0;
};

struct Derived {
  std::int32_t field = 0;
  Expression value;
};

/// A result column of the user's own.
struct OwnResult {
  std::string name;
  Expression value;
};

struct Objective {
  std::size_t column = 0;  // in Layout::results
  bool maximize = false;
};

/// Everything a sweep file says, checked. Expressions see the fields and then the results as slots.
struct Sweep {
  std::string name;
  std::string where;          // of the document
  std::vector<Field> fields;  // those with a column in the order of layout.inputs
  TextDictionary texts;
  std::vector<Base> bases;
  std::vector<Derived> derived;  // in the order of evaluation
  std::vector<Expression> constraints;
  std::vector<OwnResult> own_results;
  std::vector<Expression> filters;
  std::vector<Objective> objectives;
  Layout layout;
  std::string document;  // canonical JSON of the sweep, bases read in: part of provenance

  std::int64_t points() const { return bases.empty() ? 0 : bases.back().end; }
};

/// More points than this do not go into one database; shards hold the rest.
inline constexpr std::int64_t kMaxPoints = 1'000'000'000;

/// InputError with `where`/pointer for anything misspelt, of another type, out of range, empty or
/// contradictory; every value of every axis is tried in a scenario. Reads models and machines
/// through `library`.
Sweep parse_sweep(const nlohmann::json& document, std::string_view where, study::Library& library);
Sweep load_sweep(std::string_view file, study::Library& library);

/// The value of a field as it stands in a scenario; null for NaN.
nlohmann::json value_of(const Sweep& sweep, const Field& field, double value);

/// The scenario of one point, for `fathom estimate`; nothing when a constraint excludes the point.
std::optional<nlohmann::json> scenario_of(const Sweep& sweep, std::int64_t number);

}  // namespace fathom::sweep
