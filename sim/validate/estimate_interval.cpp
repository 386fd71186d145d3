#include "validate/estimate_interval.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "study/evaluate.hpp"

namespace fathom::validate {

std::optional<EstimateInterval> estimate_interval(const study::Scenario& scenario, int count) {
  constexpr std::uint64_t kSeed = 1;
  std::vector<double> latency;
  std::vector<double> per_device;
  const Setup setup{scenario};
  Variations variations{setup};
  std::optional<study::Answer> answer;
  for (const Draw& draw : draws(count, kSeed)) {
    auto& drawn = std::get<study::Scenario>(variations.at(draw, {}));
    if (answer) {
      study::evaluate_again(drawn, *answer);
    } else {
      answer = study::evaluate(drawn);
    }
    const auto* estimate = std::get_if<infer::InferEstimate>(&answer->outcome);
    if (estimate == nullptr) return std::nullopt;
    latency.push_back(estimate->latency.value);
    per_device.push_back(estimate->per_device.value);
  }
  return EstimateInterval{interval_of(std::move(latency)), interval_of(std::move(per_device)),
                          count};
}

std::string describe(const EstimateInterval& interval, bool decode) {
  return lang::say(
      "p10 to p90 for the errors of kernel times: {} {} to {}, {} to {} tokens/s per device. "
      "Efficiencies taken from another device count with the error that such transfers have; load, "
      "batch and software are as given.",
      decode ? "TPOT" : "TTFT", format_seconds(Seconds{interval.latency_s.p10}),
      format_seconds(Seconds{interval.latency_s.p90}),
      format_significant(interval.per_device.p10, 4),
      format_significant(interval.per_device.p90, 4));
}

report::LanePlot interval_plot(const EstimateInterval& interval,
                               const infer::InferEstimate& estimate) {
  const bool decode = estimate.phase == model::Phase::decode;
  report::LanePlot plot{
      .title = lang::say("Between p10 and p90 the {} is {} to {}", decode ? "TPOT" : "TTFT",
                         format_seconds(Seconds{interval.latency_s.p10}),
                         format_seconds(Seconds{interval.latency_s.p90})),
      .x = {.label = "of the estimate", .unit = "%"},
      .lane_label = "figure",
      .lanes = {decode ? "TPOT" : "TTFT", "tokens/s per GPU"},
      .groups = {"p10 to p90"},
      .references = {{report::ReferenceKind::vertical, 100.0, "estimate"}}};
  const auto bar = [&](std::size_t lane, const Interval& i, double figure) {
    plot.bars.push_back({.lane = lane,
                         .start = 100.0 * i.p10 / figure,
                         .length = 100.0 * (i.p90 - i.p10) / figure,
                         .facts = {{"estimate", format_significant(figure, 4)},
                                   {"p10", format_significant(i.p10, 4)},
                                   {"p90", format_significant(i.p90, 4)}}});
  };
  bar(0, interval.latency_s, estimate.latency.value);
  bar(1, interval.per_device, estimate.per_device.value);
  return plot;
}

nlohmann::json to_json(const EstimateInterval& interval, bool decode) {
  const auto pair = [](const Interval& i) -> nlohmann::json {
    return {{"p10", i.p10}, {"p90", i.p90}};
  };
  return {{decode ? "tpot_s" : "ttft_s", pair(interval.latency_s)},
          {"tokens_per_s_per_device", pair(interval.per_device)},
          {"draws", interval.draws}};
}

}  // namespace fathom::validate
