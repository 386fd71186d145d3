#include "sweep/sweep.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "study/evaluate.hpp"
#include "sweep/evaluator.hpp"
#include "sweep/results.hpp"
#include "sweep/run.hpp"

using namespace fathom;
using namespace fathom::sweep;
using nlohmann::json;

namespace {

json decode_base() {
  return json::parse(R"({
    "model": "deepseek-v3", "hardware": "h800", "phase": "decode",
    "plan": {"ep": 32, "dp": 32},
    "workload": {"sequences_per_gpu": 32, "context_tokens": 4096}})");
}

json small_sweep() {
  json sweep = json::parse(R"({
    "axes": [
      {"pointer": "/workload/context_tokens", "values": [1024, 65536, 200000]},
      {"pointer": "/plan/two_batch_overlap", "values": [false, true]},
      {"pointer": "/hardware", "values": ["h800", "h200"]},
      {"list": [{"/plan/tp": 1, "/plan/dp": 32}, {"/plan/tp": 3, "/plan/dp": 16},
                {"/plan/tp": 4, "/plan/dp": 8}]}],
    "derived": [{"pointer": "/plan/ep", "value": "\"/plan/tp\" * \"/plan/dp\""}]})");
  sweep["base"] = decode_base();
  return sweep;
}

Sweep parse(const json& document) {
  study::Library library;
  return parse_sweep(document, "sweep.json#", library);
}

Block run(const Sweep& sweep) {
  study::Library library;
  Block block;
  Evaluator(sweep, library).run(0, sweep.points(), block);
  return block;
}

