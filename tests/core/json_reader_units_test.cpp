#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "input_error.hpp"

namespace fathom {
namespace {

using test::message_of;

/// Reads one quantity from a document with this text.
template <class Action>
auto read(std::string_view text, const Action& action) {
  const auto document = parse_json(text, "h.json");
  JsonReader in{document, "h.json#"};
  return action(in);
}

const auto kBandwidth = [](JsonReader& in) { return in.bandwidth("link"); };
const auto kLatency = [](JsonReader& in) { return in.seconds("latency"); };
const auto kMemory = [](JsonReader& in) { return in.bytes("hbm"); };
const auto kPeak = [](JsonReader& in) { return in.flop_rate("peak"); };

TEST_CASE("a suffix fixes the unit of a rate", "[core][json_reader][units]") {
  CHECK(read(R"({"link_gb_s": 3350})", kBandwidth) == BytesPerSecond{3350e9});
  CHECK(read(R"({"link_tb_s": 3.35})", kBandwidth).value == 3.35 * 1e12);
  CHECK(read(R"({"link_b_s": 5})", kBandwidth) == BytesPerSecond{5.0});
}

TEST_CASE("a suffix fixes the unit of a time", "[core][json_reader][units]") {
  CHECK(read(R"({"latency_s": 2})", kLatency) == Seconds{2.0});
  CHECK(read(R"({"latency_ms": 2})", kLatency) == Seconds{2.0 * 1e-3});
  CHECK(read(R"({"latency_us": 2})", kLatency) == Seconds{2.0 * 1e-6});
  CHECK(read(R"({"latency_ns": 2})", kLatency) == Seconds{2.0 * 1e-9});
}

TEST_CASE("binary and decimal sizes have suffixes of their own", "[core][json_reader][units]") {
  CHECK(read(R"({"hbm_gib": 80})", kMemory) == Bytes{80.0 * 1024.0 * 1024.0 * 1024.0});
  CHECK(read(R"({"hbm_gb": 80})", kMemory) == Bytes{80e9});
  CHECK(read(R"({"hbm_mib": 1})", kMemory) == Bytes{1048576.0});
  CHECK(read(R"({"hbm_kib": 1})", kMemory) == Bytes{1024.0});
  CHECK(read(R"({"hbm_b": 1})", kMemory) == Bytes{1.0});
}

TEST_CASE("a suffix fixes the unit of a peak", "[core][json_reader][units]") {
  CHECK(read(R"({"peak_tflops": 989})", kPeak) == FlopsPerSecond{989e12});
  CHECK(read(R"({"peak_gflops": 2})", kPeak) == FlopsPerSecond{2e9});
  CHECK(read(R"({"peak_flops": 2})", kPeak) == FlopsPerSecond{2.0});
}

TEST_CASE("two spellings of one quantity are an error", "[core][json_reader][units]") {
  CHECK(message_of([] { read(R"({"link_gb_s": 1, "link_tb_s": 1})", kBandwidth); }) ==
        "h.json#: found both 'link_gb_s' and 'link_tb_s', expected one of them");
}

TEST_CASE("a missing quantity names its spellings", "[core][json_reader][units]") {
  CHECK(message_of([] { read("{}", kBandwidth); }) ==
        "h.json#: missing key 'link_gb_s'; expected a number (or the suffix _b_s, _tb_s instead)");
  CHECK(message_of([] { read(R"({"link_gb_s": null})", kBandwidth); }) ==
        "h.json#/link_gb_s: found null, expected a number >= 0");
}

TEST_CASE("a quantity without its unit is pointed at", "[core][json_reader][units]") {
  CHECK(message_of([] { read(R"({"latency": 1})", kLatency); }) ==
        "h.json#: missing key 'latency_s'; expected a number (or the suffix _ms, _us, _ns "
        "instead); the nearest there is 'latency'");
}

TEST_CASE("rates are positive and other quantities are not negative",
          "[core][json_reader][units]") {
  CHECK(message_of([] { read(R"({"link_tb_s": 0})", kBandwidth); }) ==
        "h.json#/link_tb_s: found 0, expected a number > 0");
  CHECK(message_of([] { read(R"({"latency_us": -1})", kLatency); }) ==
        "h.json#/latency_us: found -1, expected a number >= 0");
  CHECK(read(R"({"latency_us": 0})", kLatency) == Seconds{0.0});
}

TEST_CASE("a time below its minimum is refused", "[core][json_reader][units]") {
  const auto at_least = [](JsonReader& in) { return in.seconds("latency", 1.0); };
  CHECK(message_of([&] { read(R"({"latency_ms": 500})", at_least); }) ==
        "h.json#/latency: found 0.5 s, expected at least 1 s");
}

TEST_CASE("a quantity that overflows in base units is refused", "[core][json_reader][units]") {
  CHECK(message_of([] { read(R"({"link_tb_s": 1e300})", kBandwidth); }) ==
        "h.json#/link_tb_s: too large; expected a number below 1.8e308 base units");
}

TEST_CASE("every spelling counts as asked for", "[core][json_reader][units]") {
  const auto optional = [](JsonReader& in) {
    const auto value = in.bytes_opt("l2");
    in.finish();
    return value;
  };
  CHECK_FALSE(read("{}", optional));
  CHECK_FALSE(read(R"({"l2_mib": null})", optional));
  CHECK(message_of([&] { read(R"({"l2_mb": 50})", optional); }) ==
        "h.json#: unknown key 'l2_mb'; did you mean 'l2_b'?");
}

}  // namespace
}  // namespace fathom
