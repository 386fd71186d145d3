#include "study/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/si_format.hpp"
#include "study/kernel_error.hpp"
#include "study/plan_odds.hpp"
#include "study/plan_pairs.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kP90 = 1.2815515655446004;  // of the standard normal distribution

// An input and how it moves. `by` is -1 or +1 times the step, or the normal quantile of a band.
struct Input {
  std::string name;
  bool band = false;  // a kernel family
  std::function<void(PlanRequest&, double by)> move;
};

template <class Change>
Input of_machines(std::string name, const Change& change) {
  return {std::move(name), false, [change](PlanRequest& r, double by) {
            for (hw::Cluster& cluster : r.hardware) change(cluster, 1.0 + by);
          }};
}

void scale_lengths(LengthMix& mix, double prompts, double outputs) {
  mix.input_tokens *= prompts;
  mix.output_tokens *= outputs;
}

void add_traffic(const PlanRequest& r, std::vector<Input>& out) {
  out.push_back({"traffic", false, [](PlanRequest& q, double by) {
                   q.traffic.requests_per_s *= 1.0 + by;
                   q.traffic.concurrency *= 1.0 + by;
                 }});
  out.push_back({"prompt length", false, [](PlanRequest& q, double by) {
                   q.traffic.input_tokens = std::max(1.0, q.traffic.input_tokens * (1.0 + by));
                   if (q.traffic.mix) scale_lengths(*q.traffic.mix, 1.0 + by, 1.0);
                 }});
  out.push_back({"output length", false, [](PlanRequest& q, double by) {
                   q.traffic.output_tokens = std::max(1.0, q.traffic.output_tokens * (1.0 + by));
                   if (q.traffic.mix) scale_lengths(*q.traffic.mix, 1.0, 1.0 + by);
                 }});
  if (r.traffic.queueing) {
    out.push_back({"burstiness of arrivals", false,
                   [](PlanRequest& q, double by) { q.traffic.arrival_scv *= 1.0 + by; }});
  }
  if (r.traffic.prefix_hit > 0.0) {
    out.push_back({"prefix hits", false, [](PlanRequest& q, double by) {
                     q.traffic.prefix_hit = std::min(1.0, q.traffic.prefix_hit * (1.0 + by));
                   }});
  }
  if (r.acceptance > 0.0) {
    out.push_back({"accepted drafts", false, [](PlanRequest& q, double by) {
                     q.acceptance = std::min(1.0, q.acceptance * (1.0 + by));
                   }});
  }
  if (!r.load_source && r.search.max_instance_devices > 1) {
    out.push_back({"expert load", false, [](PlanRequest& q, double by) {
                     q.expert_load = std::max(1.0, q.expert_load * (1.0 + by));
                   }});
  }
  out.push_back({"price", false, [](PlanRequest& q, double by) {
                   for (const hw::Cluster& cluster : q.hardware) {
                     const auto price = device_price(q, cluster);
                     if (price) q.price_override[cluster.id] = *price * (1.0 + by);
                   }
                 }});
}

void add_machine(std::vector<Input>& out) {
  out.push_back(of_machines("memory bandwidth", [](hw::Cluster& c, double factor) {
    c.device.memory_bandwidth *= factor;
  }));
  out.push_back(of_machines("peak FLOP/s", [](hw::Cluster& c, double factor) {
    for (FlopsPerSecond& peak : c.device.peak) peak *= factor;
  }));
  out.push_back(of_machines("memory size", [](hw::Cluster& c, double factor) {
    c.device.memory_capacity *= factor;
    c.device.memory_usable *= factor;
  }));
  const auto faster = [](hw::LinkTier& tier, double factor) {
    tier.bandwidth *= factor;
    tier.peer_bandwidth *= factor;
  };
  out.push_back(of_machines("scale-up bandwidth", [faster](hw::Cluster& c, double factor) {
    faster(c.tiers.front(), factor);
  }));
  out.push_back(of_machines("scale-out bandwidth", [faster](hw::Cluster& c, double factor) {
    if (c.tiers.size() > 1) faster(c.tiers.back(), factor);
  }));
}

