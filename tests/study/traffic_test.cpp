#include "study/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "../core/input_error.hpp"
#include "catch.hpp"
#include "core/rng.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::at;
using plan_test::parsed;
using plan_test::small_request;

namespace {

bool close(double a, double b, double bound = 1e-9) {
  return std::abs(a - b) <= bound * std::abs(b);
}

std::string complaint(const json& document) {
  return fathom::test::message_of([&] { parsed(document); });
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text << " should contain " << part);
  return text.find(part) != std::string::npos;
}

json with_lengths(json lengths) {
  json document = small_request();
  document["traffic"] = {{"requests_per_s", 20}, {"lengths", std::move(lengths)}};
  return document;
}

std::string refused(const std::string& text, const std::string& file = "trace.csv") {
  return fathom::test::message_of([&] { parse_request_trace(text, file); });
}

}  // namespace

TEST_CASE("a histogram of one length is that length", "[study][traffic]") {
  const PlanRequest r =
      parsed(with_lengths({{{"input_tokens", 4096}, {"output_tokens", 1024}, {"weight", 3}}}));
  const Traffic plain = parsed(small_request()).traffic;
  CHECK(close(r.traffic.input_tokens, plain.input_tokens));
  CHECK(close(mean_context_tokens(r.traffic), mean_context_tokens(plain)));
  CHECK(close(longest_context_tokens(r.traffic), longest_context_tokens(plain)));
  CHECK(r.traffic.mix->prompt_scv <= 1e-12);
}

TEST_CASE("long answers stay longer in the batch", "[study][traffic]") {
  // Half the requests 1000 + 100, half 3000 + 900: of the requests in a batch, nine in ten are
  // long.
  const std::vector<LengthShare> lengths{{1000.0, 100.0, 1.0}, {3000.0, 900.0, 1.0}};
  const LengthMix mix = mix_of(lengths);
  CHECK(close(mix.input_tokens, 2000.0));
  CHECK(close(mix.output_tokens, 500.0));
  CHECK(close(mix.input_tokens * mix.resident_input, 0.1 * 1000.0 + 0.9 * 3000.0));
  CHECK(close(mix.output_tokens * mix.resident_output, 0.1 * 100.0 + 0.9 * 900.0));
  CHECK(close(mix.prompt_scv, 0.25));  // (1000 / 2000)^2
  CHECK(close(mix.output_scv, 0.64));  // (400 / 500)^2
  CHECK(close(mix.resident_output, 1.0 + mix.output_scv));
  CHECK(mix.longest_tokens == 3900.0);
  REQUIRE(mix.prompts.size() == 2);
  CHECK(mix.prompts[1] == PromptShare{0.5, 1.5});
}

TEST_CASE("merging many lengths keeps their mean and order", "[study][traffic][property]") {
  Rng rng{3};
  std::vector<LengthShare> lengths;
  for (int i = 0; i < 5000; ++i) {
    lengths.push_back({std::ceil(100.0 * std::exp(rng.normal())), 10.0, 0.1 + rng.uniform()});
  }
  const LengthMix mix = mix_of(lengths);
  REQUIRE(mix.prompts.size() <= LengthMix::kMostPrompts);
  double share = 0.0;
  double work = 0.0;
  double squares = 0.0;
  for (const PromptShare& p : mix.prompts) {
    share += p.share;
    work += p.share * p.work;
    squares += p.share * p.work * p.work;
  }
  CHECK(close(share, 1.0));
  CHECK(close(work, 1.0));
  CHECK(squares - 1.0 <= mix.prompt_scv);         // merging only takes spread away …
  CHECK(squares - 1.0 >= 0.85 * mix.prompt_scv);  // … and little of it
  CHECK(std::ranges::is_sorted(mix.prompts, {}, &PromptShare::work));
}

