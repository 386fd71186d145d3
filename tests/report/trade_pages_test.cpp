// Names come from files that anybody may have written: every builder's page shows them and obeys
// none of them.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "report/builders/calibration.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/claims.hpp"
#include "report/builders/compare.hpp"
#include "report/builders/compare_hardware.hpp"
#include "report/builders/kv_cache.hpp"
#include "report/builders/moe.hpp"
#include "report/builders/mtp.hpp"
#include "report/builders/roofline.hpp"
#include "report/csv.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/svg.hpp"
#include "report/terminal.hpp"
#include "samples.hpp"
#include "study/operator_roofline.hpp"
#include "study/plan_search.hpp"
#include "study/report_spec.hpp"

using namespace fathom;
using namespace fathom::report;

namespace {

// A tag, quotes, a new line, a right-to-left override, an escape sequence, and 10 kB.
const std::string& hostile() {
  static const std::string kText =
      "<script>alert(1)</script>\"'`|\n\xE2\x80\xAE\x1b[31m" + std::string(10240, 'A');
  return kText;
}

void hurt(study::Basis& basis) {
  basis.notes.push_back(hostile());
  basis.sources.push_back(hostile());
  basis.inputs.push_back({hostile(), "0"});
}

constexpr const char* kWhere = "spec.json#";

Document attention_page() {
  study::AttentionTrade trade = study::trade_attention(
      {.base = "deepseek-v3", .attentions = {"mha", "mla"}, .contexts = {4096}}, kWhere);
  for (study::TradeRow& row : trade.rows) {
    row.label = hostile() + " with " + row.exchanged;
    row.attention = row.infeasible = hostile();
  }
  trade.cluster.id = hostile();
  trade.notes.push_back(hostile());
  trade.sources.push_back(hostile());
  return compare_document(trade);
}

Document hardware_page() {
  study::HardwareTrade trade = study::trade_hardware({.model = "deepseek-v3",
                                                      .hardware = {"h800", "rtx-4090"},
                                                      .batches = {1},
                                                      .contexts = {4096},
                                                      .devices = 32},
                                                     kWhere);
  trade.model = trade.kv = hostile();
  for (study::HardwareRow& row : trade.rows) row.cluster.id = row.infeasible = hostile();
  hurt(trade.basis);
  return compare_hardware_document(trade);
}

Document cache_page() {
  study::CacheTrade trade = study::trade_cache(
      {.models = {"deepseek-v3"}, .contexts = {4096, 8192}, .hardware = {"h800"}}, kWhere);
  trade.rows[0].label = trade.devices[0].id = trade.request.kv[0] = hostile();
  trade.rows[0].curves[0].kv = hostile();
  hurt(trade.basis);
  return kv_cache_document(trade);
}

Document expert_page() {
  study::ExpertTrade trade = study::trade_experts({.model = "deepseek-v3",
                                                   .hardware = "h800",
                                                   .ep = {32},
                                                   .ep_of_others = 32,
                                                   .skew = {0.0},
                                                   .granularity = {1.0},
                                                   .shared = {1}},
                                                  kWhere);
  trade.model = trade.hardware = trade.shared[0].infeasible = hostile();
  hurt(trade.basis);
  return moe_document(trade);
}

Document draft_page() {
  study::DraftTrade trade = study::trade_drafts({.model = "deepseek-v3",
                                                 .hardware = "h800",
                                                 .devices = 32,
                                                 .batches = {1},
                                                 .drafts = {1},
                                                 .acceptances = {0.8}},
                                                kWhere);
  trade.model = trade.hardware = hostile();
  hurt(trade.basis);
  return mtp_document(trade);
}

Document claims_page() {
  const study::Claim claim{.id = hostile(),
                           .statement = hostile(),
                           .low = 10.0,
                           .high = 20.0,
                           .unit = hostile(),
                           .range = hostile(),
                           .cases = {{.condition = hostile(),
                                      .with = {.model = "deepseek-v3"},
                                      .without = {.model = "deepseek-v3", .attention = "mha"}}},
                           .published = {{.says = hostile(), .figure = 1.0, .source = hostile()}}};
  study::ClaimsResult result = study::check_claims({claim}, kWhere);
  hurt(result.basis);
  return claims_document(result);
}

Document calibration_page() {
  hw::Cluster cluster = hw::load_cluster("h800");
  cluster.id = hostile();
  cluster.sources.push_back(hostile());
  cluster.efficiency.sources.push_back(hostile());
  return calibration_document({cluster});
}

Document capacity_page() {
  const nlohmann::json document{
      {"name", hostile()},
      {"model", "deepseek-v3"},
      {"hardware", "h800"},
      {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
      {"targets", {{"ttft_s", 5}, {"tpot_ms", 50}}},
      {"search", {{"tp", {1}}, {"pp", {1}}, {"dp", {32}}, {"ep", {32}}}}};
  study::PlanRequest request = study::parse_plan_request(document, kWhere);
  request.model.arch.name = hostile();
  request.hardware[0].id = hostile();
  return capacity_document(study::search_plans(request, {.threads = 1}));
}

Document roofline_page() {
  const nlohmann::json document{{"model", "deepseek-v3"},
                                {"hardware", "h800"},
                                {"phase", "decode"},
                                {"plan", {{"ep", 32}, {"dp", 32}}},
                                {"workload", {{"sequences", 32}, {"context_tokens", 4096}}}};
  study::OperatorRoofline roofline =
      study::operator_roofline(study::parse_scenario(document, kWhere), {1.0}, "", kWhere);
  roofline.scenario.name = roofline.scenario.model.arch.name = hostile();
  roofline.scenario.cluster.id = hostile();
  roofline.notes.push_back(hostile());
  for (study::RooflinePoint& point : roofline.points) point.row.name = hostile();
  return roofline_document(roofline);
}

struct Page {
  const char* name;
  std::function<Document()> make;
};

const std::vector<Page>& pages() {
  static const std::vector<Page> kPages{{"capacity", capacity_page},
                                        {"compare-attention", attention_page},
                                        {"compare-hardware", hardware_page},
                                        {"kv-cache", cache_page},
                                        {"moe", expert_page},
                                        {"mtp", draft_page},
                                        {"roofline", roofline_page},
                                        {"calibration", calibration_page},
                                        {"claims", claims_page}};
  return kPages;
}

void plots_of(const std::vector<Block>& blocks, std::vector<Plot>& out) {
  for (const Block& block : blocks) {
    if (const auto* plot = std::get_if<Plot>(&block.content)) out.push_back(*plot);
    if (const auto* details = std::get_if<Details>(&block.content)) plots_of(details->blocks, out);
  }
}

// A code span shows its text as it is.
std::string outside_code(const std::string& markdown) {
  std::string out;
  bool code = false;
  for (const char c : markdown) {
    if (c == '\n') code = false;
    if (c == '`') code = !code;
    if (!code) out += c;
  }
  return out;
}

}  // namespace

TEST_CASE("a hostile name on any page is text in every format", "[report][hostile]") {
  for (const Page& page : pages()) {
    CAPTURE(page.name);
    const Document document = page.make();
    const std::string html = render_html(document);
    CHECK_FALSE(contains(html, "<script>alert"));
    CHECK(contains(html, "&lt;script&gt;alert"));
    const std::string markdown = render_markdown(document);
    CHECK_FALSE(contains(outside_code(markdown), "<script>"));
    for (const std::string& text :
         {html, markdown, render_csv(document), render_terminal(document, {})}) {
      CHECK_FALSE(contains(text, "\x1b[31m"));
    }
    std::vector<Plot> plots;
    plots_of(document.blocks, plots);
    for (const Plot& plot : plots) {
      const std::string svg = render_svg(plot, {.standalone = true});
      CHECK(xml_fault(svg.substr(svg.find("<svg"))) == "");
      CHECK_FALSE(contains(svg, "<script>alert"));
    }
  }
}

TEST_CASE("every report has a plot, a table, assumptions and sources", "[report][pages]") {
  for (const Page& page : pages()) {
    CAPTURE(page.name);
    const std::string markdown = render_markdown(page.make());
    CHECK(contains(markdown, "**Figure 1.**"));
    CHECK(contains(markdown, "**Table 1.**"));
    CHECK(contains(markdown, "ource"));
    CHECK(contains(markdown, "ssumption"));
  }
}

TEST_CASE("a page made twice is the same page", "[report][pages]") {
  for (const Page& page : pages()) {
    CAPTURE(page.name);
    CHECK(render_markdown(page.make()) == render_markdown(page.make()));
  }
}
