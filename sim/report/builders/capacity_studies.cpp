#include "report/builders/capacity_studies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::GrowthRow;
using study::Moved;
using study::PlanResult;
using study::Serving;

constexpr double kMilli = 1e-3;

Cell latency_cell(Seconds t) {
  return std::isfinite(t.value) ? Cell{t.value / kMilli} : Cell{"no end"};
}

std::string join(const std::vector<std::string>& words) {
  std::string out = words.empty() ? "" : words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    out = i + 1 == words.size() ? say("{} and {}", out, words[i]) : say("{}, {}", out, words[i]);
  }
  return out;
}

// So many draws cannot tell certainty from one chance in as many.
Cell chance_cell(double probability, int draws) {
  Cell cell{probability};
  const double step = 1.0 / draws;
  cell.shown = probability >= 1.0   ? "> " + format_percent(1.0 - step)
               : probability <= 0.0 ? "< " + format_percent(step)
                                    : format_percent(probability);
  return cell;
}

// Bars of the latencies as shares of their targets, so that one axis holds them all.
LanePlot odds_plot(const study::PlanOdds& odds) {
  LanePlot plot{.title = "Latencies against their targets",
                .x = {.label = "of the target", .unit = "%", .min = 0.0},
                .lane_label = "latency",
                .groups = {"p10 to p90", "estimate"},
                .references = {{ReferenceKind::vertical, 100.0, "target"}}};
  for (const study::LatencyOdds& t : odds.targets) {
    if (!std::isfinite(t.p90.value) || !std::isfinite(t.estimate.value)) continue;
    const std::size_t lane = plot.lanes.size();
    plot.lanes.push_back(t.what);
    plot.bars.push_back({.lane = lane,
                         .start = 100.0 * (t.p10 / t.target),
                         .length = 100.0 * ((t.p90 - t.p10) / t.target),
                         .facts = {{"target", format_seconds(t.target)}}});
    plot.marks.push_back({.lane = lane, .at = 100.0 * (t.estimate / t.target), .group = 1});
  }
  return plot;
}

void add_odds(std::vector<Block>& blocks, const PlanResult& result, const study::PlanOdds& odds,
              int level) {
  blocks.push_back(Heading{level, "How likely the targets hold", "odds"});
  if (odds.targets.empty()) {
    blocks.push_back(Paragraph{"There is no latency target to miss."});
    return;
  }
  Table table{.title = say("The smallest cluster; all targets together: {}",
                           chance_cell(odds.all, odds.draws).shown),
              .columns = {text_column("latency"), number_column("estimate", "ms"),
                          number_column("p10", "ms"), number_column("p90", "ms"),
                          number_column("target", "ms"),
                          number_column("probability", "", NumberFormat::percent)}};
  for (const study::LatencyOdds& t : odds.targets) {
    table.rows.push_back({t.what, latency_cell(t.estimate), latency_cell(t.p10),
                          latency_cell(t.p90), t.target.value / kMilli,
                          chance_cell(t.probability, odds.draws)});
  }
  blocks.push_back(odds_plot(odds));
  blocks.push_back(std::move(table));
  std::string note = say(
      "Over {} draws of log-normal errors of kernel times: families err independently of each "
      "other, and both phases of one draw share its errors; if the targets were independent all "
      "would hold with {}. Traffic, lengths, expert load and software are taken as given.",
      odds.draws, chance_cell(odds.independent, odds.draws).shown);
  if (result.request.targets.confidence) {
    note =
        say("{} The cluster was sized with every family's time at its {} quantile at once, which "
            "is more "
            "cautious than that quantile of a whole step.",
            note, format_percent(*result.request.targets.confidence));
  }
  blocks.push_back(Note{NoteKind::assumption, note});
}

