#include "report/builders/mtp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::DraftPoint;
using study::DraftTrade;

constexpr double kGiB = 1073741824.0;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string drafts_text(std::int64_t drafts) {
  return drafts == 1 ? say("{} draft", drafts) : say("{} drafts", drafts);
}

std::vector<const DraftPoint*> points_of(const DraftTrade& trade, std::int64_t drafts) {
  std::vector<const DraftPoint*> out;
  for (const DraftPoint& point : trade.points) {
    if (point.drafts == drafts) out.push_back(&point);
  }
  return out;
}

// Figures are quoted at the acceptance nearest to the middle of what is published for one draft,
// 85 to 90 % (DeepSeek-V3 report, section 5.4.3).
std::size_t quoted_acceptance(const DraftTrade& trade) {
  constexpr double kPublished = 0.875;
  const auto distance = [](double p) { return p < kPublished ? kPublished - p : p - kPublished; };
  const auto& list = trade.request.acceptances;
  const auto found = std::ranges::min_element(list, {}, distance);
  return static_cast<std::size_t>(found - list.begin());
}

std::string finding(const DraftTrade& trade) {
  const std::int64_t drafts = trade.request.drafts.front();
  const DraftPoint* first = nullptr;
  const DraftPoint* last = nullptr;
  for (const DraftPoint* point : points_of(trade, drafts)) {
    if (point->speedup.empty()) continue;
    if (first == nullptr) first = point;
    last = point;
  }
  if (first == nullptr) {
    return say("No batch of {} fits on {} with drafts.", trade.model, trade.hardware);
  }
  const std::size_t at = quoted_acceptance(trade);
  std::string text = say("{} at an acceptance of {}: {} as many tokens/s with {} sequences per GPU",
                         drafts_text(drafts), format_percent(trade.request.acceptances[at]),
                         ratio_text(first->speedup[at]), first->batch);
  if (last != first) {
    text = say("{}, {} with {}", text, ratio_text(last->speedup[at]), last->batch);
  }
  const DraftPoint& hardest =
      *std::ranges::max(points_of(trade, drafts), {}, [](const auto* p) { return p->step_ratio; });
  if (!hardest.break_even) {
    return say("{}; with {} it never pays.", text, hardest.batch);
  }
  return say("{}; at every batch that fits it pays from an acceptance of {}.", text,
             share_text(*hardest.break_even));
}

Plot plot_of(const DraftTrade& trade, std::string title, Axis y,
             const std::function<double(const DraftPoint&)>& value) {
  Plot plot{.title = std::move(title),
            .x = {.label = "sequences per GPU", .scale = AxisScale::log2},
            .y = std::move(y)};
  for (const std::int64_t drafts : trade.request.drafts) {
    Series series{.name = drafts_text(drafts)};
    for (const DraftPoint* point : points_of(trade, drafts)) {
      series.xs.push_back(static_cast<double>(point->batch));
      series.ys.push_back(point->speedup.empty() ? kNaN : value(*point));
    }
    plot.series.push_back(std::move(series));
  }
  plot.note =
      say("{} on {}, {}, {} tokens of context; a gap: does not fit.", trade.model, trade.hardware,
          mapping::describe(trade.plan), context_text(trade.request.context_tokens));
  return plot;
}

Plot speedup_plot(const DraftTrade& trade) {
  const std::size_t at = quoted_acceptance(trade);
  const DraftPoint* best = nullptr;
  for (const DraftPoint& point : trade.points) {
    if (point.speedup.empty()) continue;
    if (best == nullptr || point.speedup[at] > best->speedup[at]) best = &point;
  }
  const std::string acceptance = format_percent(trade.request.acceptances[at]);
  std::string title =
      best == nullptr
          ? say("Gain at an acceptance of {}", acceptance)
          : say("Gain at an acceptance of {}: at most {}, {} at {} sequences per GPU", acceptance,
                ratio_text(best->speedup[at]), drafts_text(best->drafts), best->batch);
  Plot plot =
      plot_of(trade, std::move(title), {.label = "tokens/s over those without drafts", .unit = "x"},
              [at](const DraftPoint& point) { return point.speedup[at]; });
  plot.references.push_back({ReferenceKind::horizontal, 1.0, "no gain"});
  return plot;
}

Plot break_even_plot(const DraftTrade& trade) {
  return plot_of(
      trade, "Acceptance from which drafts pay", {.label = "break-even acceptance", .unit = "%"},
      [](const DraftPoint& point) { return point.break_even ? 100.0 * *point.break_even : kNaN; });
}

Table speedup_table(const DraftTrade& trade, std::int64_t drafts) {
  Table table{
      .title = say("Tokens/s with {} over tokens/s without, by acceptance", drafts_text(drafts)),
      .columns = {number_column("sequences per GPU", "", NumberFormat::exact),
                  number_column("step", "s", NumberFormat::seconds), number_column("step / plain"),
                  text_column("pays from")}};

  for (const double p : trade.request.acceptances) {
    table.columns.push_back(number_column(format_percent(p)));
  }
  for (const DraftPoint* point : points_of(trade, drafts)) {
    std::vector<Cell> cells{point->batch};
    if (point->speedup.empty()) {
      cells.insert(cells.end(), 2, missing_cell());
      cells.emplace_back(point->infeasible.empty() ? "plain step does not fit" : "does not fit");
      cells.insert(cells.end(), trade.request.acceptances.size(), missing_cell());
    } else {
      cells.emplace_back(point->step.value);
      cells.emplace_back(point->step_ratio);
      cells.emplace_back(point->break_even ? share_text(*point->break_even) : "never");
      for (const double speedup : point->speedup) cells.emplace_back(speedup);
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table plain_table(const DraftTrade& trade) {
  Table table{.title = "Without drafts",
              .columns = {number_column("sequences per GPU", "", NumberFormat::exact),
                          number_column("step", "s", NumberFormat::seconds),
                          number_column("decode", "tokens/s per GPU")}};
  for (std::size_t i = 0; i < trade.plain.size(); ++i) {
    const double step = trade.plain[i].value;
    const std::int64_t batch = trade.request.batches[i];
    if (step > 0.0) {
      table.rows.push_back({batch, step, static_cast<double>(batch) / step});
    } else {
      table.rows.push_back({batch, missing_cell(), missing_cell()});
    }
  }
  return table;
}

}  // namespace

Document mtp_document(const DraftTrade& trade) {
  Document document{.title = say("Multi-token prediction: {} on {}", trade.model, trade.hardware),
                    .finding = finding(trade)};
  document.metadata.inputs = inputs_of(trade.basis);
  std::vector<Block>& blocks = document.blocks;
  blocks.push_back(KeyFigures{
      {{"MTP modules", (trade.weights_mtp - trade.weights).value / kGiB, "GiB",
        say("on the fullest rank, beside {} of weights", format_bytes_binary(trade.weights))},
       {"plan", mapping::describe(trade.plan), "", trade.hardware}}});
  blocks.push_back(Heading{.text = "Speed-up"});
  blocks.push_back(speedup_plot(trade));
  for (const std::int64_t drafts : trade.request.drafts) {
    blocks.push_back(speedup_table(trade, drafts));
  }
  blocks.push_back(Heading{.text = "Break-even"});
  blocks.push_back(break_even_plot(trade));
  blocks.push_back(plain_table(trade));
  add_basis(blocks, trade.basis);
  return document;
}

}  // namespace fathom::report