void add_bands(std::vector<Input>& out) {
  constexpr std::array<std::pair<Cause, const char*>, 5> kFamilies{
      {{Cause::gemm, "time of GEMMs"},
       {Cause::grouped_gemm, "time of expert GEMMs"},
       {Cause::attention_core, "time of attention"},
       {Cause::elementwise, "time of small kernels"},
       {Cause::communication, "time of communication"}}};
  for (const auto& family : kFamilies) {
    const Cause cause = family.first;
    out.push_back({family.second, true, [cause](PlanRequest& r, double z) {
                     Draw draw{};
                     draw[static_cast<std::size_t>(cause)] = z;
                     // all-to-all kernels hold SMs while they communicate
                     if (cause == Cause::communication) {
                       draw[static_cast<std::size_t>(Cause::all_to_all_sm)] = z;
                     }
                     for (hw::Cluster& cluster : r.hardware) vary(cluster, draw);
                   }});
  }
}

std::vector<std::int64_t> both(std::int64_t a, std::int64_t b) {
  const std::set<std::int64_t> values{a, b};
  return {values.begin(), values.end()};
}

// The question that only the layouts of one cluster answer.
PlanRequest narrowed(const PlanRequest& request, const ClusterPlan& plan) {
  PlanRequest out = request;
  out.hardware = {request.hardware[plan.hardware]};
  if (plan.prefill_hardware != plan.hardware) {
    out.hardware.push_back(request.hardware[plan.prefill_hardware]);
  }
  const mapping::Plan& p = plan.prefill.plan;
  const mapping::Plan& d = plan.decode.plan;
  SearchSpace& s = out.search;
  s.tp = both(p.tp, d.tp);
  s.pp = both(p.pp, d.pp);
  s.dp = both(p.dp, d.dp);
  s.cp = both(p.cp, d.cp);
  s.ep = both(p.ep, d.ep);
  s.redundant_experts = both(p.redundant_experts, d.redundant_experts);
  s.aggregated = plan.serving == Serving::aggregated;
  s.disaggregated = !s.aggregated;
  return out;
}

// The multiple of the request's traffic that the same cluster serves; 0: it does not fit.
double headroom_of(const PlanRequest& question, const ClusterPlan& plan, const Machines& machines) {
  const PlanRequest request = in_precision_of(question, plan.decode);
  const auto prefill = prefill_again(request, request.hardware[machines.prefill], plan.prefill);
  const auto decode = decode_again(request, request.hardware[machines.decode], plan.decode);
  if (!prefill || !decode) return 0.0;
  ClusterPlan moved = plan;
  moved.prefill = *prefill;
  moved.decode = *decode;
  if (plan.serving == Serving::disaggregated) {
    moved.size.kv_transfer = kv_transfer_time(request, machines);
  }
  return headroom(demand_of(request), fleet_of(moved));
}

std::optional<double> usd_per_hour(const PlanRequest& request, const ClusterPlan& plan,
                                   const Machines& machines) {
  const auto prefill_price = device_price(request, request.hardware[machines.prefill]);
  const auto decode_price = device_price(request, request.hardware[machines.decode]);
  if (!prefill_price || !decode_price) return std::nullopt;
  const double prefills = static_cast<double>(plan.size.prefill_instances) *
                          static_cast<double>(mapping::devices(plan.prefill.plan));
  return prefills * *prefill_price + (static_cast<double>(plan.devices) - prefills) * *decode_price;
}

Moved answer(const PlanRequest& request, const ClusterPlan& plan,
             const SensitivityOptions& options) {
  const PlanResult result = search_plans(request, {.threads = options.threads});
  Moved out;
  if (const ClusterPlan* small = smallest_cluster(result)) out.devices = small->devices;
  if (const ClusterPlan* cheap = cheapest_cluster(result)) {
    out.usd_per_million = cheap->cost->usd_per_million_blended;
  }
  const bool pair = plan.prefill_hardware != plan.hardware;
  const Machines machines = options.replan ? Machines{plan.prefill_hardware, plan.hardware}
                                           : Machines{pair ? 1U : 0U, 0U};
  const double multiple = headroom_of(request, plan, machines);
  if (multiple <= 0.0) return out;
  out.load_devices = static_cast<double>(plan.devices) / multiple;
  const Traffic& t = request.traffic;
  if (const auto usd = usd_per_hour(request, plan, machines); usd && t.requests_per_s > 0.0) {
    constexpr double kSecondsPerHour = 3600.0;
    const double tokens = t.requests_per_s * (t.input_tokens + t.output_tokens);
    out.load_usd_per_million = 1e6 * *usd / multiple / kSecondsPerHour / tokens;
  }
  return out;
}