void add_growth(std::vector<Block>& blocks, const PlanResult& result,
                const std::vector<GrowthRow>& rows, int level) {
  const study::Growth& growth = *result.request.growth;
  const bool closed = result.request.traffic.concurrency > 0.0;
  blocks.push_back(Heading{level, "As traffic grows", "growth"});
  const auto first =
      std::ranges::find_if(rows, [](const GrowthRow& r) { return !r.exceeds.empty(); });
  const std::string period(study::name(growth.every));
  Table table{
      .title = first == rows.end()
                   ? say("Every limit holds for {} {}s", growth.periods, period)
                   : say("{} is exceeded after {} {}s", first->exceeds, first->period, period),
      .columns = {number_column(period, "", NumberFormat::exact),
                  number_column("traffic", closed ? "concurrent requests" : "requests/s"),
                  text_column("hardware"), text_column("serving"),
                  number_column("devices", "", NumberFormat::exact),
                  number_column("nodes", "", NumberFormat::exact),
                  number_column("cluster", "USD/h"),
                  number_column("input + output", "USD/M tokens"), text_column("exceeds")}};
  for (const GrowthRow& r : rows) {
    const auto& cost = r.plan.cost;
    table.rows.push_back({r.period, r.demand, study::hardware_name(result.request, r.plan),
                          std::string(study::name(r.plan.serving)), r.plan.devices, r.plan.nodes,
                          cost ? Cell{cost->usd_per_hour} : Cell{"price unknown"},
                          cost ? Cell{cost->usd_per_million_blended} : Cell{"price unknown"},
                          Cell{r.exceeds, r.exceeds.empty() ? Mark::none : Mark::bound}});
  }
  blocks.push_back(std::move(table));
  blocks.push_back(
      Note{NoteKind::assumption, say("Traffic times {:g} every {}; each row takes the smallest of "
                                     "today's candidates with more instances, at today's prices.",
                                     growth.factor, period)});
}

void add_outages(std::vector<Block>& blocks, const std::vector<study::Outage>& outages, int level) {
  blocks.push_back(Heading{level, "When nodes fail", "outages"});
  bool held = true;
  for (const study::Outage& o : outages) held = held && !o.missed;
  Table table{
      .title = held ? "The targets hold even before spare nodes take over"
                    : "Until spare nodes take over, targets are missed",
      .columns = {text_column("when"), number_column("prefill instances", "", NumberFormat::exact),
                  number_column("decode instances", "", NumberFormat::exact),
                  number_column("TTFT", "ms"), number_column("TPOT", "ms"),
                  number_column("serves", "", NumberFormat::percent), text_column("misses")}};
  for (const study::Outage& o : outages) {
    table.rows.push_back({o.when, o.prefill_instances, o.decode_instances,
                          latency_cell(o.delivered.ttft), latency_cell(o.delivered.tpot), o.serves,
                          o.missed ? Cell{study::name(*o.missed), Mark::bound} : Cell{"-"}});
  }
  blocks.push_back(std::move(table));
  blocks.push_back(Note{
      NoteKind::assumption,
      "As unlucky as can be: every lost node breaks another instance, all of one phase; an "
      "instance on several nodes is lost with one of them. Serves: the share of the traffic within "
      "the targets. Spare nodes stand idle until then; how "
      "long loading the weights takes is not modelled."});
}

Cell devices_cell(const Moved& m) { return m.devices > 0 ? Cell{m.devices} : Cell{"none"}; }

Cell money_cell(const Moved& m, const std::optional<double>& usd) {
  return usd ? Cell{*usd} : Cell{m.devices > 0 ? "price unknown" : "none"};
}

Cell load_cell(const Moved& m) {
  return m.load_devices > 0.0 ? Cell{m.load_devices} : Cell{"none"};
}

// The figure without steps: whole instances hide what moves the answer by less than one.
double load_figure(const Moved& m, bool money) {
  const double none = std::nan("");
  if (m.load_devices <= 0.0) return none;
  return money ? m.load_usd_per_million.value_or(none) : m.load_devices;
}

