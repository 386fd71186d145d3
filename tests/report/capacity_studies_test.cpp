#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/plan_comparison.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"

using namespace fathom;
using namespace fathom::report;
using nlohmann::json;

namespace {

json request() {
  return {{"model", "deepseek-v3"},
          {"hardware", "h800"},
          {"traffic",
           {{"requests_per_s", 20},
            {"peak_factor", 1.5},
            {"lengths",
             {{{"input_tokens", 2048}, {"output_tokens", 512}, {"weight", 3}},
              {{"input_tokens", 8192}, {"output_tokens", 2048}}}}}},
          {"targets", {{"ttft_p99_s", 10}, {"tpot_ms", 50}, {"max_gpus", 200}}},
          {"spare_nodes", 1},
          {"growth", {{"factor", 2}, {"periods", 3}}},
          {"search", {{"tp", {1}}, {"pp", {1}}, {"dp", {16, 32}}, {"ep", {16, 32}}}}};
}

study::PlanResult solve(const json& document) {
  return study::search_plans(study::parse_plan_request(document, "plan.json#"), {.threads = 1});
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text << " should contain " << part);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a capacity page has a section for each study that was asked for", "[report][capacity]") {
  const study::PlanResult result = solve(request());
  REQUIRE(study::smallest_cluster(result) != nullptr);
  const auto studies = study::studies_of(
      result, {.odds = true, .sensitivity = study::SensitivityOptions{.threads = 1}});
  const Document page = capacity_document(result, studies);
  const std::string text = render_markdown(page);
  for (const char* part :
       {"TTFT p99", "What users wait for", "How likely the targets hold", "As traffic grows",
        "When nodes fail", "What the answer depends on", "a histogram of 2 lengths",
        "1.50 times the mean rate", "Erlang C", "1 of them spare", "max_gpus = 200 is exceeded"}) {
    CHECK(contains(text, part));
  }
  CHECK(contains(render_html(page), "as it is"));
}

TEST_CASE("a capacity page without studies has none of their sections", "[report][capacity]") {
  json plain = request();
  plain.erase("growth");
  plain.erase("spare_nodes");
  plain["targets"] = {{"ttft_s", 5}, {"tpot_ms", 50}};
  plain["traffic"] = {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}};
  const study::PlanResult result = solve(plain);
  const std::string text =
      render_markdown(capacity_document(result, study::studies_of(result, {})));
  for (const char* part : {"What users wait for", "How likely", "As traffic grows",
                           "When nodes fail", "What the answer depends on"}) {
    CHECK(text.find(part) == std::string::npos);
  }
}

TEST_CASE("a comparison page shows both plans and their ratios", "[report][capacity]") {
  json twice = request();
  twice["traffic"]["requests_per_s"] = 40;
  const auto comparison = study::compare_plans(study::to_json(solve(request())), "a.json#",
                                               study::to_json(solve(twice)), "b.json#");
  const Document page = comparison_document(comparison);
  CHECK(contains(page.finding, "times the devices"));
  CHECK(contains(render_markdown(page), "TTFT p99"));
}
