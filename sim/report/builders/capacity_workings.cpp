#include "report/builders/capacity_workings.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/estimate_workings.hpp"
#include "study/plan_goals.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::ClusterPlan;
using study::Demand;
using study::PhasePoint;
using study::PlanRequest;
using study::Serving;
using study::Sizing;

constexpr std::string_view kDecode = "how-decode";
constexpr double kSameNumber = 1e-9;  // relative; a quotient of two kept numbers, rounded

// More digits than a figure has, so that the numbers put in reproduce it.
std::string number(double value) { return fmt::format("{:.5g}", value); }
std::string time(Seconds value) { return format_seconds(value); }

bool apart(const ClusterPlan& p) { return p.serving == Serving::disaggregated; }

/// One cluster and the demand that it was sized for.
struct Sized {
  const PlanRequest& request;
  const ClusterPlan& plan;
  Demand demand = study::demand_of(request);

  const Sizing& size() const { return plan.size; }
  double tokens() const { return request.traffic.input_tokens + request.traffic.output_tokens; }
  // Before anybody waits; queueing only ever adds instances to it.
  std::optional<Sizing> without_wait() const {
    const Demand calm = study::without_queues(demand);
    return apart(plan)
               ? study::size_disaggregated(calm, plan.prefill, plan.decode, plan.size.kv_transfer)
               : study::size_aggregated(calm, plan.prefill, plan.decode);
  }
};

using Lines = std::vector<WorkingLine>;

// The rate that instances are counted for, where it is not simply the one asked for.
void add_rate(const Sized& c, Lines& lines) {
  const study::Traffic& t = c.request.traffic;
  const std::string rate = number(c.size().requests_per_s);
  if (t.concurrency > 0.0) {
    lines.push_back(
        {"rate", "concurrent requests / (TTFT + output tokens × TPOT), by Little's law"});
    lines.push_back({"rate, numbers put in",
                     say("{} / ({} + {} × {}) = {} requests/s", number(t.concurrency),
                         time(c.size().ttft), number(t.output_tokens), time(c.size().tpot), rate)});
  } else if (t.peak_factor != 1.0) {
    lines.push_back({"rate", say("{} × {} at the peak = {} requests/s", number(t.requests_per_s),
                                 number(t.peak_factor), rate)});
  }
}

std::string rounded_up(const std::string& quotient, double value, std::int64_t instances) {
  return say("{} = {}, rounded up: {}", quotient, number(value), instances);
}

// What one aggregated instance serves at most: its time, or its latencies at that rate.
void add_instance_capacity(const Sized& c, const Sizing& calm, Lines& lines) {
  Demand full = study::without_queues(c.demand);
  full.concurrency = 0.0;
  // just below: an instance that is busy all the time has no latency
  full.requests_per_s = calm.requests_per_s_supported * (1.0 - kSameNumber);
  study::Fleet fleet = study::fleet_of(c.plan);
  fleet.decode_instances = calm.decode_instances;
  const Sizing there = study::deliver(full, fleet);
  const auto n = static_cast<double>(calm.decode_instances);
  const double each = calm.requests_per_s_supported / n;
  if (there.decode_utilisation >= c.demand.utilisation * (1.0 - 2.0 * kSameNumber)) {
    lines.push_back({"of one instance",
                     "highest share of time it may be busy / (time for a prompt + for an answer)"});
    lines.push_back({"of one instance, numbers put in",
                     say("{} / ({} + {}) = {} requests/s", format_percent(c.demand.utilisation),
                         time(Seconds{1.0 / c.plan.prefill.requests_per_s}),
                         time(Seconds{1.0 / c.plan.decode.requests_per_s}), number(each))});
  } else {
    lines.push_back(
        {"of one instance",
         say("{} requests/s: with more, prompts take so much of its time that a latency "
             "target is missed",
             number(each))});
  }
  double load = c.demand.requests_per_s;
  double holds = each;
  if (c.demand.concurrency > 0.0) {
    load = c.demand.concurrency;
    holds = each * (there.ttft + c.demand.output_tokens * there.tpot).value;
    lines.push_back(
        {"held by one instance",
         say("{} × ({} + {} × {}) = {} requests, at the latencies of that rate", number(each),
             time(there.ttft), number(c.demand.output_tokens), time(there.tpot), number(holds))});
  }
  lines.push_back({"instances", rounded_up(fmt::format("{} / {}", number(load), number(holds)),
                                           load / holds, calm.decode_instances)});
}

