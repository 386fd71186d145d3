#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "collectives/measure_collectives.hpp"
#include "lang/say.hpp"

namespace fathom::collectives {
namespace {

using lang::say;
using namespace report;

double algorithm_bandwidth(const CollectiveReading& r) { return r.payload.value / r.time_s.median; }

double bus_bandwidth(const CollectiveReading& r, int ranks) {
  return moved(r, ranks).value / r.time_s.median;
}

bool has_fit(const RanksMeasurement& m, CollectiveKind kind) {
  return std::ranges::any_of(m.model.fits, [&](const AlphaBeta& f) { return f.kind == kind; });
}

Table fit_table(const RanksMeasurement& m) {
  Table table{.title = "The model of these ranks: time = alpha + bytes moved / beta",
              .columns = {text_column("collective"), number_column("alpha", "us"),
                          number_column("beta", "GB/s"),
                          number_column("bytes at half of beta", "B", NumberFormat::bytes_binary),
                          number_column("sizes", "", NumberFormat::exact),
                          number_column("error, fitted", "", NumberFormat::percent),
                          number_column("error, left out", "", NumberFormat::percent),
                          number_column("left out, p90", "", NumberFormat::percent)}};
  for (const AlphaBeta& f : m.model.fits)
    table.rows.push_back({name(f.kind), f.alpha.value * 1e6, f.beta.value / 1e9,
                          (f.alpha * f.beta).value, f.in_sample.rows, f.in_sample.median,
                          f.leave_one_out.median, f.leave_one_out.p90});
  return table;
}

Table reading_table(const RanksMeasurement& m) {
  Table table{.title = "Collectives: medians of rounds, each the slowest rank's",
              .columns = {text_column("collective"),
                          number_column("payload", "B", NumberFormat::bytes_binary),
                          number_column("time", "s", NumberFormat::seconds),
                          number_column("spread", "", NumberFormat::percent),
                          number_column("best", "s", NumberFormat::seconds),
                          number_column("algorithm", "GB/s"), number_column("bus", "GB/s"),
                          text_column("rounds"), number_column("model", "s", NumberFormat::seconds),
                          number_column("model, size left out", "", NumberFormat::percent)}};
  for (const CollectiveReading& r : m.readings) {
    Cell model{""}, left_out{""};
    for (const AlphaBeta& f : m.model.fits) {
      if (f.kind != r.kind) continue;
      model = Cell{modelled(r, m.model, m.ranks).value};
      for (const AlphaBeta::LeftOut& l : f.left_out)
        if (l.payload == r.payload) left_out = Cell{l.error};
    }
    const std::string dropped = r.dropped > 0 ? fmt::format(" (-{})", r.dropped) : "";
    table.rows.push_back({name(r.kind), r.payload.value, r.time_s.median,
                          r.time_s.mad / r.time_s.median, r.time_s.low,
                          algorithm_bandwidth(r) / 1e9, bus_bandwidth(r, m.ranks) / 1e9,
                          r.disturbed ? say("{}{} disturbed", r.time_s.count, dropped)
                                      : fmt::format("{}{}", r.time_s.count, dropped),
                          model, left_out});
  }
  return table;
}

Plot bandwidth_plot(const RanksMeasurement& m) {
  Plot plot{.title = "Bus bandwidth by message: points measured, lines alpha and beta",
            .x = {.label = "payload", .unit = "B", .scale = AxisScale::log2},
            .y = {.label = "bus bandwidth", .unit = "GB/s", .scale = AxisScale::log}};
  for (std::size_t k = 0; k < kCollectiveKinds; ++k) {
    const auto kind = static_cast<CollectiveKind>(k);
    Series points{.name = std::string{name(kind)}, .kind = SeriesKind::points};
    Series line{.name = say("{}, model", name(kind)), .kind = SeriesKind::line};
    for (const CollectiveReading& r : m.readings) {
      if (r.kind != kind) continue;
      points.xs.push_back(r.payload.value);
      points.ys.push_back(bus_bandwidth(r, m.ranks) / 1e9);
      if (!has_fit(m, kind)) continue;
      line.xs.push_back(r.payload.value);
      line.ys.push_back((moved(r, m.ranks) / modelled(r, m.model, m.ranks)).value / 1e9);
    }
    if (!points.xs.empty()) plot.series.push_back(std::move(points));
    if (!line.xs.empty()) plot.series.push_back(std::move(line));
  }
  return plot;
}

std::string finding(const RanksMeasurement& m) {
  std::vector<double> errors;
  for (const AlphaBeta& f : m.model.fits) errors.push_back(f.leave_one_out.median);
  double best = 0.0;
  for (const CollectiveReading& r : m.readings) best = std::max(best, bus_bandwidth(r, m.ranks));
  std::string out =
      say("{} ranks exchange up to {:.3g} GB/s per rank and direction", m.ranks, best / 1e9);
  if (!errors.empty())
    out = say(
        "{}; alpha and beta predict a size they have not seen with {:.0f} % error in the median of "
        "the collectives",
        out, 100.0 * calib::quantile(errors, 0.5));
  return say("{}.", out);
}

nlohmann::json reading_json(const CollectiveReading& r, const RanksMeasurement& m) {
  nlohmann::json out{{"collective", name(r.kind)},
                     {"operator", ops::to_json(op_of(r, m.ranks))},
                     {"payload_bytes", r.payload.value},
                     {"moved_bytes", moved(r, m.ranks).value},
                     {"calls_per_round", r.calls},
                     {"time_s", measure::to_json(r.time_s)},
                     {"rounds_dropped", r.dropped},
                     {"disturbed", r.disturbed},
                     {"algorithm_bandwidth_b_s", algorithm_bandwidth(r)},
                     {"bus_bandwidth_b_s", bus_bandwidth(r, m.ranks)}};
  if (r.rows > 0) out["tokens_per_rank"] = r.rows;
  if (has_fit(m, r.kind)) out["modelled_s"] = modelled(r, m.model, m.ranks).value;
  return out;
}

nlohmann::json model_json(const RanksMeasurement& m) {
  if (m.model.fits.empty()) return nullptr;
  nlohmann::json fits = nlohmann::json::array();
  for (const AlphaBeta& f : m.model.fits) {
    nlohmann::json left_out = nlohmann::json::array();
    for (const AlphaBeta::LeftOut& l : f.left_out)
      left_out.push_back({{"payload_bytes", l.payload.value}, {"error", l.error}});
    fits.push_back({{"collective", name(f.kind)},
                    {"alpha_s", f.alpha.value},
                    {"beta_b_s", f.beta.value},
                    {"in_sample", to_json(f.in_sample)},
                    {"leave_one_out", to_json(f.leave_one_out)},
                    {"left_out", left_out}});
  }
  const hw::LinkTier& tier = m.model.cluster.tiers.front();
  return {{"fits", fits},
          {"tier",
           {{"name", tier.name},
            {"group", tier.group},
            {"bandwidth_gb_s", tier.bandwidth.value / 1e9},
            {"latency_us", tier.latency.value * 1e6}}}};
}

void add_notes(const RanksMeasurement& m, Document& out) {
  if (!m.complete)
    out.blocks.emplace_back(
        Note{NoteKind::warning, "interrupted: what is below is whole, sizes are missing"});
  if (busy(m.machine))
    out.blocks.emplace_back(
        Note{NoteKind::warning, say("the machine was busy (load average {:.1f} on {} CPUs)",
                                    m.machine.load_average, m.machine.cpus)});
  if (std::ranges::any_of(m.readings, &CollectiveReading::disturbed))
    out.blocks.emplace_back(
        Note{NoteKind::warning,
             "disturbed: in nearly every round a rank waited for a CPU, so all rounds count; such "
             "times tell of the scheduler as much as of the collective and take no part in alpha "
             "and beta where four other "
             "sizes are left"});
}

}  // namespace

Document page(const RanksMeasurement& m) {
  Document out{.title = say("Collectives between {} local ranks", m.ranks), .finding = finding(m)};
  out.blocks.emplace_back(
      Paragraph{say("{}, {} CPUs, {}, {} ranks, load average {:.1f}, seed {}", m.machine.model,
                    m.machine.cpus, m.mpi, m.ranks, m.machine.load_average, m.seed)});
  add_notes(m, out);
  if (!m.model.fits.empty()) out.blocks.emplace_back(fit_table(m));
  if (!m.readings.empty()) out.blocks.emplace_back(bandwidth_plot(m));
  out.blocks.emplace_back(reading_table(m));
  out.blocks.emplace_back(Paragraph{
      "Payload is the message of all_reduce, the whole result of all_gather, and what a rank sends "
      "in all_to_all; for dispatch and combine a rank's tokens of 7168 bf16, each with eight of "
      "256 "
      "experts, sent once to every rank that holds one of them. Algorithm bandwidth is payload "
      "over "
      "time, bus bandwidth what crosses the link per rank and direction over time: 2 (n-1)/n of "
      "the "
      "payload for all_reduce, (n-1)/n for all_gather and all_to_all, the expected copies to other "
      "ranks for dispatch and combine. Dispatch gathers the rows and exchanges counts first, "
      "combine "
      "adds up what comes back. Before timing, every sum, block and row is checked on outputs that "
      "were poisoned. `model` is the network model of every estimate on one link with the alpha "
      "and "
      "beta above."});
  return out;
}

nlohmann::json to_json(const RanksMeasurement& m) {
  nlohmann::json readings = nlohmann::json::array();
  for (const CollectiveReading& r : m.readings) readings.push_back(reading_json(r, m));
  return {{"schema", "collectives/1"},
          {"machine", measure::to_json(m.machine)},
          {"mpi", m.mpi},
          {"ranks", m.ranks},
          {"seed", m.seed},
          {"complete", m.complete},
          {"readings", readings},
          {"model", model_json(m)}};
}

}  // namespace fathom::collectives