double change(double from, double to) { return std::abs(std::log(to / from)); }

double change(const std::optional<double>& from, const std::optional<double>& to) {
  return from && to ? change(*from, *to) : 0.0;
}

double swing(const Moved& base, const Moved& moved) {
  if (moved.devices == 0) return kInfinity;
  return std::max(change(static_cast<double>(base.devices), static_cast<double>(moved.devices)),
                  change(base.usd_per_million, moved.usd_per_million));
}

double load_swing(const Moved& base, const Moved& moved) {
  if (moved.load_devices <= 0.0 || base.load_devices <= 0.0) return 0.0;
  return std::max(change(base.load_devices, moved.load_devices),
                  change(base.load_usd_per_million, moved.load_usd_per_million));
}

std::string step_text(double by) {
  return fmt::format("{}{}", by < 0.0 ? "-" : "+", format_percent(std::abs(by)));
}

json moved_json(const Moved& m) {
  if (m.devices == 0) return nullptr;
  const auto value = [](const std::optional<double>& x) { return x ? json(*x) : json(nullptr); };
  return {{"devices", m.devices},
          {"usd_per_million_blended_tokens", value(m.usd_per_million)},
          {"devices_at_full_load", m.load_devices > 0.0 ? json(m.load_devices) : json(nullptr)},
          {"usd_per_million_blended_tokens_at_full_load", value(m.load_usd_per_million)}};
}

}  // namespace

std::optional<Sensitivity> sensitivity_of(const PlanResult& result,
                                          const SensitivityOptions& options) {
  const ClusterPlan* best = smallest_cluster(result);
  if (best == nullptr) return std::nullopt;
  const PlanRequest request = options.replan ? result.request : narrowed(result.request, *best);
  std::vector<Input> inputs;
  add_traffic(request, inputs);
  add_machine(inputs);
  add_bands(inputs);
  Sensitivity out{.options = options, .base = answer(request, *best, options)};
  for (const Input& input : inputs) {
    const double by = input.band ? kP90 : options.step;
    const auto moved = [&](double amount) {
      PlanRequest question = request;
      input.move(question, amount);
      return answer(question, *best, options);
    };
    SensitivityRow row{.input = input.name,
                       .low_text = input.band ? "p10" : step_text(-by),
                       .high_text = input.band ? "p90" : step_text(by),
                       .low = moved(-by),
                       .high = moved(by)};
    row.swing = std::max(swing(out.base, row.low), swing(out.base, row.high));
    row.load_swing = std::max(load_swing(out.base, row.low), load_swing(out.base, row.high));
    out.rows.push_back(std::move(row));
    if (options.progress) {
      options.progress(static_cast<double>(out.rows.size()) / static_cast<double>(inputs.size()));
    }
  }
  std::ranges::stable_sort(out.rows, [](const SensitivityRow& a, const SensitivityRow& b) {
    if (a.swing != b.swing) return a.swing > b.swing;
    return a.load_swing > b.load_swing;
  });
  return out;
}

json to_json(const Sensitivity& s) {
  json rows = json::array();
  for (const SensitivityRow& r : s.rows) {
    rows.push_back({{"input", r.input},
                    {"low", r.low_text},
                    {"high", r.high_text},
                    {"at_low", moved_json(r.low)},
                    {"at_high", moved_json(r.high)},
                    {"swing", std::isfinite(r.swing) ? json(r.swing) : json(nullptr)}});
  }
  return {{"step", s.options.step},
          {"replan", s.options.replan},
          {"base", moved_json(s.base)},
          {"rows", std::move(rows)}};
}

}  // namespace fathom::study