void add_phase_instances(const Sized& c, std::string_view what, const PhasePoint& point,
                         std::int64_t instances, Lines& lines) {
  const double rate = c.size().requests_per_s;
  lines.push_back(
      {std::string(what),
       rounded_up(fmt::format("{} / ({} × {})", number(rate), number(point.requests_per_s),
                              format_percent(c.demand.utilisation)),
                  rate / (point.requests_per_s * c.demand.utilisation), instances)});
}

void add_instances(const Sized& c, Lines& lines) {
  const auto calm = c.without_wait();
  if (!calm) return;
  const bool separate = apart(c.plan);
  if (separate) {
    lines.push_back({"instances",
                     "rate / (requests/s of one with nothing else to do × highest share of time it "
                     "may be busy)"});
    add_phase_instances(c, "prefill instances", c.plan.prefill, calm->prefill_instances, lines);
    add_phase_instances(c, "decode instances", c.plan.decode, calm->decode_instances, lines);
  } else {
    add_instance_capacity(c, *calm, lines);
  }
  const std::int64_t waiting = separate ? c.size().prefill_instances : c.size().decode_instances;
  const std::int64_t before = separate ? calm->prefill_instances : calm->decode_instances;
  if (waiting > before) {
    lines.push_back({"for the wait", say("{} instead of {}: the fewest with which mean latencies "
                                         "and percentiles hold while prompts queue",
                                         waiting, before)});
  }
}

Working devices(const Sized& c) {
  const std::int64_t prefill = mapping::devices(c.plan.prefill.plan);
  const std::int64_t decode = mapping::devices(c.plan.decode.plan);
  const Sizing& s = c.size();
  const std::int64_t prefills = apart(c.plan) ? s.prefill_instances * prefill : 0;
  const std::int64_t spare = c.plan.devices - prefills - s.decode_instances * decode;
  std::string formula = apart(c.plan) ? "prefill instances × GPUs of one + decode instances × GPUs "
                                        "of one"
                                      : "instances × GPUs of one";
  std::string sum = fmt::format("{} × {}", s.decode_instances, decode);
  if (apart(c.plan)) sum = fmt::format("{} × {} + {}", s.prefill_instances, prefill, sum);
  if (spare > 0) {
    formula = say("{} + GPUs of spare nodes", formula);
    sum = fmt::format("{} + {}", sum, spare);
  }
  Working out{anchor(ClusterFigure::devices),
              "smallest cluster",
              {{"formula", formula}, {"numbers put in", say("{} = {} GPUs", sum, c.plan.devices)}}};
  add_rate(c, out.lines);
  add_instances(c, out.lines);
  if (!c.plan.granularity.empty()) out.lines.push_back({"why not fewer", c.plan.granularity});
  return out;
}

void add_share_of_prompts(const Sized& c, Lines& lines) {
  lines.push_back({"share of prompts", "rate / instances × time for a prompt"});
  lines.push_back(
      {"share of prompts, numbers put in",
       fmt::format("{} / {} × {} = {}", number(c.size().requests_per_s), c.size().decode_instances,
                   time(Seconds{1.0 / c.plan.prefill.requests_per_s}),
                   number(c.size().prefill_utilisation))});
}

// A queue nobody ever stands in has a wait of picoseconds.
std::string slot_text(Seconds wait) {
  constexpr Seconds kNoWait{1e-6};
  if (wait < kNoWait) return "the wait for a decode slot, less than a microsecond on average";
  return say("the wait for a decode slot, {} on average: it delays the second token", time(wait));
}

void add_wait(const Sized& c, Lines& lines) {
  if (!c.demand.queueing) {
    lines.push_back({"not in it",
                     "the wait for a free instance: a percentile target or `\"queueing\": true` in "
                     "traffic counts it"});
    return;
  }
  const study::Wait& wait = c.size().wait;
  lines.push_back({"wait", say("{} of the prompts wait; {} on average over all of them, on top of "
                               "the rest",
                               format_percent(wait.probability), time(wait.mean))});
  lines.push_back(
      {"not in it", slot_text(study::slot_wait(c.demand, study::fleet_of(c.plan)).mean)});
}

