#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// Traffic that grows by `factor` every period, `periods` times.
struct Growth {
  enum class Every : std::uint8_t { month, quarter, year };
  double factor = 2.0;
  Every every = Every::quarter;
  std::int64_t periods = 4;
  bool operator==(const Growth&) const = default;
};
std::string_view name(Growth::Every every);

Growth read_growth(JsonReader in);
nlohmann::json to_json(const Growth& growth);

}  // namespace fathom::study
