#include "core/si_format.hpp"

#include <cstdint>
#include <limits>

#include "catch.hpp"

namespace fathom {
namespace {

TEST_CASE("three significant digits and a decimal prefix", "[core][si_format]") {
  CHECK(format_si(3.35e12, "B/s") == "3.35 TB/s");
  CHECK(format_si(70272.0, "B/token") == "70.3 KB/token");
  CHECK(format_si(0.0124, "s") == "12.4 ms");
  CHECK(format_si(-2.5e9, "B") == "-2.50 GB");
  CHECK(format_si(2.42e9, "") == "2.42 G");
}

TEST_CASE("rounding up to a thousand moves to the next prefix", "[core][si_format]") {
  CHECK(format_si(999.4e9, "B") == "999 GB");
  CHECK(format_si(999.6e9, "B") == "1.00 TB");
  CHECK(format_si(0.9996e-3, "s") == "1.00 ms");
}

TEST_CASE("small whole numbers are counts", "[core][si_format]") {
  CHECK(format_si(64.0, "B") == "64 B");
  CHECK(format_si(0.0, "B") == "0 B");
  CHECK(format_si(64.5, "B") == "64.5 B");
}

TEST_CASE("what is not a number is said so", "[core][si_format]") {
  CHECK(format_si(std::numeric_limits<double>::infinity(), "s") == "inf s");
  CHECK(format_significant(std::numeric_limits<double>::quiet_NaN()) == "nan");
}

TEST_CASE("binary sizes divide by 1024", "[core][si_format]") {
  CHECK(format_bytes_binary(Bytes{62.5 * 1073741824.0}) == "62.5 GiB");
  CHECK(format_bytes_binary(Bytes{1016.0 * 1024.0}) == "1016 KiB");
  CHECK(format_bytes_binary(Bytes{1024.0 * 1024.0}) == "1.00 MiB");
  CHECK(format_bytes_binary(Bytes{512.0}) == "512 B");
}

TEST_CASE("times are told in the unit a person would use", "[core][si_format]") {
  CHECK(format_seconds(Seconds{0.0124}) == "12.4 ms");
  CHECK(format_seconds(Seconds{3.2e-6}) == "3.20 µs");
  CHECK(format_seconds(Seconds{90.0}) == "90.0 s");
  CHECK(format_seconds(Seconds{600.0}) == "10.0 min");
  CHECK(format_seconds(Seconds{3.0 * 3600.0}) == "3.00 h");
  CHECK(format_seconds(Seconds{55.0 * 86400.0}) == "55.0 days");
  CHECK(format_seconds(Seconds{0.0}) == "0 s");
}

TEST_CASE("significant digits have no exponent between 1e-4 and 1e7", "[core][si_format]") {
  CHECK(format_significant(0.01234) == "0.0123");
  CHECK(format_significant(1234.0) == "1230");
  CHECK(format_significant(9.999) == "10.0");
  CHECK(format_significant(1e-4) == "0.000100");
  CHECK(format_significant(1.5e7) == "1.50e+07");
  CHECK(format_significant(0.0) == "0");
  CHECK(format_significant(3.14159, 5) == "3.1416");
}

TEST_CASE("a fraction prints as a percentage", "[core][si_format]") {
  CHECK(format_percent(0.1234) == "12.3 %");
  CHECK(format_percent(1.0) == "100 %");
  CHECK(format_percent(0.0) == "0 %");
}

TEST_CASE("counts are exact and grouped by thousands", "[core][si_format]") {
  CHECK(format_count(671026419200) == "671,026,419,200");
  CHECK(format_count(999) == "999");
  CHECK(format_count(-1000) == "-1,000");
  CHECK(format_count(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace fathom
