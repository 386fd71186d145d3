#include "report/builders/plan_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::FigurePair;

Cell cell(const std::optional<double>& value) { return value ? Cell{*value} : Cell{"-"}; }

Table side_by_side(std::string title, const std::vector<FigurePair>& pairs) {
  Table table{.title = std::move(title),
              .columns = {text_column("figure"), text_column("unit"), number_column("A"),
                          number_column("B"), number_column("B / A")}};
  for (const FigurePair& p : pairs) {
    table.rows.push_back({p.what, p.unit, cell(p.a), cell(p.b), cell(p.ratio())});
  }
  return table;
}

const FigurePair* find(const std::vector<FigurePair>& pairs, std::string_view what,
                       std::string_view unit) {
  const auto found = std::ranges::find_if(
      pairs, [&](const FigurePair& p) { return p.what == what && p.unit == unit; });
  return found == pairs.end() ? nullptr : &*found;
}

std::string cluster_text(const study::PlanLabel& label) {
  return label.cluster.empty() ? "nothing meets the targets" : label.cluster;
}

std::string ratio_text(const FigurePair* pair) {
  if (pair == nullptr || !pair->ratio()) return "";
  return format_significant(*pair->ratio());
}

std::string finding(const study::PlanComparison& c) {
  std::string out =
      say("A ({}): {}. B ({}): {}", c.a.name, cluster_text(c.a), c.b.name, cluster_text(c.b));
  if (const std::string r = ratio_text(find(c.smallest, "devices", "")); !r.empty()) {
    out = say("{}; B takes {} times the devices", out, r);
  }
  const FigurePair* cost = find(c.cheapest, "input + output", "USD/M tokens");
  if (const std::string r = ratio_text(cost); !r.empty()) {
    out = say("{} and {} times the cost per token", out, r);
  }
  return say("{}.", out);
}

}  // namespace

Document comparison_document(const study::PlanComparison& c) {
  Document document;
  document.title = "Two capacity plans";
  document.finding = finding(c);
  document.blocks.push_back(side_by_side("What was asked", c.question));
  document.blocks.push_back(side_by_side("The smallest cluster of each", c.smallest));
  const bool priced =
      std::ranges::any_of(c.cheapest, [](const FigurePair& p) { return p.a || p.b; });
  if (priced) {
    document.blocks.push_back(side_by_side("The cheapest cluster of each, per token", c.cheapest));
  }
  return document;
}

}  // namespace fathom::report
