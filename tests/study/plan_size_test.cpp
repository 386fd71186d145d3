#include "study/plan_size.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "core/rng.hpp"

using namespace fathom;
using namespace fathom::study;
using Of = LatencyPercentile::Of;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool close(double a, double b, double bound = 1e-9) {
  return std::abs(a - b) <= bound * std::abs(b);
}

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

Demand queued(double rate) {
  return {.requests_per_s = rate,
          .output_tokens = 100.0,
          .ttft = Seconds{kInfinity},
          .tpot = Seconds{kInfinity},
          .utilisation = 0.85,
          .queueing = true};
}

Demand with_p99(double rate, double ttft) {
  Demand d = queued(rate);
  d.percentiles = {{Of::ttft, 99, Seconds{ttft}}};
  return d;
}

std::optional<Sizing> size(bool apart, const Demand& d, const PhasePoint& prefill,
                           const PhasePoint& decode) {
  const Seconds transfer{apart ? 0.02 : 0.0};
  auto s = apart ? size_disaggregated(d, prefill, decode, transfer)
                 : size_aggregated(d, prefill, decode);
  if (!s) return s;
  complete(d,
           {.serving = apart ? Serving::disaggregated : Serving::aggregated,
            .prefill = prefill,
            .decode = decode,
            .kv_transfer = transfer,
            .prefill_instances = s->prefill_instances,
            .decode_instances = s->decode_instances},
           *s);
  return s;
}

std::int64_t instances(const std::optional<Sizing>& s) {
  return s ? s->prefill_instances + s->decode_instances : std::numeric_limits<std::int64_t>::max();
}

double between(Rng& rng, double low, double high) {
  return low * std::pow(high / low, rng.uniform());
}

// A decode point consistent in itself: cycle and TPOT agree.
PhasePoint random_decode(Rng& rng) {
  PhasePoint p = decode_point();
  p.batch = between(rng, 1.0, 1000.0);
  p.estimate.latency = p.estimate.step.cycle = Seconds{between(rng, 1e-3, 0.1)};
  p.requests_per_s = p.batch / p.estimate.latency.value / 100.0;
  return p;
}

// ... and a prefill point; with pipeline stages a step takes longer than the time between steps.
PhasePoint random_prefill(Rng& rng) {
  PhasePoint p = prefill_point();
  p.batch = std::ceil(between(rng, 1.0, 16.0));
  p.estimate.latency = Seconds{between(rng, 0.01, 2.0)};
  p.requests_per_s = p.batch / (p.estimate.latency.value * between(rng, 0.5, 1.0));
  return p;
}

Demand random_demand(Rng& rng) {
  Demand d = queued(between(rng, 0.1, 500.0));
  d.queueing = rng.uniform() < 0.8;
  d.arrival_scv = between(rng, 0.2, 8.0);
  if (rng.uniform() < 0.7) d.ttft = Seconds{between(rng, 0.05, 10.0)};
  if (rng.uniform() < 0.7) d.tpot = Seconds{between(rng, 2e-3, 0.2)};
  if (!d.queueing) return d;
  if (rng.uniform() < 0.7)
    d.percentiles.push_back({Of::ttft, 99, Seconds{between(rng, 0.1, 20.0)}});
  if (rng.uniform() < 0.5)
    d.percentiles.push_back({Of::tpot, 90, Seconds{between(rng, 5e-3, 0.4)}});
  if (rng.uniform() < 0.5) {
    d.prompts = {{0.9, 0.5}, {0.1, 5.5}};  // mean 1; scv 0.9 x 0.25 + 0.1 x 30.25 - 1
    d.prompt_scv = 2.25;
  }
  return d;
}

}  // namespace