// Bars from the answer to where each input takes it, widest first.
LanePlot tornado(const study::Sensitivity& s) {
  const bool money = s.base.load_usd_per_million.has_value();
  LanePlot plot{
      .x = {.label = money ? "cost at full load" : "devices at full load",
            .unit = money ? "USD/M tokens" : ""},
      .lane_label = "input",
      .groups = {"input lower", "input higher"},
      .note =
          "The answer with one input moved down and up; the line is the answer as it is, at "
          "the highest rate it supports. Inputs that leave nothing have no bar."};
  std::vector<study::SensitivityRow> rows = s.rows;
  std::ranges::stable_sort(rows, std::greater<>{}, &study::SensitivityRow::load_swing);
  const double base = load_figure(s.base, money);
  for (const study::SensitivityRow& row : rows) {
    const std::size_t lane = plot.lanes.size();
    plot.lanes.push_back(row.input);
    const auto bar = [&](const Moved& moved, const std::string& by, std::size_t group) {
      const double figure = load_figure(moved, money);
      if (std::isfinite(figure) && std::isfinite(base))
        plot.bars.push_back({.lane = lane,
                             .start = base,
                             .length = figure - base,
                             .group = group,
                             .facts = {{"moved", by}}});
    };
    bar(row.low, row.low_text, 0);
    bar(row.high, row.high_text, 1);
  }
  plot.references.push_back({ReferenceKind::vertical, base, "as it is"});
  plot.title = say("The {} at full load depends most on the {}", money ? "cost" : "size",
                   rows.front().input);
  return plot;
}

Table sensitivity_table(const study::Sensitivity& s) {
  const std::optional<double>& cost = s.base.usd_per_million;
  Table table{
      .title = cost ? say("One input moved at a time, most important first (as it is: {} "
                          "devices, {} USD/M tokens)",
                          s.base.devices, format_significant(*cost))
                    : say("One input moved at a time, most important first (as it is: {} "
                          "devices)",
                          s.base.devices),
      .columns = {text_column("input"), text_column(std::string(lang::meant("moved (an input)"))),
                  number_column("devices low", "", NumberFormat::exact),
                  number_column("devices high", "", NumberFormat::exact),
                  number_column("cost low", "USD/M tokens"),
                  number_column("cost high", "USD/M tokens"),
                  number_column("at full load low", "devices"),
                  number_column("at full load high", "devices")}};
  for (const study::SensitivityRow& r : s.rows) {
    table.rows.push_back({r.input, r.low_text + " / " + r.high_text, devices_cell(r.low),
                          devices_cell(r.high), money_cell(r.low, r.low.usd_per_million),
                          money_cell(r.high, r.high.usd_per_million), load_cell(r.low),
                          load_cell(r.high)});
  }
  return table;
}

std::string lengths_text(const study::Traffic& t) {
  if (t.trace.empty()) return say("a histogram of {} lengths", t.histogram.size());
  const std::string requests = format_count(t.trace_requests);
  if (t.trace_skipped == 0) return say("{} requests of {}", requests, t.trace);
  return say("{} requests of {} ({} without an answer left out)", requests, t.trace,
             t.trace_skipped);
}

std::string gaps_text(const study::Traffic& t) {
  const std::string scv = format_significant(t.arrival_scv);
  const bool measured = t.arrivals && t.arrivals->scv == t.arrival_scv;
  if (measured) return say("Gaps between arrivals have an scv of {}, as in the trace.", scv);
  if (t.arrival_scv == 1.0) return say("Gaps between arrivals have an scv of {} (Poisson).", scv);
  return say("Gaps between arrivals have an scv of {}, as given.", scv);
}

void add_sensitivity(std::vector<Block>& blocks, const study::Sensitivity& s, int level) {
  blocks.push_back(Heading{level, "What the answer depends on", "sensitivity"});
  blocks.push_back(tornado(s));
  blocks.push_back(sensitivity_table(s));
  const char* how = s.options.replan
                        ? "Every row is a whole search."
                        : "Every row sizes the layouts of the smallest cluster again, with any "
                          "batch; other layouts may do better (`--replan`).";
  blocks.push_back(
      Note{NoteKind::assumption,
           say("{} Full load: devices over the multiple of the traffic that the same "
               "cluster, with its layouts and batches, serves within the targets. \"none\": "
               "does not fit or misses a target. "
               "Times of kernel families move between p10 and p90 of their calibrated errors.",
               how)});
}

}  // namespace