std::string complaint(const json& document) {
  try {
    parse(document);
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

double result(const Block& block, const Sweep& sweep, std::size_t row, Result which) {
  return block.results[row * sweep.layout.results.size() + static_cast<std::size_t>(which)];
}

}  // namespace

TEST_CASE("a sweep's row is what an estimate of the point's scenario says", "[sweep]") {
  const Sweep sweep = parse(small_sweep());
  REQUIRE(sweep.points() == 3 * 2 * 2 * 3);
  const Block block = run(sweep);
  REQUIRE(block.rows() == 36);
  std::size_t feasible = 0;
  for (std::size_t row = 0; row < block.rows(); ++row) {
    CAPTURE(row);
    const json scenario = scenario_of(sweep, block.numbers[row]).value();
    const bool ran = block.reason[row] < 0;
    try {
      const study::Answer answer = study::evaluate(study::parse_scenario(scenario, "point#"));
      const auto* estimate = std::get_if<infer::InferEstimate>(&answer.outcome);
      REQUIRE(ran == (estimate != nullptr));
      if (!ran) continue;
      ++feasible;
      CHECK(result(block, sweep, row, Result::tpot_s) == estimate->latency.value);
      CHECK(result(block, sweep, row, Result::tokens_per_s_per_device) ==
            estimate->per_device.value);
      CHECK(result(block, sweep, row, Result::memory_used_bytes) == estimate->memory.used().value);
    } catch (const InputError&) {
      CHECK_FALSE(ran);  // a context beyond the model's is a mistake in a scenario, a reason here
    }
  }
  CHECK(feasible > 4);
  CHECK(feasible < 30);
}

TEST_CASE("points count up over the setting first, the last axis of the workload fastest",
          "[sweep]") {
  const Sweep sweep = parse(small_sweep());
  REQUIRE(sweep.bases.size() == 1);
  CHECK(sweep.bases[0].axes.back().fields.size() == 1);
  CHECK(sweep.fields[static_cast<std::size_t>(sweep.bases[0].axes.back().fields[0])].pointer ==
        "/workload/context_tokens");
}

TEST_CASE("rows do not depend on who evaluates which points", "[sweep][property]") {
  const Sweep sweep = parse(small_sweep());
  const Block whole = run(sweep);
  study::Library library;
  Evaluator evaluator(sweep, library);
  const std::vector<std::int64_t> starts{31, 4, 17, 30, 0, 35};
  for (const std::int64_t begin : starts) {
    Block part;
    evaluator.run(begin, begin + 1, part);
    const auto row = static_cast<std::size_t>(begin);
    const std::size_t width = sweep.layout.results.size();
    for (std::size_t i = 0; i < width; ++i) {
      const double a = part.results[i];
      const double b = whole.results[row * width + i];
      CHECK((a == b || (std::isnan(a) && std::isnan(b))));
    }
  }
}

TEST_CASE("threads hand over the same blocks in the same order", "[sweep][threads]") {
  json document = small_sweep();
  document["axes"].push_back(json::parse(R"({"pointer": "/workload/sequences_per_gpu",
                      "range": {"from": 1, "to": 300, "count": 300}})"));
  const Sweep sweep = parse(document);
  const auto rows_with = [&](int threads) {
    study::Library library;
    std::vector<double> rows;
    std::int64_t next = 0;
    const std::int64_t end = run_points(
        sweep, library, {0, sweep.points()}, {.threads = threads},
        [&](const Block& block) {
          CHECK(block.begin == next);
          next = block.end;
          for (const double r : block.results) rows.push_back(std::isnan(r) ? -1.0 : r);
        },
        "");
    CHECK(end == sweep.points());
    return rows;
  };
  const std::vector<double> one = rows_with(1);
  CHECK(one.size() == 10800 * sweep.layout.results.size());
  CHECK(rows_with(3) == one);
}

TEST_CASE("what the sink throws ends a run", "[sweep][threads]") {
  const Sweep sweep = parse(small_sweep());
  study::Library library;
  CHECK_THROWS_AS(run_points(
                      sweep, library, {0, sweep.points()}, {.threads = 2},
                      [](const Block&) { throw InputError("disk full"); }, ""),
                  InputError);
}

TEST_CASE("a constraint leaves points without a row, a filter marks rows", "[sweep]") {
  json document = small_sweep();
  document["let"]["gpus"] = 16;
  document["constraints"] = {R"("/plan/tp" * "/plan/dp" <= 2 * gpus)", R"("/hardware" != 'h200')"};
  document["filters"] = {"tpot_s < 0.04"};
  document["results"]["tokens_per_joule"] = "tokens_per_s_per_device / 700";
  const Sweep sweep = parse(document);
  const Block block = run(sweep);
  // 48 devices of the tp = 3 plan and one of two machines are excluded
  REQUIRE(block.rows() == 3 * 2 * 2);
  const std::size_t width = sweep.layout.results.size();
  for (std::size_t row = 0; row < block.rows(); ++row) {
    if (block.reason[row] >= 0) continue;
    const double* r = block.results.data() + row * width;
    CHECK(r[width - 1] == (r[static_cast<std::size_t>(Result::tpot_s)] < 0.04 ? 1.0 : 0.0));
    CHECK(r[kResults] == r[static_cast<std::size_t>(Result::tokens_per_s_per_device)] / 700);
  }
}

TEST_CASE("several bases have their own axes", "[sweep]") {
  json document = small_sweep();
  json prefill = decode_base();
  prefill["phase"] = "prefill";
  prefill["workload"] = {{"prompts_per_gpu", 1}};
  document["base"] = {{{"name", "decode"}, {"scenario", decode_base()}},
                      {{"name", "prefill"}, {"scenario", prefill}}};
  document["axes"][0]["bases"] = {"decode"};
  document["axes"].push_back(json::parse(
      R"({"pointer": "/workload/prompt_tokens", "values": [512, 1024], "bases": ["prefill"]})"));
  const Sweep sweep = parse(document);
  CHECK(sweep.points() == 36 + 24);
  const Block block = run(sweep);
  const std::size_t width = sweep.layout.results.size();
  CHECK_FALSE(std::isnan(block.results[static_cast<std::size_t>(Result::tpot_s)]));
  CHECK_FALSE(std::isnan(block.results[40 * width + static_cast<std::size_t>(Result::ttft_s)]));
}

TEST_CASE("a load that follows from the workload is sampled anew at every point", "[sweep]") {
  json document = small_sweep();
  document["base"]["plan"]["expert_load"] = {{"uniform", true}};
  document["axes"] =
      json::parse(R"([{"pointer": "/workload/sequences_per_gpu", "values": [4, 64]}])");
  document.erase("derived");
  const Sweep sweep = parse(document);
  const Block block = run(sweep);
  for (std::size_t row = 0; row < 2; ++row) {
    const json scenario = scenario_of(sweep, static_cast<std::int64_t>(row)).value();
    const study::Answer answer = study::evaluate(study::parse_scenario(scenario, "point#"));
    CHECK(result(block, sweep, row, Result::tpot_s) ==
          std::get<infer::InferEstimate>(answer.outcome).latency.value);
  }
}

TEST_CASE("mistakes in a sweep are refused where they stand", "[sweep][input]") {
  struct Mistake {
    const char* pointer;
    const char* value;
    const char* says;
  };
  const auto m = GENERATE(values<Mistake>({
      {"/axes/0/pointer", R"("/workload/contxt_tokens")", "did you mean 'context_tokens'"},
      {"/axes/1/pointer", R"("/plan/two_batch_overlp")", "sweep.json#/axes/1"},
      {"/axes/1/pointer", R"("plan/tp")", "expected a JSON pointer"},
      {"/axes/1/values", R"(["yes"])", "sweep.json#/axes/1"},
      {"/axes/1/values", "[]", "is empty"},
      {"/axes/0/values", R"(["long"])", "takes numbers"},
      {"/axes/0/values", "[-1]", "found -1"},
      {"/axes/2/values", R"(["h8000"])", "sweep.json#/axes/2"},
      {"/axes/0/pointer", R"("/workload/prompt_tokens")", "no field of a decode workload"},
      {"/axes/0/pointer", R"("/phase")", "several bases"},
      {"/axes/3/list/0", "{}", "expected an object of"},
      {"/axes/3/list/1", R"({"/plan/tp": 2})", "lacks"},
      {"/axes/0/bases", R"(["prefill"])", "unknown base"},
      {"/derived/0/value", R"("\"/plan/tp\" *")", "^"},
      {"/derived/0/value", R"("\"/plan/tpp\" * 2")", "did you mean"},
      {"/derived/0/pointer", R"("/plan/tp")", "is an axis too"},
      {"/constraints", R"(["\"/plan/tp\" + 1"])", "no condition"},
      {"/constraints", R"(["gpus > 3"])", "gpus"},
      {"/filters", R"(["tpot < 1"])", "did you mean 'tpot_s'"},
      {"/objectives", R"([{"maximise": "tpot_s"}])", "expected either"},
      {"/axis", "[]", "did you mean 'axes'"},
      {"/base/plan/pp", R"("two")", "expected an integer"},
      {"/base/workload/sequences", "4", "contradicts"},
  }));
  CAPTURE(m.pointer, m.value);
  json document = small_sweep();
  document[json::json_pointer(m.pointer)] = json::parse(m.value);
  CHECK_THAT(complaint(document), contains(m.says));
}

TEST_CASE("too many points are refused with their number before anything is made", "[sweep]") {
  json document = small_sweep();
  for (const char* pointer : {"/plan/expert_load", "/host/per_step_us", "/host/per_launch_us"}) {
    document["axes"].push_back(
        {{"pointer", pointer}, {"range", {{"from", 1}, {"to", 2}, {"count", 20'000'000}}}});
  }
  // 36 * (2e7)^3 = 2.9e23
  CHECK_THAT(complaint(document), contains("2.88e+23 points"));
}