// What pruning rests on: dropping a beaten point loses nothing.
TEST_CASE("a point that is nowhere worse never needs more and never misses more",
          "[study][plan][property]") {
  Rng rng{11};
  const bool apart = GENERATE(false, true);
  int decided = 0;
  for (int i = 0; i < 3000; ++i) {
    const Demand d = random_demand(rng);
    const PhasePoint prefill = random_prefill(rng);
    const PhasePoint decode = random_decode(rng);
    const auto base = size(apart, d, prefill, decode);
    PhasePoint better_prefill = prefill;
    PhasePoint better_decode = decode;
    const auto shrink = [&rng] { return rng.uniform() < 0.5 ? 1.0 : between(rng, 0.5, 1.0); };
    better_decode.estimate.latency *= shrink();
    better_decode.estimate.step.cycle *= shrink();
    better_decode.requests_per_s /= shrink();
    // the wait of a step under way and the step: batch / capacity / 2 + latency may not grow
    better_prefill.estimate.latency *= shrink();
    better_prefill.requests_per_s /= shrink();
    if (rng.uniform() < 0.5) better_prefill.batch = std::max(1.0, prefill.batch / 2.0);
    REQUIRE(prefill_wait(better_prefill) <= prefill_wait(prefill));
    const auto better = size(apart, d, better_prefill, better_decode);
    CAPTURE(i, apart, d.requests_per_s, d.queueing, d.arrival_scv, d.percentiles.size());
    REQUIRE(instances(better) <= instances(base));
    if (base) ++decided;
  }
  CHECK(decided > 300);
}

TEST_CASE("a pruned prefill point may wait shorter for its step and still be beaten",
          "[study][plan][property]") {
  // Only devices, prefill_wait and capacity are compared: how the wait splits into the step under
  // way and the step itself must not matter.
  PhasePoint a = prefill_point();  // 0.05 + 0.1
  PhasePoint b = prefill_point();
  b.batch = 0.5;
  b.estimate.latency = Seconds{0.125};  // 0.025 + 0.125
  REQUIRE(close(prefill_wait(a).value, prefill_wait(b).value));
  for (const double limit : {0.2, 0.3, 0.5}) {
    const Demand d = with_p99(40.0, limit);
    CHECK(instances(size(true, d, a, decode_point())) ==
          instances(size(true, d, b, decode_point())));
  }
}

TEST_CASE("instances are added until the percentile holds, and no further", "[study][plan]") {
  const bool apart = GENERATE(false, true);
  const Demand d = with_p99(30.0, 0.5);
  const auto s = size(apart, d, prefill_point(), decode_point());
  REQUIRE(s);
  REQUIRE(s->percentiles.size() == 1);
  CHECK(s->percentiles[0].time <= Seconds{0.5});
  CHECK(s->percentiles[0].time > s->ttft);
  CHECK(s->requests_per_s_supported >= 30.0);
  const auto at = [&](std::int64_t fewer) {
    const PhasePoint p = prefill_point();
    const PhasePoint q = decode_point();
    return deliver(d, {.serving = apart ? Serving::disaggregated : Serving::aggregated,
                       .prefill = p,
                       .decode = q,
                       .kv_transfer = Seconds{apart ? 0.02 : 0.0},
                       .prefill_instances = apart ? s->prefill_instances - fewer : 0,
                       .decode_instances = s->decode_instances - (apart ? 0 : fewer)});
  };
  CHECK(close(at(0).ttft.value, s->ttft.value));
  CHECK_FALSE(missed(d, at(0)));
  REQUIRE(missed(d, at(1)));
  CHECK((*missed(d, at(1)) == Binding::ttft_tail || *missed(d, at(1)) == Binding::utilisation));
}

TEST_CASE("a percentile that no queue explains is out of reach", "[study][plan]") {
  // p99 of the step under way: 0.1 + 0.99 x 0.1 + 0.02
  CHECK_FALSE(size(true, with_p99(0.01, 0.218), prefill_point(), decode_point()));
  CHECK(size(true, with_p99(0.01, 0.2191), prefill_point(), decode_point()));
}

TEST_CASE("queueing makes the first token wait as the formula says", "[study][plan]") {
  Demand d = queued(16.0);
  d.arrival_scv = 3.0;
  const auto s = size(true, d, prefill_point(), decode_point());
  REQUIRE(s);
  CHECK(s->prefill_instances == 2);  // 16 / (10 x 0.85) = 1.9
  const Wait w = wait_of({.servers = 2,
                          .arrivals_per_s = 16.0,
                          .service = Seconds{0.1},
                          .arrival_scv = 3.0,
                          .service_scv = 0.0});
  CHECK(close(s->ttft.value, 0.05 + 0.1 + 0.02 + w.mean.value));
  CHECK(s->wait == w);
}

