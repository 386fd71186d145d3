#include "experiment/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.hpp"
#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::experiment {
namespace {

using lang::say;
using nlohmann::json;
using namespace report;

std::string name_of(const BalanceCurve& curve) {
  if (curve.policy == "none") return "none";
  if (curve.policy == "bias") return say("bias, u = {:g}", curve.coefficient);
  return say("{}, alpha = {:g}", curve.policy, curve.coefficient);
}

// A line per policy over the steps.
Plot over_steps(const BalanceResult& r, std::string title, std::string label,
                std::vector<double> BalanceCurve::*values) {
  Plot plot{.title = std::move(title), .x = {.label = "step"}, .y = {.label = std::move(label)}};
  plot.y.min = 0.0;
  for (const BalanceCurve& curve : r.curves) {
    Series series{.name = name_of(curve), .kind = SeriesKind::line, .ys = curve.*values};
    series.xs.resize(series.ys.size());
    std::iota(series.xs.begin(), series.xs.end(), 1.0);
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Table balance_table(const BalanceResult& r) {
  Table table{.title = "Mean of the last quarter of the steps",
              .columns = {text_column("policy"), number_column("MaxVio"),
                          number_column("over capacity", "", NumberFormat::percent),
                          number_column("regret"), number_column("fullest rank / mean"),
                          number_column("with EPLB")}};
  for (const BalanceCurve& curve : r.curves) {
    table.rows.push_back({name_of(curve), settled(curve.max_violation),
                          settled(curve.dropped_share), settled(curve.regret), curve.rank_peak,
                          curve.rank_peak_eplb});
  }
  return table;
}

const BalanceCurve& best_balanced(const BalanceResult& r, std::string_view policy) {
  const BalanceCurve* best = nullptr;
  for (const BalanceCurve& curve : r.curves) {
    if (curve.policy != policy) continue;
    const bool better =
        best == nullptr || settled(curve.max_violation) < settled(best->max_violation);
    if (better) best = &curve;
  }
  FATHOM_EXPECT(best != nullptr, "a balance experiment runs every policy");
  return *best;
}

std::string balance_finding(const BalanceResult& r) {
  const BalanceCurve& none = best_balanced(r, "none");
  const auto part = [](const BalanceCurve& curve) {
    return say("MaxVio {} at a regret of {}", format_significant(settled(curve.max_violation), 2),
               format_significant(settled(curve.regret), 2));
  };
  std::string out = say("Without balancing {}", part(none));
  if (!r.setup.balance_alphas.empty()) {
    const BalanceCurve& loss = best_balanced(r, "balance loss");
    out = say("{}; {}: {}", out, name_of(loss), part(loss));
  }
  if (!r.setup.bias_update_speeds.empty()) {
    const BalanceCurve& bias = best_balanced(r, "bias");
    out = say("{}; {}: {}", out, name_of(bias), part(bias));
  }
  return out;
}

double as_percent(double share) { return 100.0 * share; }

std::string fp8_finding(const Fp8Result& r) {
  FATHOM_EXPECT(!r.gemms.empty(), "an FP8 experiment runs some products");
  const auto worst =
      std::ranges::max_element(r.gemms, {}, [](const GemmRow& row) { return row.tensor_core.max; });
  return say(
      "Up to {:.2g} % error of a product at k = {} when sums stay in the tensor core, {:.2g} % "
      "when "
      "they are promoted to float32 every 128",
      as_percent(worst->tensor_core.max), worst->k, as_percent(worst->promoted.max));
}

Table format_table(const Fp8Result& r) {
  Table table{
      .title = "What a format loses",
      .columns = {text_column("input"), text_column("format"), number_column("bits/element"),
                  number_column("SNR", "dB"), number_column("SNR, ordinary channels", "dB"),
                  number_column("max error"), number_column("rms error"),
                  number_column("to zero", "", NumberFormat::percent),
                  number_column("saturated", "", NumberFormat::percent)}};
  for (const FormatRow& row : r.formats) {
    table.rows.push_back({row.input, row.format, row.bits_per_element, row.error.snr_db,
                          row.ordinary_snr_db, row.error.max_abs, row.error.rmse,
                          row.error.underflow_share, row.error.saturation_share});
  }
  return table;
}

Table gemm_table(const Fp8Result& r) {
  Table table{.title = "What accumulation loses: errors relative to the rms of the exact outputs",
              .columns = {text_column("input"), number_column("k", "", NumberFormat::exact),
                          number_column("float32, rms", "", NumberFormat::percent),
                          number_column("promoted every 128, rms", "", NumberFormat::percent),
                          number_column("promoted, max", "", NumberFormat::percent),
                          number_column("tensor core only, rms", "", NumberFormat::percent),
                          number_column("tensor core only, max", "", NumberFormat::percent)}};
  for (const GemmRow& row : r.gemms) {
    table.rows.push_back({row.input, row.k, row.float32.rms, row.promoted.rms, row.promoted.max,
                          row.tensor_core.rms, row.tensor_core.max});
  }
  return table;
}

Plot gemm_plot(const Fp8Result& r, const std::string& input) {
  Plot plot{.title = say("Sums kept in the tensor core lose more with every k ({} inputs)", input),
            .x = {.label = "k", .scale = AxisScale::log2},
            .y = {.label = "rms error / rms output", .scale = AxisScale::log}};
  const auto add = [&](std::string name, AccumulationError GemmRow::*error) {
    Series series{.name = std::move(name), .kind = SeriesKind::line_points};
    for (const GemmRow& row : r.gemms) {
      if (row.input != input) continue;
      series.xs.push_back(static_cast<double>(row.k));
      series.ys.push_back((row.*error).rms);
    }
    plot.series.push_back(std::move(series));
  };
  add("tensor core only", &GemmRow::tensor_core);
  add("promoted every 128", &GemmRow::promoted);
  add("float32", &GemmRow::float32);
  return plot;
}

json to_json(const AccumulationError& e) { return {{"rms", e.rms}, {"max", e.max}}; }

// JSON has no infinity; a lossless format has no noise.
json finite(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

}  // namespace

Document page(const BalanceResult& r) {
  const BalanceExperiment& s = r.setup;
  Document document{.title = "Balancing experts", .finding = balance_finding(r)};
  document.blocks.emplace_back(balance_table(r));
  document.blocks.emplace_back(over_steps(
      r, "Load violation by policy", "MaxVio (max load / mean - 1)", &BalanceCurve::max_violation));
  document.blocks.emplace_back(
      over_steps(r, "What balancing costs: affinity given up", "regret", &BalanceCurve::regret));
  document.blocks.emplace_back(Paragraph{say(
      "{} experts, {} chosen per token, {} tokens a step, {} steps, {} ranks, {} redundant slots "
      "for EPLB, Zipf exponent {:g}, learning rate {:g}, seed {}.",
      s.experts, s.topk, s.tokens, s.steps, s.ranks, s.redundant, s.zipf, s.learning_rate,
      s.seed)});
  document.blocks.emplace_back(
      Note{NoteKind::assumption,
           "A synthetic router that learns affinities under drifting clusters, not a language "
           "model: coefficients do not carry over, and which policy wins depends on the learning "
           "rate. Over capacity is the share of choices beyond the capacity factor; nothing is "
           "dropped."});
  document.blocks.emplace_back(
      Note{NoteKind::source,
           "Bias update: DeepSeek-V3 report (arXiv 2412.19437), section 2.1.2, and arXiv "
           "2408.15664; balance loss: arXiv 2101.03961; placement: deepseek-ai/EPLB."});
  return document;
}

json to_json(const BalanceResult& r) {
  const BalanceExperiment& s = r.setup;
  json curves = json::array();
  for (const BalanceCurve& c : r.curves) {
    curves.push_back({{"policy", c.policy},
                      {"coefficient", c.coefficient},
                      {"max_violation", c.max_violation},
                      {"over_capacity_share", c.dropped_share},
                      {"regret", c.regret},
                      {"settled_max_violation", settled(c.max_violation)},
                      {"settled_regret", settled(c.regret)},
                      {"fullest_rank_over_mean", c.rank_peak},
                      {"fullest_rank_over_mean_eplb", c.rank_peak_eplb}});
  }
  return {{"setup",
           {{"experts", s.experts},
            {"topk", s.topk},
            {"tokens", s.tokens},
            {"steps", s.steps},
            {"ranks", s.ranks},
            {"redundant", s.redundant},
            {"dim", s.dim},
            {"clusters", s.clusters},
            {"zipf", s.zipf},
            {"learning_rate", s.learning_rate},
            {"capacity_factor", s.capacity_factor},
            {"seed", s.seed}}},
          {"curves", std::move(curves)}};
}

Document page(const Fp8Result& r) {
  Document document{.title = "FP8 and FP4: formats and accumulation", .finding = fp8_finding(r)};
  document.blocks.emplace_back(format_table(r));
  document.blocks.emplace_back(gemm_table(r));
  document.blocks.emplace_back(gemm_plot(r, "uniform"));
  document.blocks.emplace_back(gemm_plot(r, "gaussian"));
  document.blocks.emplace_back(
      Note{NoteKind::assumption,
           "The tensor core is a model: products of 32 are aligned to the largest exponent and "
           "truncated to 14 bits. Formats are emulated exactly; inputs are synthetic."});
  document.blocks.emplace_back(
      Note{NoteKind::source,
           "DeepSeek-V3 report (arXiv 2412.19437), section 3.3; OCP Microscaling Formats 1.0; "
           "NVIDIA NVFP4."});
  return document;
}

json to_json(const Fp8Result& r) {
  json formats = json::array();
  for (const FormatRow& row : r.formats) {
    formats.push_back({{"format", row.format},
                       {"input", row.input},
                       {"bits_per_element", row.bits_per_element},
                       {"max_abs_error", row.error.max_abs},
                       {"rmse", row.error.rmse},
                       {"snr_db", finite(row.error.snr_db)},
                       {"ordinary_channels_snr_db", finite(row.ordinary_snr_db)},
                       {"underflow_share", row.error.underflow_share},
                       {"saturation_share", row.error.saturation_share}});
  }
  json gemms = json::array();
  for (const GemmRow& row : r.gemms) {
    gemms.push_back({{"input", row.input},
                     {"k", row.k},
                     {"float32", to_json(row.float32)},
                     {"promoted_every_128", to_json(row.promoted)},
                     {"tensor_core_only", to_json(row.tensor_core)}});
  }
  return {{"formats", std::move(formats)}, {"accumulation", std::move(gemms)}};
}

}  // namespace fathom::experiment
