#include "validate/interval.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "catch.hpp"
#include "validate/quantity.hpp"
#include "validate/setup.hpp"

using namespace fathom;
using namespace fathom::validate;
using nlohmann::json;

namespace {

// z of p90 in a standard normal distribution
constexpr double kZ90 = 1.2815515655446004;

json decode(double load) {
  return {{"example", "deepseek-v3-h800-decode"}, {"patch", {{"plan", {{"expert_load", load}}}}}};
}

double number(const Setup& setup, std::string_view name) {
  return std::get<double>(quantity(setup, name));
}

Interval interval(const Setup& setup, std::string_view name, Unknowns unknowns, int count = 200) {
  std::vector<double> values;
  for (const Draw& draw : draws(count, 1))
    values.push_back(number(varied(setup, draw, unknowns), name));
  return interval_of(values);
}

Unknowns only(Unknown unknown) {
  Unknowns out;
  out.set(static_cast<std::size_t>(unknown));
  return out;
}

}  // namespace

TEST_CASE("draws of every cause are standard normal", "[validate][interval]") {
  const std::vector<Draw> sample = draws(400, 7);
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) {
    double sum = 0.0;
    double square = 0.0;
    for (const Draw& draw : sample) {
      sum += draw[cause];
      square += draw[cause] * draw[cause];
    }
    CAPTURE(cause);
    CHECK(std::abs(sum) < 1e-6);                         // stratified: symmetric
    CHECK(square / 400.0 == Approx(1.0).epsilon(0.02));  // less the two outermost tails
  }
  CHECK(draws(400, 7) == sample);
  CHECK(draws(400, 8) != sample);
}

TEST_CASE("quantiles are linear between order statistics", "[validate][interval]") {
  std::vector<double> sample(11);
  std::iota(sample.rbegin(), sample.rend(), 0.0);  // 10, 9, …: order does not matter
  CHECK(interval_of(sample) == Interval{1.0, 9.0});
}

TEST_CASE("a kernel's interval is its family's log-normal band", "[validate][interval]") {
  Setup gemm = parse_setup({{"hardware", "h800"},
                            {"operators", {{{"op", "gemm"}, {"m", 64}, {"n", 2112}, {"k", 7168}}}}},
                           "test#");
  std::get<OperatorSetup>(gemm).cluster.efficiency.forms = {};  // the table alone
  const double time = number(gemm, "time_s");
  const Interval band = interval(gemm, "time_s", {});
  CHECK(band.p10 == Approx(time * std::exp(-kZ90 * sigma(Cause::gemm))).epsilon(0.005));
  CHECK(band.p90 == Approx(time * std::exp(kZ90 * sigma(Cause::gemm))).epsilon(0.005));
}

TEST_CASE("a drawn family slows every kernel of it by one factor, fitted or not",
          "[validate][interval][property]") {
  const std::string hardware = GENERATE("h800", "h100-sxm", "h200", "b200");
  const json kernel =
      GENERATE(json{{"op", "gemm"}, {"m", 64}, {"n", 2112}, {"k", 7168}},
               json{{"op", "gemm"}, {"m", 4096}, {"n", 4096}, {"k", 7168}},
               json{{"op", "gemm"},
                    {"m", 512},
                    {"n", 512},
                    {"k", 512},
                    {"weight", "bf16"},
                    {"input", "bf16"}},
               json{{"op", "mla_decode"}, {"sequences", 64}, {"context_tokens", 4096}},
               json{{"op", "mla_prefill"}, {"sequences", 1}, {"prompt_tokens", 4096}});
  const Setup setup = parse_setup({{"hardware", hardware}, {"operators", {kernel}}}, "test#");
  const auto time = [&](double z) {
    Draw draw;
    draw.fill(z);
    return number(varied(setup, draw, {}), "time_s");
  };
  CAPTURE(hardware, kernel.dump());
  const double slow = time(1.0) / time(0.0);
  CHECK(slow > 1.05);
  CHECK(time(2.0) / time(1.0) == Approx(slow).epsilon(1e-6));
  CHECK(time(0.0) / time(-1.0) == Approx(slow).epsilon(1e-6));
}

TEST_CASE("an efficiency taken over from another device widens the band", "[validate][interval]") {
  Setup setup =
      parse_setup({{"hardware", "h800"},
                   {"operators", {{{"op", "gemm"}, {"m", 64}, {"n", 2112}, {"k", 7168}}}}},
                  "test#");
  const auto width = [&setup] {
    const Interval band = interval(setup, "time_s", {});
    return std::log(band.p90 / band.p10);
  };
  auto& efficiency = std::get<OperatorSetup>(setup).cluster.efficiency;
  efficiency.forms = {};  // the table alone
  const auto mark = [&efficiency](hw::Evidence evidence) {
    for (auto& family : efficiency.table) {
      for (hw::Efficiency& e : family) e.evidence = evidence;
    }
  };
  mark(hw::Evidence::measured);
  const double measured = width();
  mark(hw::Evidence::assumed);
  CHECK(width() > 1.5 * measured);
}

TEST_CASE("a typical draw leaves a set-up as it is", "[validate][interval]") {
  const Setup setup = parse_setup(decode(1.2), "test#");
  const double rate = number(setup, "tokens_per_s_per_gpu");
  CHECK(number(varied(setup, Draw{}, only(Unknown::load)), "tokens_per_s_per_gpu") ==
        Approx(rate).epsilon(1e-9));
}

TEST_CASE("a slower family never makes a step faster", "[validate][interval][property]") {
  const Setup setup = parse_setup(decode(1.0), "test#");
  const double rate = number(setup, "tokens_per_s_per_gpu");
  for (const Cause cause : {Cause::gemm, Cause::grouped_gemm, Cause::attention_core,
                            Cause::elementwise, Cause::communication}) {
    Draw draw{};
    draw[static_cast<std::size_t>(cause)] = 2.0;
    CAPTURE(std::string(name(cause)));
    CHECK(number(varied(setup, draw, {}), "tokens_per_s_per_gpu") <= rate * (1.0 + 1e-9));
  }
}

TEST_CASE("what is unknown about a set-up widens its interval, what is known does not",
          "[validate][interval]") {
  const Setup setup = parse_setup(decode(1.4), "test#");
  const auto width = [&](Unknowns unknowns) {
    const Interval band = interval(setup, "tokens_per_s_per_gpu", unknowns, 100);
    return std::log(band.p90 / band.p10);
  };
  const double known = width({});
  CHECK(known > 0.02);
  CHECK(known < 0.4);
  CHECK(width(only(Unknown::load)) > known);
  CHECK(width(only(Unknown::software)) > known);
  CHECK(width(only(Unknown::acceptance)) == known);  // no drafts in this scenario
}

TEST_CASE("unknown software only ever lowers a rate, by a fifth at most", "[validate][interval]") {
  const Setup setup = parse_setup(decode(1.0), "test#");
  const double rate = number(setup, "tokens_per_s_per_gpu");
  for (const double z : {-3.0, 0.0, 3.0}) {
    Draw draw{};
    draw[static_cast<std::size_t>(Cause::software)] = z;
    const double slower =
        number(varied(setup, draw, only(Unknown::software)), "tokens_per_s_per_gpu");
    CHECK(slower <= rate * (1.0 + 1e-9));
    CHECK(slower >= rate * 0.79);
  }
}
