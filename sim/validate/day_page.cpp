#include <fmt/format.h>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "validate/validate_page.hpp"

namespace fathom::validate {
namespace {

using lang::say;
using namespace report;

struct DayFigure {
  const char* label;
  const char* key;  // in to_json(DayEstimate) and the day's "published"
  double ours = 0.0;
  const char* comment;
};

std::vector<DayFigure> day_figures(const DayEstimate& e) {
  return {
      {"cache hits, share of input", "hit_rate", e.hit_rate, "from the day's totals"},
      {"prefill, computed tokens/s/node", "prefill_tokens_per_s_per_node", e.prefill_per_node,
       "ours is capacity; the published mean is the load of the day"},
      {"decode, tokens/s/node", "decode_tokens_per_s_per_node", e.decode_per_node,
       "at the batch that published rate and speed imply"},
      {"speed, tokens/s/user", "tokens_per_s_per_user", e.speed_per_user, ""},
      {"prefill nodes", "prefill_nodes", e.prefill_nodes, "tokens / rate, no idle time"},
      {"decode nodes", "decode_nodes", e.decode_nodes, "tokens / rate, no idle time"},
      {"nodes, mean of the day", "nodes", e.nodes, "prefill and decode together"},
      {"cost, USD/day", "cost_usd", e.cost.value, "of our nodes"},
      {"cost of the published nodes, USD/day", "cost_usd", e.published_cost.value, "arithmetic"},
      {"theoretical income, USD/day", "income_usd", e.income.value, "tokens x prices"},
      {"margin over cost", "margin", e.margin, "with our nodes"},
      {"margin with the published nodes", "margin", e.published_margin, "arithmetic"},
  };
}

Cell rounded(double value, int digits) {
  Cell cell{value};
  cell.shown = format_significant(value, digits);
  return cell;
}

std::vector<Cell> day_row(const ProductionDay& day, const DayFigure& figure) {
  std::vector<Cell> cells{figure.label, rounded(figure.ours, 4), "-", "-", figure.comment};
  const auto found = day.published.find(figure.key);
  if (found == day.published.end()) return cells;
  const double difference = figure.ours / found->second - 1.0;
  cells[2] = Cell{found->second};
  cells[2].shown = fmt::format("{:.6g}", found->second);
  cells[3] = Cell{difference};
  cells[3].shown = fmt::format("{:+.1f} %", 100.0 * difference);
  return cells;
}

Note what_differs(const ProductionDay& day, const DayEstimate& e) {
  if (e.implied_prefill_per_node <= 0.0) {
    return {NoteKind::info, "Decode alone takes more nodes than were published."};
  }
  return {NoteKind::info,
          say("At full load {} nodes would have computed the day's missed tokens. {} of the "
              "published nodes are left for prefill beside our decode nodes, so they ran "
              "at {:.0f} % of our capacity. Peaks, spare nodes and the lengths of prompts "
              "lie behind that share; the source does not give them.",
              format_significant(e.prefill_nodes, 3),
              format_significant(day.published_nodes - e.decode_nodes, 3),
              100.0 * e.implied_prefill_per_node / e.prefill_per_node)};
}

}  // namespace

std::vector<Block> day_section(const DayReport& report) {
  const DayEstimate& e = report.estimate;
  std::vector<Block> blocks{Heading{.text = say("A production day: {}", report.day.name)}};
  if (!e.infeasible.empty()) {
    blocks.emplace_back(Note{NoteKind::warning, say("The day cannot run: {}", e.infeasible)});
    return blocks;
  }
  Table table{.title = "Nodes, cost and income: ours at full load, published as it was",
              .columns = {text_column("figure"), number_column("ours"), number_column("published"),
                          number_column("difference"), text_column("what stands behind it")}};
  for (const DayFigure& figure : day_figures(e)) table.rows.push_back(day_row(report.day, figure));
  blocks.emplace_back(std::move(table));
  blocks.emplace_back(what_differs(report.day, e));
  return blocks;
}

}  // namespace fathom::validate
