#include "report/builders/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::Claim;
using study::ClaimCase;
using study::ClaimQuantity;
using study::ClaimResult;
using study::ClaimsResult;
using study::ClaimValue;
using study::ClaimVary;
using study::Verdict;

std::string_view meaning(ClaimQuantity quantity) {
  switch (quantity) {
    case ClaimQuantity::cache_ratio:
      return "cache of a sequence, without over with";
    case ClaimQuantity::cache_saving:
      return "cache of a sequence saved";
    case ClaimQuantity::memory_saving:
      return "used memory of the fullest GPU saved";
    case ClaimQuantity::decode_ratio:
      return "decoded tokens/s per GPU, with over without";
    case ClaimQuantity::decode_gain:
      return "more decoded tokens/s per GPU";
    case ClaimQuantity::step_cost:
      return "longer decode step";
    case ClaimQuantity::attention_flops_ratio:
      return "arithmetic of the attention cores of a decoded token, with over without";
    case ClaimQuantity::draft_parameters:
      return "parameters of the MTP modules";
  }
  return "";
}

std::string figure_text(const Claim& claim, double figure) {
  if (claim.unit == "x") return say("{}x", format_significant(figure));
  const std::string space = claim.unit.empty() ? "" : " ";
  return format_significant(figure) + space + claim.unit;
}

std::string range_text(const Claim& claim) {
  if (claim.low == claim.high) return figure_text(claim, claim.low);
  return say("{} to {}", format_significant(claim.low), figure_text(claim, claim.high));
}

std::string value_text(ClaimVary vary, double at) {
  switch (vary) {
    case ClaimVary::nothing:
      return "";
    case ClaimVary::context_tokens:
      return say("{} tokens", context_text(std::llround(at)));
    case ClaimVary::sequences_per_gpu:
      return at > 0.0 ? say("{:g} per GPU", at) : std::string(lang::tr("as many as fit"));
    case ClaimVary::acceptance:
      return say("acceptance {}", format_percent(at));
  }
  return "";
}

struct Tally {
  int all = 0;
  int holds = 0;
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
};

Tally tally(const ClaimResult& result) {
  Tally out;
  for (const auto& values : result.cases) {
    for (const ClaimValue& value : values) {
      if (!value.figure) continue;
      ++out.all;
      out.holds += judge(result.claim, *value.figure) == Verdict::holds ? 1 : 0;
      out.least = std::min(out.least, *value.figure);
      out.most = std::max(out.most, *value.figure);
    }
  }
  return out;
}

std::string verdict_text(const Tally& t) {
  if (t.all == 0) return "not computable";
  if (t.holds == t.all) return "true wherever we looked";
  return t.holds == 0 ? "true nowhere we looked" : "true under conditions";
}

// The values of one case that hold, in its words: "MLA beside GQA-8 (4 Ki tokens to 8 Ki tokens)".
std::string where_true(const ClaimResult& result, std::size_t index) {
  const ClaimCase& c = result.claim.cases[index];
  std::vector<std::string> holding;
  bool all = true;
  for (const ClaimValue& value : result.cases[index]) {
    const bool holds = value.figure && judge(result.claim, *value.figure) == Verdict::holds;
    all = all && holds;
    if (holds && value.at) holding.push_back(value_text(c.vary, *value.at));
    if (holds && !value.at) return std::string(lang::tr(c.condition));
  }
  if (holding.empty()) return "";
  if (all) return say("{} (at every value)", c.condition);
  return say("{} ({})", c.condition, lang::listed(holding));
}

std::string conditions(const ClaimResult& result) {
  std::vector<std::string> where;
  for (std::size_t i = 0; i < result.cases.size(); ++i) {
    const std::string text = where_true(result, i);
    if (!text.empty()) where.push_back(text);
  }
  return where.empty() ? "under none of the conditions below" : lang::clauses(where);
}

std::string published_text(const Claim& claim) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const study::ClaimEvidence& one : claim.published) {
    if (!one.figure) continue;
    least = std::min(least, *one.figure);
    most = std::max(most, *one.figure);
  }
  if (most < least) return claim.published.empty() ? "nothing found" : "no figure";
  if (most == least) return figure_text(claim, most);
  return say("{} to {}", format_significant(least), figure_text(claim, most));
}

Table overview(const ClaimsResult& result) {
  Table table{.title = "Statements, and what comes out",
              .columns = {text_column("statement"), text_column("says"), text_column("our model"),
                          text_column("published"), text_column("verdict"), text_column("holds")}};
  for (const ClaimResult& one : result.claims) {
    const Tally t = tally(one);
    const std::string ours =
        t.all == 0 ? "–"
                   : say("{} to {}", format_significant(t.least), figure_text(one.claim, t.most));
    table.rows.push_back({one.claim.statement, range_text(one.claim), ours,
                          published_text(one.claim), verdict_text(t),
                          say("{} of {}", t.holds, t.all)});
  }
  return table;
}