TEST_CASE("traces of several origins say the same", "[study][traffic]") {
  const std::string ours = "arrival_s,input_tokens,output_tokens\n0.5,100,10\n1.25,300,30\n";
  const std::string azure = "arrival_ms,prompt_tokens,output_tokens\n500,100,10\n1250,300,30\n";
  const std::string burst =
      "Timestamp,Model,Request tokens,Response tokens,Log Type\r\n0.5,GPT-4,100,10,\"API log\"\r\n"
      "1.25,GPT-4,300,30,API log\r\n";
  const std::string mooncake =
      R"({"timestamp": 500, "input_length": 100, "output_length": 10, "hash_ids": [1, 2]})"
      "\n"
      R"({"timestamp": 1250, "input_length": 300, "output_length": 30})";
  const auto reference = parse_request_trace(ours, "a.csv").requests;
  REQUIRE(reference == std::vector<LengthShare>{{100.0, 10.0, 1.0}, {300.0, 30.0, 1.0}});
  CHECK(parse_request_trace(azure, "b.csv").requests == reference);
  CHECK(parse_request_trace(burst, "c.csv").requests == reference);
  CHECK(parse_request_trace(mooncake, "d.jsonl").requests == reference);
}

TEST_CASE("a trace says where it is wrong", "[study][traffic]") {
  CHECK(contains(refused("input_tokns,output_tokens\n1,2\n"), "did you mean 'input_tokns'?"));
  CHECK(contains(refused("input_tokens,output_tokens\n1\n"), "trace.csv:2: found 1 fields"));
  CHECK(contains(refused("input_tokens,output_tokens\n1,x\n"), "trace.csv:2: column"));
  CHECK(contains(refused("input_tokens,output_tokens\n1,-3\n"), "output_tokens = -3"));
  CHECK(contains(refused("input_tokens,output_tokens\n1,nan\n"), "output_tokens = nan"));
  CHECK(contains(refused("input_tokens,output_tokens,arrival_s\n1,2,2023-11-16 18:17:03\n"),
                 "convert dates to seconds"));
  CHECK(contains(refused("input_tokens,output_tokens\n"), "no request"));
  CHECK(contains(refused("{\"input_length\": 3}\n", "t.jsonl"), "'output_tokens' is missing"));
  CHECK(contains(refused("[1]\n", "t.jsonl"), "expected an object"));
}

TEST_CASE("requests without an answer are counted and left out", "[study][traffic]") {
  const RequestTrace t = parse_request_trace("input_tokens,output_tokens\n5,0\n7,3\n", "t.csv");
  CHECK(t.skipped == 1);
  CHECK(t.requests.size() == 1);
}

TEST_CASE("arrival times give rate, burstiness and the busiest minute", "[study][traffic]") {
  std::string clockwork = "input_tokens,output_tokens,arrival_s\n";
  std::string poisson = clockwork;
  std::string rush = clockwork;
  Rng rng{2};
  double t = 0.0;
  for (int i = 0; i <= 3000; ++i) {
    clockwork += "10,1," + std::to_string(0.5 * i) + "\n";
    poisson += "10,1," + std::to_string(t) + "\n";
    t -= 0.5 * std::log(1.0 - rng.uniform());
  }
  const Arrivals regular = *parse_request_trace(clockwork, "t.csv").arrivals;
  CHECK(close(regular.requests_per_s, 2.0));
  CHECK(regular.scv <= 1e-9);
  CHECK(close(regular.busiest, 1.0));
  const Arrivals random = *parse_request_trace(poisson, "t.csv").arrivals;
  CHECK(close(random.requests_per_s, 2.0, 0.06));  // 1 / sqrt(3000) = 1.8 %
  CHECK(close(random.scv, 1.0, 0.15));             // sqrt(8 / 3000) = 5 %
  CHECK((random.busiest > 1.0 && random.busiest < 1.6));
  // one minute in eleven at triple rate: 10 x 60 + 180 requests in 660 s
  double at = 0.0;
  for (int minute = 0; minute < 11; ++minute) {
    const int n = minute == 4 ? 180 : 60;
    for (int i = 0; i < n; ++i) rush += "10,1," + std::to_string(at + 60.0 * i / n) + "\n";
    at += 60.0;
  }
  CHECK(close(parse_request_trace(rush, "t.csv").arrivals->busiest, 180.0 / (780.0 / 11.0), 0.01));
  CHECK_FALSE(parse_request_trace("input_tokens,output_tokens,arrival_s\n1,1,0\n1,1,1\n", "t.csv")
                  .arrivals);
}

