#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "measure/cases.hpp"
#include "measure/paired.hpp"
#include "measure/run.hpp"

// How a figure comes about. Nothing here depends on how fast the machine is or who else uses it.

namespace fathom::measure {
namespace {

using kernels::cpu::Isa;
using nlohmann::json;

// A kernel that tells how often it ran, and is as wrong as it is told to be.
struct Probe {
  int calls = 0;
  double error = 0.0;
  std::stop_source stop;
  int stop_at = 0;  // the call in which the user interrupts; 0: never

  KernelCase kernel() {
    KernelCase out = norm_case(1, 64);
    out.error_bound = 1e-3;
    out.prepare = [this](const Bench&) {
      return Runnable{.run =
                          [this] {
                            if (++calls == stop_at) stop.request_stop();
                            volatile double sink = 0.0;
                            for (int i = 0; i < 1000; ++i) sink = sink + 1.0;
                          },
                      .error = [this] { return error; },
                      .cold = {}};
    };
    return out;
  }
};

struct Place {
  kernels::cpu::ThreadPool pool{1, false};
  Bench bench{Isa::portable, pool};
  CeilingProbe ceilings{Isa::portable, pool, 0};
  CaseResult measure(Probe& probe, const PairedOptions& options) {
    return measure_case(probe.kernel(), bench, ceilings, options, probe.stop.get_token());
  }
};

// One call per reading.
constexpr PairedOptions kSingleCalls{.rounds = 1000, .seconds = 60.0, .shortest = 1e-12};

}  // namespace

TEST_CASE("a kernel less accurate than it states is a bug, not a figure", "[measure][paired]") {
  Place place;
  Probe exact{.error = 1e-3};
  CHECK_NOTHROW(place.measure(exact, {.rounds = 1, .seconds = 0.05}));
  Probe wrong{.error = 1.001e-3};
  CHECK_THROWS_AS(place.measure(wrong, {.rounds = 1, .seconds = 0.05}), BugError);
  Probe unwritten{.error = INFINITY};
  CHECK_THROWS_AS(place.measure(unwritten, {.rounds = 1, .seconds = 0.05}), BugError);
  CHECK(unwritten.calls == 1);  // never timed
}

TEST_CASE("an interrupt keeps the rounds read by then", "[measure][paired]") {
  Place place;
  // One call to check the numbers, one to see how long it takes, then one a round.
  const int rounds = GENERATE(0, 1, 5);
  Probe probe{.stop_at = 2 + rounds};
  const CaseResult result = place.measure(probe, kSingleCalls);
  CHECK(result.calls == 1);
  CHECK(probe.calls == 2 + rounds);
  CHECK(result.time_s.count + result.dropped == rounds);
  CHECK(result.time_s.count == result.of_roofline.count);
}

TEST_CASE("a case ends with the rounds that were asked for", "[measure][paired]") {
  Place place;
  Probe probe;
  const CaseResult result = place.measure(probe, {.rounds = 4, .seconds = 30.0, .shortest = 1e-12});
  CHECK(result.time_s.count == 4);
  CHECK(probe.calls == 2 + 4 + result.dropped);
}

TEST_CASE("a case ends when its time is up, after one round at least", "[measure][paired]") {
  Place place;
  Probe probe;
  const CaseResult result =
      place.measure(probe, {.rounds = 1000, .seconds = 0.0, .shortest = 1e-12});
  CHECK(result.time_s.count + result.dropped == 1);
}

TEST_CASE("a round without a figure says so", "[measure][paired]") {
  Place place;
  Probe probe{.stop_at = 2};
  const CaseResult result = place.measure(probe, kSingleCalls);
  CHECK(result.time_s.count == 0);
  CHECK_FALSE(result.note.empty());
}

TEST_CASE("a reader recomputes every share from the JSON", "[measure][paired]") {
  kernels::cpu::ThreadPool pool{1, false};
  CeilingProbe ceilings{Isa::portable, pool, 0};
  const CaseResult result = measure_case(linear_case(4, 64, 96), {Isa::portable, pool}, ceilings,
                                         {.rounds = 1, .seconds = 30.0});
  REQUIRE(result.time_s.count == 1);  // the medians below are of one round
  const json line = to_json(result);
  const auto median = [&](const char* key) { return line.at(key).at("median").get<double>(); };
  // y[4, 64] = x[4, 96] w[64, 96]^T
  const double flops = 2.0 * 4.0 * 64.0 * 96.0;
  CHECK(line.at("flops").get<double>() == flops);
  const double of_compute = flops / median("time_s") / median("compute_ceiling_flops_s");
  const double of_memory =
      line.at("bytes").get<double>() / median("time_s") / median("memory_ceiling_b_s");
  CHECK(std::abs(median("share_of_compute_ceiling") / of_compute - 1.0) < 1e-12);
  CHECK(std::abs(median("share_of_memory_ceiling") / of_memory - 1.0) < 1e-12);
  CHECK(median("share_of_roofline") ==
        std::max(median("share_of_compute_ceiling"), median("share_of_memory_ceiling")));
  for (const json& library : line.at("baselines")) {
    const double speedup = library.at("time_s").at("median").get<double>() / median("time_s");
    CHECK(std::abs(library.at("speedup").at("median").get<double>() / speedup - 1.0) < 1e-12);
  }
}

TEST_CASE("an interrupted run keeps whole cases and says that it ended", "[measure][run]") {
  std::stop_source stop;
  RunOptions options{.only = {"norm"}, .isa = Isa::portable};
  options.ceilings = options.baselines = false;
  options.paired = {.rounds = 2, .seconds = 1.0};
  int asked = 0;
  options.progress = [&](double share, const std::string&) {
    CHECK(share >= 0.0);
    CHECK(share < 1.0);
    if (++asked == 2) stop.request_stop();  // before the second case
  };
  const Measurement stopped = run(options, stop.get_token());
  CHECK_FALSE(stopped.complete);
  REQUIRE_FALSE(stopped.results.empty());
  for (const CaseResult& one : stopped.results) CHECK(one.time_s.count + one.dropped > 0);
  options.progress = nullptr;
  CHECK(run(options).complete);
}

TEST_CASE("the buffer of the DRAM ceiling stays below a fourth of the free memory",
          "[measure][run]") {
  Machine machine{.l3_bytes = INT64_C(32) << 20, .available_bytes = INT64_C(4) << 30};
  CHECK(dram_buffer_bytes(machine) == INT64_C(96) << 20);  // three times L3
  machine.available_bytes = INT64_C(256) << 20;
  CHECK(dram_buffer_bytes(machine) == INT64_C(64) << 20);
}

TEST_CASE("a load beyond the processors is a busy machine", "[measure][machine]") {
  CHECK_FALSE(busy({.cpus = 4, .load_average = 1.0}));
  CHECK(busy({.cpus = 4, .load_average = 4.0}));
  const Machine here = this_machine();
  CHECK(here.cpus >= 1);
  CHECK(here.memory_bytes > 0);
  CHECK(here.available_bytes <= here.memory_bytes);
}

}  // namespace fathom::measure
