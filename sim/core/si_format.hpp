#pragma once

#include <cstdint>
#include <string>

#include "core/units.hpp"

namespace fathom {

/// The only place that rounds for people: three significant digits and a prefix. Machines get full
/// precision elsewhere.
std::string format_si(double value, const char* unit);  ///< 3.35e12, "B/s" -> "3.35 TB/s"
std::string format_bytes_binary(Bytes bytes);           ///< "62.5 GiB"
std::string format_seconds(Seconds time);               ///< "12.4 ms"
std::string format_significant(
    double value, int digits = 3);            ///< "0.0123", "1230"; never exponent within 1e-4..1e7
std::string format_percent(double fraction);  ///< 0.1234 -> "12.3 %"
std::string format_count(std::int64_t value);  ///< 671026419200 -> "671,026,419,200"

}  // namespace fathom