TEST_CASE("traffic says what contradicts", "[study][traffic]") {
  const json lengths{{{"input_tokens", 100}, {"output_tokens", 10}}};
  CHECK(contains(complaint(at(small_request(), "/traffic/lengths", lengths)),
                 "/traffic/input_tokens: contradicts 'lengths'"));
  CHECK(contains(complaint(with_lengths(json::array())), "/traffic/lengths: an empty list"));
  CHECK(contains(complaint(with_lengths({{{"input_tokens", 1e6}, {"output_tokens", 10}}})),
                 "/traffic/lengths: 1000010 input + output tokens exceed"));
  CHECK(contains(complaint(with_lengths({{{"input_tokens", 0}, {"output_tokens", 10}}})),
                 "/traffic/lengths/0/input_tokens"));
  CHECK(contains(complaint(at(small_request(), "/traffic/peak_factor", "trce")),
                 "did you mean 'trace'?"));
  CHECK(contains(complaint(at(small_request(), "/traffic/peak_factor", 0.5)),
                 "/traffic/peak_factor"));
  json closed = small_request();
  closed["traffic"] = {{"input_tokens", 10}, {"output_tokens", 10}, {"concurrency", 5}};
  CHECK(contains(complaint(at(closed, "/traffic/arrival_scv", 2)), "needs 'requests_per_s'"));
  CHECK(contains(complaint(at(closed, "/targets/ttft_p99_s", 2)), "needs 'requests_per_s'"));
  CHECK(contains(
      complaint(at(at(small_request(), "/targets/ttft_p99_s", 2), "/traffic/queueing", false)),
      "contradicts the target for TTFT p99"));
  CHECK(contains(complaint(at(small_request(), "/targets/ttft_p98_s", 2)), "did you mean"));
}

TEST_CASE("traffic and targets written out read back the same", "[study][traffic]") {
  json document = with_lengths({{{"input_tokens", 100}, {"output_tokens", 10}},
                                {{"input_tokens", 900}, {"output_tokens", 90}, {"weight", 2}}});
  document["traffic"]["peak_factor"] = 2.5;
  document["traffic"]["arrival_scv"] = 3.0;
  document["targets"] = {
      {"ttft_p99_ms", 900},         {"tpot_p90_s", 0.05}, {"tokens_per_s_per_user", 30},
      {"budget_usd_per_hour", 400}, {"power_kw", 100},    {"max_gpus", 512}};
  document["growth"] = {{"factor", 2}, {"every", "quarter"}, {"periods", 8}};
  document["spare_nodes"] = 2;
  const PlanRequest r = parsed(document);
  CHECK(r.traffic.queueing);
  CHECK(r.targets.percentiles.size() == 2);
  CHECK(tpot_limit(r.targets) == Seconds{1.0 / 30.0});
  CHECK(to_json(parsed(to_json(r))) == to_json(r));
}

TEST_CASE("a plan for a mix of lengths costs more than one for its mean", "[study][traffic]") {
  // the same means, but longer contexts in the batch and a tail that waits
  const json mixed =
      with_lengths({{{"input_tokens", 2048}, {"output_tokens", 256}, {"weight", 7}},
                    {{"input_tokens", 11264}, {"output_tokens", 3328}, {"weight", 2}}});
  const PlanRequest r = parsed(mixed);
  json plain = small_request();
  plain["traffic"]["input_tokens"] = r.traffic.input_tokens;
  plain["traffic"]["output_tokens"] = r.traffic.output_tokens;
  const PlanResult of_mix = plan_test::solve(mixed);
  const PlanResult of_plain = plan_test::solve(plain);
  REQUIRE(smallest_cluster(of_mix) != nullptr);
  REQUIRE(smallest_cluster(of_plain) != nullptr);
  CHECK(smallest_cluster(of_mix)->devices >= smallest_cluster(of_plain)->devices);
}

