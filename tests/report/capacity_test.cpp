#include "report/builders/capacity.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "study/plan_search.hpp"

using namespace fathom;
using namespace fathom::report;

namespace {

// A search small enough for a test.
study::PlanResult solve(double tpot_ms) {
  const nlohmann::json document{
      {"model", "deepseek-v3"},
      {"hardware", "h800"},
      {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
      {"targets", {{"ttft_s", 5}, {"tpot_ms", tpot_ms}}},
      {"search", {{"tp", {1}}, {"pp", {1}}, {"dp", {16, 32}}, {"ep", {16, 32}}}}};
  return study::search_plans(study::parse_plan_request(document, "plan.json#"), {.threads = 1});
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a capacity page starts with the smallest cluster", "[report][capacity]") {
  const study::PlanResult result = solve(50.0);
  const study::ClusterPlan* best = study::smallest_cluster(result);
  REQUIRE(best != nullptr);
  const Document page = capacity_document(result);
  CHECK(contains(page.finding, std::to_string(best->devices) + " h800"));
  const std::string text = render_markdown(page);
  CHECK(contains(text, "Why not smaller"));
  CHECK(contains(text, "USD/M tokens"));
  CHECK(contains(render_html(page), "TPOT target"));
}

TEST_CASE("a capacity page without a cluster says what to relax", "[report][capacity]") {
  const Document page = capacity_document(solve(0.5));
  CHECK(contains(page.finding, "No cluster serves"));
  CHECK(contains(page.finding, "relax the TPOT target"));
  CHECK(contains(render_markdown(page), "Out of reach"));
}

TEST_CASE("a capacity section moves down inside a larger report", "[report][capacity]") {
  for (const Block& block : capacity_blocks(solve(50.0), 3)) {
    if (const auto* heading = std::get_if<Heading>(&block.content)) CHECK(heading->level == 3);
  }
}
