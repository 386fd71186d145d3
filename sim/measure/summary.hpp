#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace fathom::measure {

/// Repeated readings of one quantity. All zero for none.
struct Summary {
  double median = 0.0;
  double mad = 0.0;  // median absolute deviation from the median
  double low = 0.0;
  double high = 0.0;
  std::int64_t count = 0;
  bool operator==(const Summary&) const = default;
};

Summary summarize(std::vector<double> readings);

nlohmann::json to_json(const Summary& summary);
/// InputError with `where` when a key is missing.
Summary summary_from_json(const nlohmann::json& document, const char* where);

}  // namespace fathom::measure