Lines aggregated_ttft(const Sized& c) {
  const Sizing& s = c.size();
  const Seconds step = c.plan.decode.estimate.step.cycle;
  const Seconds prefill = c.plan.prefill.estimate.latency;
  if (c.demand.queueing) {
    return {{"formula", "decode step under way + prefill + wait"},
            {"numbers put in", fmt::format("{} + {} + {} = {}", time(step), time(prefill),
                                           time(s.wait.mean), time(s.ttft))}};
  }
  Lines out{{"formula", "decode step under way + prefill / (1 − share of time that prompts take)"},
            {"numbers put in", fmt::format("{} + {} / (1 − {}) = {}", time(step), time(prefill),
                                           number(s.prefill_utilisation), time(s.ttft))}};
  add_share_of_prompts(c, out);
  return out;
}

Lines disaggregated_ttft(const Sized& c) {
  const Sizing& s = c.size();
  const Seconds prefill = c.plan.prefill.estimate.latency;
  const Seconds under_way = study::prefill_wait(c.plan.prefill) - prefill;
  std::string sum =
      fmt::format("{} + {} + {}", time(under_way), time(prefill), time(s.kv_transfer));
  if (c.demand.queueing) sum = fmt::format("{} + {}", sum, time(s.wait.mean));
  return {{"formula", c.demand.queueing
                          ? "half a prefill step under way + prefill + transfer of the KV cache + "
                            "wait"
                          : "half a prefill step under way + prefill + transfer of the KV cache"},
          {"numbers put in", fmt::format("{} = {}", sum, time(s.ttft))},
          {"transfer",
           "the prompt's cache from one device to another over the link between nodes, after the "
           "prompt is done"}};
}

Working ttft(const Sized& c) {
  Working out{anchor(ClusterFigure::ttft), "TTFT",
              apart(c.plan) ? disaggregated_ttft(c) : aggregated_ttft(c)};
  out.lines.push_back(
      {"prefill", say("prompts in a step: {} of {} tokens, all their chunks",
                      number(c.plan.prefill.batch), number(c.request.traffic.input_tokens))});
  add_wait(c, out.lines);
  return out;
}

Working tpot(const Sized& c, bool step_shown) {
  const Sizing& s = c.size();
  const Seconds alone = c.plan.decode.estimate.latency;
  Working out{anchor(ClusterFigure::tpot), "TPOT", {}};
  if (apart(c.plan)) {
    out.lines = {{"formula",
                  "time between two steps' ends of a decoding instance, which does nothing else / "
                  "tokens per step and sequence"},
                 {"numbers put in",
                  fmt::format("{} / {} = {}", time(c.plan.decode.estimate.step.cycle),
                              number(c.plan.decode.estimate.accepted_tokens), time(s.tpot))}};
  } else {
    out.lines = {
        {"formula", "TPOT of one decoding instance / (1 − share of time that prompts take)"},
        {"numbers put in", fmt::format("{} / (1 − {}) = {}", time(alone),
                                       number(s.prefill_utilisation), time(s.tpot))}};
    add_share_of_prompts(c, out.lines);
  }
  out.lines.push_back({"decode step",
                       step_shown
                           ? "see its own working, and those of its operators"
                           : "without a working: the search looked at it with slower kernels or a "
                             "sampled load",
                       step_shown ? anchor(FigureAnchor::latency, kDecode) : ""});
  return out;
}

Working output(const Sized& c) {
  return {anchor(ClusterFigure::output),
          "output",
          {{"formula", "requests/s × output tokens / GPUs"},
           {"numbers put in", say("{} × {} / {} = {} tokens/s/GPU", number(c.size().requests_per_s),
                                  number(c.request.traffic.output_tokens), c.plan.devices,
                                  number(c.plan.output_tokens_per_s_per_device))}}};
}

