#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "lang/say.hpp"
#include "report/builders/capacity_tables.hpp"

namespace fathom::report {
namespace {

using lang::say;

constexpr double kGiB = 1073741824.0;

}  // namespace

Plot front_plot(const study::PlanResult& result) {
  Plot plot{.x = {.label = "speed a user sees", .unit = "tokens/s"},
            .y = {.label = "decode throughput per device", .unit = "tokens/s"},
            .note =
                "Decode instances alone, up to the search's largest instance; every point is a "
                "plan and a batch that no other one beats in both directions."};
  for (const study::HardwareResult& h : result.hardware) {
    Series series{.name = result.request.hardware[h.hardware].id};
    for (const study::PhasePoint& p : h.front) {
      series.xs.push_back(p.estimate.per_user.value);
      series.ys.push_back(p.estimate.per_device.value);
    }
    // the corners: fastest for a user, most for the machine, and the best product of both
    series.labels.assign(h.front.size(), "");
    const auto label = [&](std::size_t i) {
      series.labels[i] = say("{}, {:g}/replica", decode_plan_text(h.front[i]),
                             h.front[i].batch / static_cast<double>(h.front[i].plan.dp));
    };
    std::size_t knee = 0;
    for (std::size_t i = 0; i < h.front.size(); ++i) {
      if (series.xs[i] * series.ys[i] > series.xs[knee] * series.ys[knee]) knee = i;
    }
    for (const std::size_t i : {std::size_t{0}, knee, h.front.size() - 1}) {
      if (!h.front.empty()) label(i);
    }
    plot.series.push_back(std::move(series));
  }
  plot.title = "Faster answers cost throughput";
  if (const auto tpot = study::tpot_limit(result.request.targets)) {
    plot.references.push_back({ReferenceKind::vertical, 1.0 / tpot->value, "TPOT target"});
  }
  return plot;
}

Plot memory_plot(const std::vector<NamedPlan>& plans) {
  Plot plot{.title = "Memory of the fullest rank",
            .y = {.label = "memory", .unit = "GiB", .min = 0.0},
            .stacked = true};
  std::array<Series, 4> parts{Series{.name = "weights"}, Series{.name = "KV cache"},
                              Series{.name = "activations"}, Series{.name = "buffers"}};
  double x = 0.0;
  std::map<double, std::string> limits;
  for (const Rank& rank : ranks(plans)) {
    const mapping::MemoryFootprint& m = *rank.memory;
    plot.x.categories.push_back(rank.name);
    const std::array<Bytes, 4> bytes{m.weights, m.kv(), m.activations, m.buffers};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i].kind = SeriesKind::bars;
      parts[i].xs.push_back(x);
      parts[i].ys.push_back(bytes[i].value / kGiB);
    }
    x += 1.0;
    limits.emplace(m.available.value / kGiB, say("usable on {}", rank.hardware));
  }
  plot.series.assign(parts.begin(), parts.end());
  for (const auto& [gib, label] : limits) {
    plot.references.push_back({ReferenceKind::horizontal, gib, label});
  }
  return plot;
}

}  // namespace fathom::report
