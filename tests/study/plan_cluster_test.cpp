#include "study/plan_cluster.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace fathom;
using namespace fathom::study;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// 10 prompts/s in steps of 1 prompt that take 0.1 s.
PhasePoint prefill_point() {
  PhasePoint p;
  p.batch = 1.0;
  p.requests_per_s = 10.0;
  p.estimate.latency = Seconds{0.1};
  return p;
}

// 100 sequences at 10 ms a token: 10,000 tokens/s, 100 requests/s of 100 tokens.
PhasePoint decode_point() {
  PhasePoint p;
  p.batch = 100.0;
  p.requests_per_s = 100.0;
  p.estimate.latency = Seconds{0.01};
  p.estimate.step.cycle = Seconds{0.01};
  return p;
}

Demand demand(double rate) {
  return {.requests_per_s = rate,
          .output_tokens = 100.0,
          .ttft = Seconds{kInfinity},
          .tpot = Seconds{kInfinity},
          .utilisation = 0.8};
}

bool close(double a, double b) { return std::abs(a - b) <= 1e-9 * std::abs(b); }

}  // namespace

TEST_CASE("an aggregated instance divides its time between the phases", "[study][plan]") {
  // w = 0.1 s, v = 0.01 s: one instance serves at most 0.8 / 0.11 = 7.27 requests/s.
  const auto s = size_aggregated(demand(14.0), prefill_point(), decode_point());
  REQUIRE(s);
  CHECK(s->decode_instances == 2);
  CHECK(close(s->requests_per_s_supported, 2 * 0.8 / 0.11));
  const double share = 7.0 * 0.1;
  CHECK(close(s->prefill_utilisation, share));
  CHECK(close(s->decode_utilisation, 7.0 * 0.11));
  CHECK(close(s->tpot.value, 0.01 / (1.0 - share)));
  CHECK(close(s->ttft.value, 0.01 + 0.1 / (1.0 - share)));
}

TEST_CASE("more instances buy an aggregated cluster its TPOT", "[study][plan]") {
  Demand d = demand(14.0);
  d.tpot = Seconds{0.0125};  // share <= 1 - 10/12.5 = 0.2, so 2 requests/s each
  const auto s = size_aggregated(d, prefill_point(), decode_point());
  REQUIRE(s);
  CHECK(s->decode_instances == 7);
  CHECK(s->tpot.value <= 0.0125 * (1.0 + 1e-9));
  d.tpot = Seconds{0.009};
  CHECK_FALSE(size_aggregated(d, prefill_point(), decode_point()));
  d.tpot = Seconds{kInfinity};
  d.ttft = Seconds{0.05};
  CHECK_FALSE(size_aggregated(d, prefill_point(), decode_point()));
}

TEST_CASE("disaggregated instances of each kind follow the rate", "[study][plan]") {
  const auto s = size_disaggregated(demand(40.0), prefill_point(), decode_point(), Seconds{0.5});
  REQUIRE(s);
  CHECK(s->prefill_instances == 5);  // 40 / (10 x 0.8), exactly
  CHECK(s->decode_instances == 1);   // 40 / (100 x 0.8) = 0.5
  CHECK(close(s->prefill_utilisation, 0.8));
  CHECK(close(s->decode_utilisation, 0.4));
  CHECK(close(s->ttft.value, 0.05 + 0.1 + 0.5));
  CHECK(close(s->requests_per_s_supported, 40.0));
}

TEST_CASE("Little's law holds for a given concurrency", "[study][plan]") {
  const bool apart = GENERATE(false, true);
  Demand d = demand(0.0);
  d.concurrency = GENERATE(3.0, 40.0, 5000.0);
  CAPTURE(apart, d.concurrency);
  const auto s = apart ? size_disaggregated(d, prefill_point(), decode_point(), Seconds{0.5})
                       : size_aggregated(d, prefill_point(), decode_point());
  REQUIRE(s);
  const double residence = s->ttft.value + d.output_tokens * s->tpot.value;
  CHECK(close(s->requests_per_s * residence, d.concurrency));
  CHECK(s->decode_utilisation <= d.utilisation * (1.0 + 1e-9));
}