TEST_CASE("burstier traffic and longer prompts never need fewer instances",
          "[study][plan][property]") {
  const bool apart = GENERATE(false, true);
  std::int64_t before = 0;
  for (const double scv : {1.0, 2.0, 5.0, 20.0}) {
    Demand d = with_p99(100.0, 0.6);
    d.arrival_scv = scv;
    const auto now = instances(size(apart, d, prefill_point(), decode_point()));
    CHECK(now >= before);
    before = now;
  }
  Demand d = with_p99(100.0, 0.6);
  const auto even = instances(size(apart, d, prefill_point(), decode_point()));
  d.prompts = {{0.95, 0.8}, {0.05, 4.8}};
  d.prompt_scv = 0.95 * 0.64 + 0.05 * 4.8 * 4.8 - 1.0;
  CHECK(instances(size(apart, d, prefill_point(), decode_point())) > even);
}

TEST_CASE("Poisson traffic of like prompts keeps the means of an aggregated cluster",
          "[study][plan]") {
  Demand d = queued(14.0);
  const auto with = size_aggregated(d, prefill_point(), decode_point());
  d.queueing = false;
  const auto without = size_aggregated(d, prefill_point(), decode_point());
  REQUIRE((with && without));
  CHECK(with->decode_instances == without->decode_instances);
  CHECK(close(with->ttft.value, without->ttft.value));
  CHECK(close(with->tpot.value, without->tpot.value));
}

TEST_CASE("a user's TPOT varies with the prompts that interrupt it", "[study][plan]") {
  // The delay cycle: 100 tokens of 10 ms, interrupted by steps of 0.1 s for the share f of the
  // time.
  Demand d = queued(5.0);
  d.percentiles = {{Of::tpot, 50, Seconds{1.0}}, {Of::tpot, 95, Seconds{1.0}}};
  const auto s = size(false, d, prefill_point(), decode_point());
  REQUIRE(s);
  const double f = 5.0 / static_cast<double>(s->decode_instances) / 10.0;
  CHECK(close(s->percentiles[0].time.value, 0.01 / (1.0 - f), 1e-6));
  const double variance = 100.0 * 0.01 * f * 0.1 * 2.0 / std::pow(1.0 - f, 3.0);
  const double deviation = std::sqrt(variance) / 100.0;
  CHECK(close(s->percentiles[1].time.value, 0.01 / (1.0 - f) + 1.6449 * deviation, 1e-4));
}

TEST_CASE("a cluster that cannot keep up has no latency", "[study][plan]") {
  const PhasePoint p = prefill_point();
  const PhasePoint q = decode_point();
  const Sizing s = deliver(queued(30.0), {.serving = Serving::disaggregated,
                                          .prefill = p,
                                          .decode = q,
                                          .prefill_instances = 3,
                                          .decode_instances = 1});
  CHECK(std::isinf(s.ttft.value));
  CHECK(missed(queued(30.0), s) == Binding::utilisation);
}

TEST_CASE("headroom is the multiple of the demand at which a target is just missed",
          "[study][plan]") {
  const PhasePoint p = prefill_point();
  const PhasePoint q = decode_point();
  const bool apart = GENERATE(false, true);
  const Fleet fleet{.serving = apart ? Serving::disaggregated : Serving::aggregated,
                    .prefill = p,
                    .decode = q,
                    .prefill_instances = apart ? 2 : 0,
                    .decode_instances = 2};
  // plain: the utilisation of what binds; aggregated 2 / (0.1 + 0.01), apart 2 x 10
  Demand d = queued(5.0);
  d.queueing = false;
  CHECK(close(headroom(d, fleet), 0.85 * (apart ? 20.0 : 2.0 / 0.11) / 5.0, 1e-6));
  d = with_p99(5.0, 0.5);
  const double multiple = headroom(d, fleet);
  d.requests_per_s = 5.0 * multiple * 0.999;
  CHECK_FALSE(missed(d, deliver(d, fleet)));
  d.requests_per_s = 5.0 * multiple * 1.001;
  CHECK(missed(d, deliver(d, fleet)));
  CHECK(headroom(with_p99(5.0, 0.01), fleet) == 0.0);
}