TEST_CASE("limits on money, power and devices are kept or refused", "[study][plan]") {
  const PlanResult open = plan_test::solve(small_request());
  const ClusterPlan* best = smallest_cluster(open);
  REQUIRE(best != nullptr);
  const auto with = [](const char* key, double value) {
    return plan_test::solve(at(small_request(), std::string("/targets/") + key, value));
  };
  const double power = static_cast<double>(best->devices) * 0.7;  // H800: 700 W
  CHECK(close(*best->power_kw, power));
  CHECK(smallest_cluster(with("power_kw", power)) != nullptr);
  CHECK(smallest_cluster(with("power_kw", 0.9 * power)) == nullptr);
  CHECK(smallest_cluster(with("budget_usd_per_hour", best->cost->usd_per_hour)) != nullptr);
  const PlanResult broke = with("budget_usd_per_hour", 0.9 * best->cost->usd_per_hour);
  CHECK(smallest_cluster(broke) == nullptr);
  CHECK(contains(broke.hardware[0].serving[0].unreachable, "a budget of"));
  CHECK(smallest_cluster(with("max_gpus", static_cast<double>(best->devices - 1))) == nullptr);
  PlanRequest unknown = parsed(at(small_request(), "/targets/power_kw", 1e6));
  unknown.hardware[0].device.tdp_w = 0.0;
  const PlanResult none = search_plans(unknown, {.threads = 1});
  CHECK(smallest_cluster(none) == nullptr);
  CHECK(contains(none.hardware[0].serving[0].unreachable, "their power is not known"));
}

TEST_CASE("a tighter percentile never shrinks the cluster", "[study][plan][property]") {
  std::int64_t before = 0;
  for (const double limit : {20.0, 5.0, 3.0, 2.0}) {
    const PlanResult result = plan_test::solve(at(small_request(), "/targets/ttft_p99_s", limit));
    const ClusterPlan* best = smallest_cluster(result);
    CAPTURE(limit);
    if (best == nullptr) break;
    CHECK(best->devices >= before);
    CHECK(best->size.percentiles[0].time <= Seconds{limit * (1.0 + 1e-9)});
    before = best->devices;
  }
  CHECK(before > 0);
}

TEST_CASE("an unreachable percentile is answered with the reachable one", "[study][plan]") {
  const PlanResult result = plan_test::solve(at(small_request(), "/targets/ttft_p99_ms", 1.0));
  CHECK(smallest_cluster(result) == nullptr);
  for (const ServingResult& s : result.hardware[0].serving) {
    CHECK(contains(s.unreachable, "TTFT p99 of 1.00 ms is out of reach"));
  }
}

TEST_CASE("a cluster for the peak is paid for at the mean", "[study][plan]") {
  const PlanResult peak = plan_test::solve(at(small_request(), "/traffic/peak_factor", 2.0));
  const PlanResult twice = plan_test::solve(at(small_request(), "/traffic/requests_per_s", 40.0));
  const ClusterPlan* a = smallest_cluster(peak);
  const ClusterPlan* b = smallest_cluster(twice);
  REQUIRE((a != nullptr && b != nullptr));
  CHECK(a->devices == b->devices);
  CHECK(close(a->cost->usd_per_million_blended, 2.0 * b->cost->usd_per_million_blended));
}

TEST_CASE("spare nodes are devices that cost and serve nothing", "[study][plan]") {
  const PlanResult none = plan_test::solve(small_request());
  const PlanResult two = plan_test::solve(at(small_request(), "/spare_nodes", 2));
  const ClusterPlan* a = smallest_cluster(none);
  const ClusterPlan* b = smallest_cluster(two);
  REQUIRE((a != nullptr && b != nullptr));
  CHECK(b->devices == a->devices + 16);
  CHECK(b->nodes == a->nodes + 2);
  CHECK(b->size.decode_instances == a->size.decode_instances);
  CHECK(close(b->cost->usd_per_hour, a->cost->usd_per_hour + 32.0));  // H800: 2 USD/h
}
