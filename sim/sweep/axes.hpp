#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace fathom {
class JsonReader;
}

namespace fathom::sweep {

/// An axis as written: rows of JSON values for its pointers.
struct AxisText {
  std::string where;
  std::vector<std::string> pointers;
  std::vector<nlohmann::json> values;  // [size][pointers]
  std::int64_t size = 0;
  std::vector<std::string> bases;  // the only ones it is for; empty: all
};

/// Most values of one axis, and most numbers in one (size x pointers).
inline constexpr std::int64_t kMaxAxis = 20'000'000;

/// One of
///   {"pointer": P, "values": […]}
///   {"pointer": P, "range": {"from", "to", "count", "scale": "linear"|"log", "integer"}}
///   {"zip": [ axis, … ]}                 equally long ones, side by side
///   {"list": [ {P: value, …}, … ]}       with the same pointers in each
///   {"sample": KIND, "count", "seed", "of": [ {"pointer", "from", "to", …} | {"pointer", "values"}
///   ]}
/// InputError for anything else, empty lists, NaN ends, lengths that differ, and a pointer twice.
AxisText read_axis(JsonReader in);

/// A JSON pointer to something below the scenario's root.
void check_pointer(const std::string& pointer, const std::string& where);

}  // namespace fathom::sweep
