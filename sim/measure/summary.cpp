#include "measure/summary.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace fathom::measure {
namespace {

// Of a sorted sample; between the two middle ones of an even number.
double middle(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half]);
}

}  // namespace

Summary summarize(std::vector<double> readings) {
  if (readings.empty()) return {};
  std::sort(readings.begin(), readings.end());
  Summary out{.median = middle(readings),
              .low = readings.front(),
              .high = readings.back(),
              .count = static_cast<std::int64_t>(readings.size())};
  for (double& reading : readings) reading = std::abs(reading - out.median);
  std::sort(readings.begin(), readings.end());
  out.mad = middle(readings);
  return out;
}

nlohmann::json to_json(const Summary& s) {
  return {
      {"median", s.median}, {"mad", s.mad}, {"low", s.low}, {"high", s.high}, {"count", s.count}};
}

Summary summary_from_json(const nlohmann::json& document, const char* where) {
  JsonReader reader{document, where};
  Summary out{.median = reader.number("median", 0.0, 1e300),
              .mad = reader.number("mad", 0.0, 1e300),
              .low = reader.number("low", 0.0, 1e300),
              .high = reader.number("high", 0.0, 1e300),
              .count = reader.integer("count", 0, 1'000'000'000)};
  reader.finish();
  return out;
}

}  // namespace fathom::measure