Table case_table(const ClaimResult& result) {
  const Claim& claim = result.claim;
  Table table{.title = say("Our model: {}", meaning(claim.quantity)),
              .columns = {text_column("condition"), text_column("at"),
                          number_column("figure", claim.unit), text_column("statement")}};
  for (std::size_t i = 0; i < result.cases.size(); ++i) {
    for (const ClaimValue& value : result.cases[i]) {
      std::vector<Cell> cells{claim.cases[i].condition,
                              value.at ? value_text(claim.cases[i].vary, *value.at) : ""};
      if (!value.figure) {
        cells.push_back(missing_cell());
        cells.emplace_back(value.infeasible);
      } else {
        const Verdict verdict = judge(claim, *value.figure);
        cells.emplace_back(*value.figure);
        cells.emplace_back(verdict == Verdict::holds ? Cell{"holds", Mark::best}
                                                     : Cell{say("{} than stated", name(verdict))});
      }
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table published_table(const Claim& claim) {
  Table table{.title = "Published",
              .columns = {text_column("says"), number_column("figure", claim.unit),
                          text_column("statement"), text_column("source")}};
  for (const study::ClaimEvidence& one : claim.published) {
    std::vector<Cell> cells{one.says};
    if (one.figure) {
      const Verdict verdict = judge(claim, *one.figure);
      cells.emplace_back(*one.figure);
      cells.emplace_back(verdict == Verdict::holds ? std::string("holds")
                                                   : say("{} than stated", name(verdict)));
    } else {
      cells.push_back(missing_cell());
      cells.emplace_back("");
    }
    cells.emplace_back(one.source);
    table.rows.push_back(std::move(cells));
  }
  return table;
}

bool positive(const ClaimResult& result) {
  return result.claim.low > 0.0 && tally(result).least > 0.0;
}

// One place per figure, in the order of the table; names only where nothing varies.
Plot figure_plot(const ClaimResult& result) {
  const Claim& claim = result.claim;
  Plot plot{.title = say("{}: {}", claim.statement, verdict_text(tally(result))),
            .x = {.label = "condition"},
            .y = {.label = std::string(meaning(claim.quantity)), .unit = claim.unit}};
  if (positive(result)) plot.y.scale = AxisScale::log;
  double x = 0.0;
  for (std::size_t i = 0; i < result.cases.size(); ++i) {
    Series series{.name = claim.cases[i].condition, .kind = SeriesKind::line_points};
    for (const ClaimValue& value : result.cases[i]) {
      series.xs.push_back(x);
      series.ys.push_back(value.figure.value_or(std::numeric_limits<double>::quiet_NaN()));
      plot.x.categories.push_back(value.at ? value_text(claim.cases[i].vary, *value.at)
                                           : fmt::format("{}", i + 1));
      x += 1.0;
    }
    plot.series.push_back(std::move(series));
  }
  plot.references.push_back({ReferenceKind::horizontal, claim.low, "stated, least"});
  if (claim.high > claim.low) {
    plot.references.push_back({ReferenceKind::horizontal, claim.high, "stated, most"});
  }
  return plot;
}

void add_claim(const ClaimResult& result, std::vector<Block>& blocks) {
  const Claim& claim = result.claim;
  blocks.push_back(Heading{.text = claim.statement, .anchor = claim.id});
  const Tally t = tally(result);
  std::string text = say("Stated: {}.", range_text(claim));
  if (!claim.range.empty()) text = say("{} {}", text, claim.range);
  const std::string ours = t.all == 0
                               ? "Our model computes no figure."
                               : say("Our model: {} to {}; it holds in {} of {} set-ups: {}.",
                                     format_significant(t.least), figure_text(claim, t.most),
                                     t.holds, t.all, conditions(result));
  blocks.push_back(Paragraph{say("{} {}", text, ours)});
  if (!result.cases.empty()) {
    blocks.push_back(figure_plot(result));
    blocks.push_back(case_table(result));
  }
  if (!claim.published.empty()) blocks.push_back(published_table(claim));
}

std::string finding(const ClaimsResult& result) {
  int always = 0;
  int never = 0;
  for (const ClaimResult& one : result.claims) {
    const Tally t = tally(one);
    always += t.all > 0 && t.holds == t.all ? 1 : 0;
    never += t.all > 0 && t.holds == 0 ? 1 : 0;
  }
  const int all = static_cast<int>(result.claims.size());
  const std::string statements =
      all == 1 ? say("{} popular statement", all) : say("{} popular statements", all);
  const int mixed = all - always - never;
  if (always == 1) {
    return say(
        "Of {}, {} holds in every set-up we computed, {} in none, and {} under the conditions "
        "below.",
        statements, always, never, mixed);
  }
  return say(
      "Of {}, {} hold in every set-up we computed, {} in none, and {} under the conditions below.",
      statements, always, never, mixed);
}

}  // namespace

Document claims_document(const ClaimsResult& result) {
  Document document{.title = "Popular statements, checked", .finding = finding(result)};
  document.metadata.inputs = inputs_of(result.basis);
  document.blocks.push_back(Heading{.text = "Overview"});
  document.blocks.push_back(overview(result));
  for (const ClaimResult& one : result.claims) add_claim(one, document.blocks);
  add_basis(document.blocks, result.basis);
  return document;
}

}  // namespace fathom::report
