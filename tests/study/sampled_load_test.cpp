#include "study/sampled_load.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../core/input_error.hpp"
#include "catch.hpp"
#include "core/json_io.hpp"
#include "study/scenario.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

// DeepSeek-V3: 58 MoE layers, 256 experts in 8 groups, 8 of them per token from 4 groups.
json document(json load, std::int64_t ranks = 32, std::int64_t redundant = 0) {
  return {{"model", "deepseek-v3"},
          {"hardware", "h800"},
          {"plan",
           {{"ep", ranks},
            {"dp", ranks},
            {"redundant_experts", redundant},
            {"expert_load", std::move(load)}}},
          {"phase", "decode"},
          {"workload", {{"sequences_per_gpu", 64}, {"context_tokens", 4096}}}};
}

Scenario scenario(json load, std::int64_t ranks = 32, std::int64_t redundant = 0) {
  return parse_scenario(document(std::move(load), ranks, redundant), "scenario#");
}

double load_of(json load, std::int64_t ranks = 32, std::int64_t redundant = 0) {
  return scenario(std::move(load), ranks, redundant).plan.expert_load;
}

std::string complaint(json load) {
  return fathom::test::message_of([&] { scenario(std::move(load)); });
}

// A trace file that goes when the test ends.
class TraceFile {
 public:
  TraceFile(const std::string& name, const std::string& text)
      : path_(std::filesystem::temp_directory_path() / name) {
    write_file(path_, text);
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  std::string name() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

json counts_of(std::size_t layers, const std::vector<double>& row) {
  return {{"counts", std::vector<std::vector<double>>(layers, row)}};
}

TEST_CASE("a balanced router and an endless batch load every rank alike", "[study][load]") {
  for (const char* kind : {"power_law", "zipf"}) {
    CHECK(load_of({{kind, 0.0}, {"tokens", 1e9}, {"layers", 4}}) == Approx(1.0).epsilon(1e-3));
  }
  CHECK(load_of({{"uniform", true}, {"tokens", 1e9}, {"layers", 4}}) == Approx(1.0).epsilon(1e-3));
}

TEST_CASE("a finite batch is unbalanced even under uniform routing", "[study][load]") {
  const Scenario s = scenario({{"uniform", true}, {"layers", 8}});
  REQUIRE(s.load);
  CHECK(*s.load->tokens == 64.0 * 32.0);
  // 512 rows a rank: one deviation is 4 %, and the largest of 32 lies about two above the mean
  CHECK(s.plan.expert_load > 1.04);
  CHECK(s.plan.expert_load < 1.16);
  CHECK(s.plan.expert_load == s.load->in_order.mean);
  CHECK(s.load->in_order.worst >= s.load->in_order.mean);
}

TEST_CASE("two micro-batches see half the tokens, and so more noise", "[study][load]") {
  json halves = document({{"uniform", true}, {"layers", 4}});
  halves["plan"]["two_batch_overlap"] = true;
  const Scenario s = parse_scenario(halves, "scenario#");
  CHECK(*s.load->tokens == 32.0 * 32.0);
  CHECK(s.plan.expert_load > load_of({{"uniform", true}, {"layers", 4}}));
}

TEST_CASE("steeper popularity never balances ranks", "[study][load][property]") {
  const std::string kind = GENERATE("power_law", "zipf");
  double last = 1.0;
  // until the hottest experts are in every token and what they cannot take goes to others
  for (const double exponent : {0.0, 0.3, 0.6, 0.9, 1.2}) {
    const double load = load_of({{kind, exponent}, {"layers", 12}});
    CAPTURE(kind, exponent);
    CHECK(load >= last);
    last = load;
  }
}

TEST_CASE("more redundant experts never raise the load on average", "[study][load][property]") {
  const auto ranks = GENERATE(8, 32, 128);
  double last = load_of({{"zipf", 0.8}, {"layers", 12}}, ranks);
  for (const std::int64_t redundant : {0, 128, 256}) {
    const double load = load_of({{"zipf", 0.8}, {"layers", 12}, {"eplb", true}}, ranks, redundant);
    CAPTURE(ranks, redundant);
    CHECK(load <= last * 1.005);  // a batch's noise is not what the balancer planned for
    last = load;
  }
}

TEST_CASE("the same seed gives the same load, another seed another", "[study][load]") {
  const json load{{"power_law", 1.2}, {"layers", 3}};
  json other = load;
  other["seed"] = 2;
  CHECK(load_of(load) == load_of(load));
  CHECK(load_of(load) != load_of(other));
}

TEST_CASE("a scenario with sampled loads reads back as itself", "[study][load]") {
  const Scenario s = scenario({{"zipf", 0.5}, {"layers", 3}}, 32, 32);
  const Scenario again = parse_scenario(to_json(s), "scenario#");
  CHECK(s.load == again.load);
  CHECK(s.plan == again.plan);
  CHECK(s.load->balanced);
  CHECK(s.load->eplb.mean < s.load->in_order.mean);
  REQUIRE(s.notes.size() == 1);
  CHECK(s.notes[0].find("Zipf's law of exponent 0.5") != std::string::npos);
}

TEST_CASE("a trace with equal counts gives 1, with one hot expert the closed form",
          "[study][load]") {
  const TraceFile even{"fathom-even.json", counts_of(58, std::vector<double>(256, 12.0)).dump()};
  CHECK(load_of({{"trace", even.name()}}) == Approx(1.0).epsilon(1e-9));

  std::vector<double> row(256, 9.0);
  row[40] = 9.0 * 9.0;  // nine times the others, on one of 32 ranks of eight experts
  const TraceFile hot{"fathom-hot.json", counts_of(58, row).dump()};
  CHECK(load_of({{"trace", hot.name()}}) == Approx(16.0 * 32.0 / 264.0).epsilon(1e-9));
}

TEST_CASE("a trace may be CSV and may list dense layers without tokens", "[study][load]") {
  std::string text;
  for (int layer = 0; layer < 61; ++layer) {  // the first three layers of V3 are dense
    for (int e = 0; e < 256; ++e) {
      text += (e == 0 ? "" : ",") + std::string(layer < 3 ? "0" : e < 8 ? "20" : "10");
    }
    text += '\n';
  }
  const TraceFile file{"fathom-trace.csv", text};
  const Scenario s = scenario({{"trace", file.name()}});
  CHECK(s.load->layers == 58);
  // the first rank's eight experts have twice the rows of the others
  CHECK(s.plan.expert_load == Approx(2.0 * 32.0 / 33.0).epsilon(1e-9));
}

TEST_CASE("a load source says which of its fields is wrong", "[study][load]") {
  const auto contains = [](const std::string& text, const std::string& part) {
    INFO(text << " should contain " << part);
    return text.find(part) != std::string::npos;
  };
  CHECK(contains(complaint({{"powr_law", 1.2}}), "scenario#/plan/expert_load"));
  CHECK(contains(complaint({{"powr_law", 1.2}}), "did you mean 'power_law'?"));
  CHECK(contains(complaint({{"zipf", 1.0}, {"uniform", true}}), "contradicts"));
  CHECK(contains(complaint({{"zipf", 1.0}, {"seeds", 2}}), "did you mean 'seed'?"));
  CHECK(contains(complaint({{"power_law", -1.0}}), "/power_law"));
  CHECK(contains(complaint(json::object()), "expected 'uniform'"));

  const auto traced = [&](const json& content) {
    const TraceFile file{"fathom-bad.json", content.dump()};
    return complaint({{"trace", file.name()}});
  };
  CHECK(contains(traced(counts_of(57, std::vector<double>(256, 1.0))), "57 layers"));
  CHECK(contains(traced(counts_of(58, std::vector<double>(64, 1.0))), "256 routed experts"));
  CHECK(contains(traced(counts_of(58, std::vector<double>(256, 0.0))), "no tokens"));
  CHECK(contains(traced(counts_of(58, std::vector<double>(256, -1.0))), "/counts/0/0"));
  CHECK(contains(traced({{"count", 1}}), "'counts'"));
}

}  // namespace
}  // namespace fathom::study