// Each phase's devices at its machine's price; spare nodes are what is left of the whole.
std::string hourly_cost(const Sized& c) {
  const ClusterPlan& p = c.plan;
  const auto price = [&](std::size_t machine) {
    return study::device_price(c.request, c.request.hardware[machine]).value_or(0.0);
  };
  const double usd = p.cost->usd_per_hour;
  if (p.hardware == p.prefill_hardware)
    return fmt::format("{} × {} = {}", p.devices, number(price(p.hardware)), number(usd));
  const std::int64_t prefills = p.size.prefill_instances * mapping::devices(p.prefill.plan);
  const std::int64_t decodes = p.size.decode_instances * mapping::devices(p.decode.plan);
  const double spare = usd - static_cast<double>(prefills) * price(p.prefill_hardware) -
                       static_cast<double>(decodes) * price(p.hardware);
  std::string sum = fmt::format("{} × {} + {} × {}", prefills, number(price(p.prefill_hardware)),
                                decodes, number(price(p.hardware)));
  if (spare > kSameNumber * usd) sum = fmt::format("{} + {}", sum, number(spare));
  return fmt::format("{} = {}", sum, number(usd));
}

Working cost(const Sized& c) {
  const study::Traffic& t = c.request.traffic;
  const double mean_rate = c.size().requests_per_s / t.peak_factor;
  Working out{anchor(ClusterFigure::cost),
              "cheapest cluster",
              {{"formula",
                "USD per hour / (3600 s × mean requests/s × (input + output tokens)) × a million"},
               {"numbers put in",
                say("{} / (3600 × {} × ({} + {})) × 1000000 = {} USD",
                    number(c.plan.cost->usd_per_hour), number(mean_rate), number(t.input_tokens),
                    number(t.output_tokens), number(c.plan.cost->usd_per_million_blended))},
               {"USD per hour", c.plan.hardware == c.plan.prefill_hardware
                                    ? "GPUs × price of one"
                                    : "GPUs of each machine × its price, spare nodes last"},
               {"USD per hour, numbers put in", hourly_cost(c)}}};
  if (t.peak_factor != 1.0) {
    out.lines.push_back(
        {"mean requests/s", say("{} served at the peak / {} = {}", number(c.size().requests_per_s),
                                number(t.peak_factor), number(mean_rate))});
  }
  return out;
}

Working speed(const Sized& c) {
  return {anchor(ClusterFigure::speed),
          "fastest cluster",
          {{"formula", "1 / TPOT of that cluster"},
           {"numbers put in", say("1 / {} = {} tokens/s/user", time(c.size().tpot),
                                  number(c.plan.tokens_per_s_per_user))}}};
}

// The working of one step has figures of the same names as the cluster's.
void add_step(const DecodeInstance& instance, std::vector<Working>& items) {
  const std::vector<study::OperatorRow> rows = study::operator_rows(instance.answer);
  Workings step = estimate_workings(instance.answer, rows, decode_anchors(rows), kDecode);
  const std::size_t figures = step.items.size() - rows.size();
  for (std::size_t i = 0; i < figures; ++i)
    step.items[i].name = say("one decoding instance: {}", step.items[i].name);
  std::ranges::move(step.items, std::back_inserter(items));
}

}  // namespace

std::string anchor(ClusterFigure figure) {
  constexpr std::array<std::string_view, 6> names{"devices", "ttft", "tpot",
                                                  "output",  "cost", "speed"};
  return fmt::format("how-cluster-{}", names[static_cast<std::size_t>(figure)]);
}

std::vector<std::string> decode_anchors(const std::vector<study::OperatorRow>& rows) {
  return operator_anchors(rows, kDecode);
}

Workings capacity_workings(const study::PlanResult& result,
                           const std::optional<DecodeInstance>& instance) {
  const PlanRequest& r = result.request;
  const Sized small{r, *study::smallest_cluster(result)};
  Workings out{.summary = "How each number came about"};
  out.items = {devices(small), ttft(small), tpot(small, instance.has_value()), output(small)};
  if (const ClusterPlan* cheap = study::cheapest_cluster(result))
    out.items.push_back(cost({r, *cheap}));
  if (const ClusterPlan* fast = study::fastest_cluster(result))
    out.items.push_back(speed({r, *fast}));
  if (instance) add_step(*instance, out.items);
  return out;
}

}  // namespace fathom::report