std::string targets_text(const study::Targets& t) {
  std::vector<std::string> words;
  if (t.ttft) words.push_back("TTFT " + format_seconds(*t.ttft));
  if (const auto tpot = study::tpot_limit(t)) words.push_back("TPOT " + format_seconds(*tpot));
  for (const study::LatencyPercentile& p : t.percentiles) {
    words.push_back(study::name(p) + " " + format_seconds(p.time));
  }
  if (t.max_gpus) words.push_back(say("{} GPUs", *t.max_gpus));
  if (t.budget_usd_per_hour) words.push_back(fmt::format("{:g} USD/h", *t.budget_usd_per_hour));
  if (t.power_kw) words.push_back(fmt::format("{:g} kW", *t.power_kw));
  std::string out = words.empty() ? "with no latency target" : say("within {}", join(words));
  if (t.confidence) out = say("{} at {} confidence", out, format_percent(*t.confidence));
  return out;
}

std::string traffic_text(const study::Traffic& t) {
  std::vector<std::string> words;
  if (t.mix) {
    words.push_back(say(
        "Lengths are those of {}: prompts of {} tokens on average (scv {}), outputs of {} (scv "
        "{}). "
        "Steps are evaluated at one length each: prefill at the mean prompt, decode at the mean of "
        "the requests in a batch, where long answers stay longer ({} + {} tokens).",
        lengths_text(t), format_significant(t.input_tokens),
        format_significant(t.mix->prompt_scv, 2), format_significant(t.output_tokens),
        format_significant(t.mix->output_scv, 2),
        format_significant(t.input_tokens * t.mix->resident_input),
        format_significant(t.output_tokens * t.mix->resident_output)));
    if (t.queueing) {
      words.push_back(
          "A prompt's own prefill grows in proportion to its length; the quadratic part "
          "of attention is left out of the spread.");
    }
  }
  if (t.queueing) {
    words.push_back(gaps_text(t));
  }
  if (t.arrivals) {
    words.push_back(say(
        "The trace spans {} s at {} requests/s; its busiest minute has {} times that.",
        format_significant(t.arrivals->duration_s), format_significant(t.arrivals->requests_per_s),
        format_significant(t.arrivals->busiest)));
  }
  if (t.peak_factor != 1.0) {
    words.push_back(
        say("The cluster is sized for {} times the mean rate and paid for at the "
            "mean.",
            format_significant(t.peak_factor)));
  }
  std::string out;
  for (const std::string& w : words) out = out.empty() ? w : say("{} {}", out, w);
  return out;
}

Table queue_table(const study::PlanRequest& request, const std::vector<NamedPlan>& plans) {
  Table table{.title = "What users wait for",
              .columns = {text_column("hardware"), text_column("serving"),
                          number_column("wait at all", "", NumberFormat::percent),
                          number_column("mean wait", "ms")}};
  const study::Demand demand = study::demand_of(request);
  for (const study::LatencyPercentile& p : demand.percentiles) {
    table.columns.push_back(number_column(study::name(p), "ms"));
  }
  table.columns.push_back(number_column("wait for a decode slot", "ms"));
  for (const NamedPlan& p : plans) {
    std::vector<Cell> row{p.hardware, std::string(study::name(p.plan->serving)),
                          p.plan->size.wait.probability, latency_cell(p.plan->size.wait.mean)};
    for (const study::LatencyPercentile& l : p.plan->size.percentiles) {
      row.push_back(latency_cell(l.time));
    }
    row.push_back(latency_cell(study::slot_wait(demand, study::fleet_of(*p.plan)).mean));
    table.rows.push_back(std::move(row));
  }
  return table;
}

void add_studies(std::vector<Block>& blocks, const PlanResult& result,
                 const study::PlanStudies& studies, int level) {
  if (studies.odds) add_odds(blocks, result, *studies.odds, level);
  if (!studies.growth.empty()) add_growth(blocks, result, studies.growth, level);
  if (!studies.outages.empty()) add_outages(blocks, studies.outages, level);
  if (studies.sensitivity) add_sensitivity(blocks, *studies.sensitivity, level);
}

}  // namespace fathom::report
