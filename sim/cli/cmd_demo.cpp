#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/compare.hpp"
#include "report/builders/estimate.hpp"
#include "report/html.hpp"
#include "report/in_language.hpp"
#include "report/markdown.hpp"
#include "study/attention_trade.hpp"
#include "study/evaluate.hpp"
#include "study/plan_search.hpp"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

// One question that exercises every part: a chat service of middling size on the two Hopper systems
// that differ most in memory and link.
nlohmann::json demo_request() {
  return {{"name", "DeepSeek-V3, 20 requests/s, on H800 and H200"},
          {"model", "deepseek-v3"},
          {"hardware", {"h800", "h200"}},
          {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
          {"targets", {{"ttft_s", 5}, {"tpot_ms", 50}}}};
}

void append(std::vector<report::Block>& to, std::vector<report::Block> blocks) {
  to.insert(to.end(), std::make_move_iterator(blocks.begin()),
            std::make_move_iterator(blocks.end()));
}

bool lists_sources(const report::Details& details) {
  const report::Block& first = details.blocks.front();
  const auto* note = std::get_if<report::Note>(&first.content);
  const auto* table = std::get_if<report::Table>(&first.content);
  return (note != nullptr && note->kind == report::NoteKind::source) ||
         (table != nullptr && table->title == "Sources");
}

// A page inside a larger one: headings move one level down, long tables close, and the sources,
// which the larger page lists already, go.
std::vector<report::Block> nested(report::Document page) {
  constexpr std::size_t kLongTable = 20;
  std::vector<report::Block> blocks;
  blocks.push_back(report::Paragraph{page.finding});
  for (report::Block& block : page.blocks) {
    if (auto* heading = std::get_if<report::Heading>(&block.content)) heading->level = 3;
    if (const auto* details = std::get_if<report::Details>(&block.content);
        details != nullptr && lists_sources(*details)) {
      continue;
    }
    const auto* table = std::get_if<report::Table>(&block.content);
    if (table != nullptr && table->rows.size() > kLongTable) {
      blocks.push_back(report::Details{table->title, {std::move(block)}});
      continue;
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

// The decode step that the smallest cluster runs, operator by operator.
std::vector<report::Block> decode_step(const study::PlanResult& result) {
  const study::ClusterPlan* best = study::smallest_cluster(result);
  if (best == nullptr) return {};
  const study::PlanRequest& request = result.request;
  study::Scenario scenario;
  scenario.model = request.model;
  scenario.cluster = request.hardware[best->hardware];
  scenario.plan = best->decode.plan;
  scenario.options = request.options;
  scenario.workload = study::decode_query(request, best->decode.batch, best->decode.draft_tokens);
  const study::Answer answer = study::evaluate(scenario);
  std::vector<report::Block> blocks;
  blocks.push_back(report::Heading{2, "The decode step, operator by operator", "decode-step"});
  blocks.push_back(report::Paragraph{report::scenario_line(scenario)});
  append(blocks, nested(report::estimate_page(scenario, answer)));
  return blocks;
}

report::Document demo_document() {
  Progress progress("making the report");
  const study::PlanResult result =
      study::search_plans(study::parse_plan_request(demo_request(), "demo#"),
                          {.progress = [&](double share) { progress.report(share); }});
  report::Document document = report::capacity_document(result);
  append(document.blocks, decode_step(result));

  const study::AttentionTrade trade = study::trade_attention(study::default_trade_request());
  document.blocks.push_back(
      report::Heading{2, "Attention kinds and models side by side", "attention"});
  document.blocks.push_back(report::Paragraph{report::compare_finding(trade)});
  append(document.blocks, report::compare_blocks(trade, 3));
  progress.finish();

  document.metadata.version = version_line().substr(std::string_view{"fathom "}.size());
  document.metadata.command = "fathom demo";
  for (const study::TradeInput& input : trade.inputs) {
    const report::Input named{input.name, input.hash};
    const auto& known = document.metadata.inputs;
    if (std::find(known.begin(), known.end(), named) == known.end()) {
      document.metadata.inputs.push_back(named);
    }
  }
  return document;
}

int run(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw InputError(fmt::format("{}: cannot be created: {}", folder, error.message()));
  }
  const report::Document document = report::in_language(demo_document());
  const fs::path html = fs::path(folder) / "capacity-deepseek-v3.html";
  const fs::path markdown = fs::path(folder) / "capacity-deepseek-v3.md";
  write_file(html, report::render_html(document));
  write_file(markdown, report::render_markdown(document));
  print(fmt::format("{}\n\n{}\n{}\n", document.finding, html.string(), markdown.string()));
  return kOk;
}

}  // namespace

void add_demo(CLI::App& app, int& exit_code) {
  auto folder = std::make_shared<std::string>("reports/out");
  CLI::App* command = app.add_subcommand(
      "demo", "One report on DeepSeek-V3: which cluster, why, and how its attention compares");
  command->add_option("-o,--output", *folder, "Folder to write the report into; made if missing")
      ->option_text("DIR [reports/out]");
  command->footer(
      "Examples:\n"
      "  fathom demo\n"
      "  fathom demo --output /tmp/fathom\n"
      "\n"
      "Writes capacity-deepseek-v3.html, one page that needs nothing else, and the same as\n"
      "Markdown. The same question with other numbers: fathom plan --help.");
  command->callback([folder, &exit_code] { exit_code = run(*folder); });
}

}  // namespace fathom::cli
