// Why the cluster is not smaller: how far each batch could grow, and what one instance fewer means.
#include <fmt/format.h>

#include <algorithm>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "study/plan_cluster.hpp"

namespace fathom::study {
namespace {

using lang::say;
using Kind = Limit::Kind;

// Where growth is given up: further batches change the throughput by a hair.
constexpr double kMostSequences = 16384.0;
constexpr double kMostPromptTokens = 65536.0;

double per_replica(const PhasePoint& p) { return p.batch / static_cast<double>(p.plan.dp); }

// The walk over larger batches of one phase of one cluster.
struct Walk {
  Limit limit;
  double best_capacity = 0.0;   // requests/s of one instance, this phase alone
  double best_supported = 0.0;  // of the whole cluster, aggregated only
};

class Grower {
 public:
  Grower(const PlanRequest& request, const ClusterPlan& cluster)
      : request_(request), cluster_(cluster), demand_(demand_of(request)) {}

  Walk decode() {
    infer::StepModel model =
        step_model(request_, request_.hardware[cluster_.hardware], cluster_.decode.plan);
    PhasePoint point = cluster_.decode;
    Walk out = start(point);
    while (per_replica(point) < kMostSequences) {
      const double next = next_batch(per_replica(point));
      point.batch = next * static_cast<double>(point.plan.dp);
      const auto outcome =
          infer::decode(model, decode_query(request_, point.batch, point.draft_tokens));
      if (out_of_memory(outcome, model, cluster_.prefill, point, out.limit)) return out;
      point.estimate = std::get<infer::InferEstimate>(outcome);
      point.requests_per_s = rate_of(point, request_.traffic.output_tokens);
      const Seconds tpot = point.estimate.latency * stretch();
      if (tpot > demand_.tpot) {
        out.limit.kind = Kind::tpot;
        out.limit.text =
            say("{:g} sequences per replica would take {} a token", next, format_seconds(tpot));
        return out;
      }
      if (const auto why = too_late(cluster_.prefill, point)) {
        out.limit.kind = Kind::queueing;
        out.limit.text = say("{:g} sequences per replica would miss {}", next, *why);
        return out;
      }
      accept(out, point, cluster_.prefill, point);
    }
    out.limit.text = say("nothing up to {:g} sequences per replica", kMostSequences);
    return out;
  }

  Walk prefill() {
    infer::StepModel model =
        step_model(request_, request_.hardware[cluster_.prefill_hardware], cluster_.prefill.plan);
    const double fresh = request_.traffic.input_tokens - cached_tokens(request_.traffic);
    PhasePoint point = cluster_.prefill;
    Walk out = start(point);
    const double chunk = point.chunk_tokens > 0.0 ? point.chunk_tokens : fresh;
    for (double next = next_batch(per_replica(point)); next * chunk <= kMostPromptTokens;
         next = next_batch(next)) {
      point.batch = next * static_cast<double>(point.plan.dp);
      const auto outcome =
          infer::prefill(model, prefill_query(request_, point.batch, point.chunk_tokens));
      if (out_of_memory(outcome, model, point, cluster_.decode, out.limit)) return out;
      point.estimate = std::get<infer::InferEstimate>(outcome);
      point.requests_per_s = rate_of(point, fresh);
      const Seconds ttft = ttft_with(point);
      if (ttft > demand_.ttft) {
        out.limit.kind = Kind::ttft;
        out.limit.text = say("{:g} prompts per replica and step would give a TTFT of {}", next,
                             format_seconds(ttft));
        return out;
      }
      if (const auto why = too_late(point, cluster_.decode)) {
        out.limit.kind = Kind::queueing;
        out.limit.text = say("{:g} prompts per replica and step would miss {}", next, *why);
        return out;
      }
      accept(out, point, point, cluster_.decode);
    }
    out.limit.text = "more prompts per step do not raise the throughput";
    return out;
  }

 private:
  bool together() const { return cluster_.serving == Serving::aggregated; }

  // Waiting for the other phase makes every latency of an aggregated instance longer.
  double stretch() const {
    return together() ? 1.0 / (1.0 - cluster_.size.prefill_utilisation) : 1.0;
  }

  Seconds ttft_with(const PhasePoint& prefill) const {
    if (!together()) {
      return prefill_wait(prefill) + cluster_.size.kv_transfer + cluster_.size.wait.mean;
    }
    return cluster_.decode.estimate.step.cycle + prefill.estimate.latency * stretch();
  }

  // The percentile that as many instances as now would miss.
  std::optional<std::string> too_late(const PhasePoint& prefill, const PhasePoint& decode) const {
    if (demand_.percentiles.empty()) return std::nullopt;
    const Sizing s = deliver(demand_, {.serving = cluster_.serving,
                                       .prefill = prefill,
                                       .decode = decode,
                                       .kv_transfer = cluster_.size.kv_transfer,
                                       .prefill_instances = cluster_.size.prefill_instances,
                                       .decode_instances = cluster_.size.decode_instances});
    for (std::size_t i = 0; i < s.percentiles.size(); ++i) {
      const LatencyPercentile& p = demand_.percentiles[i];
      if (s.percentiles[i].time <= p.time) continue;
      return say("{}: {} with as many instances", name(p), format_seconds(s.percentiles[i].time));
    }
    return std::nullopt;
  }

  static double rate_of(const PhasePoint& p, double tokens_per_request) {
    const auto devices = static_cast<double>(p.estimate.devices);
    return p.estimate.per_device.value * devices / tokens_per_request;
  }

  Walk start(const PhasePoint& point) const {
    Walk out;
    out.limit.batch = point.batch;
    out.best_capacity = point.requests_per_s;
    out.best_supported = cluster_.size.requests_per_s_supported;
    return out;
  }

  void accept(Walk& out, const PhasePoint& grown, const PhasePoint& prefill,
              const PhasePoint& decode) const {
    out.limit.batch = grown.batch;
    out.best_capacity = std::max(out.best_capacity, grown.requests_per_s);
    if (!together()) return;
    if (auto size = size_aggregated(demand_, prefill, decode)) {
      complete(demand_,
               {.prefill = prefill, .decode = decode, .decode_instances = size->decode_instances},
               *size);
      const double each =
          size->requests_per_s_supported / static_cast<double>(size->decode_instances);
      const auto instances = static_cast<double>(cluster_.size.decode_instances);
      out.best_supported = std::max(out.best_supported, each * instances);
    }
  }

  bool out_of_memory(const infer::InferOutcome& outcome, const infer::StepModel& model,
                     const PhasePoint& prefill, const PhasePoint& decode, Limit& limit) const {
    const auto* no = std::get_if<infer::Infeasible>(&outcome);
    if (no == nullptr && (!together() || shared_memory(request_, model, decode, prefill).fits())) {
      return false;
    }
    limit.kind = Kind::memory;
    limit.text =
        no != nullptr ? no->reason : "the next batch does not fit beside the other phase's cache";
    return true;
  }

  const PlanRequest& request_;
  const ClusterPlan& cluster_;
  Demand demand_;
};

// The instances of one phase.
struct Group {
  const char* what;
  std::int64_t instances;
  double utilisation;
  double supported;              // requests/s of all of them with the largest batches allowed
  std::optional<Binding> bound;  // what one fewer misses, if queueing was asked for
};

std::string one_fewer(const Group& g, double rate, double limit) {
  if (g.instances <= 1) {
    return say("1 {} instance, busy {} of the time (limit {})", g.what,
               format_percent(g.utilisation), format_percent(limit));
  }
  const auto n = static_cast<double>(g.instances);
  const double then = g.supported * (n - 1.0) / n;
  if (then >= rate) {
    return say("{} {} instances: one fewer would miss {}", g.instances, g.what,
               g.bound ? say("the {} target", name(*g.bound)) : "a latency target");
  }
  return say("{} {} instances: one fewer supports at most {} requests/s", g.instances, g.what,
             format_significant(then));
}

// What the targets say of the cluster with one instance fewer of the phase that waits.
std::optional<Binding> bound_of(const PlanRequest& request, const ClusterPlan& p) {
  const bool apart = p.serving == Serving::disaggregated;
  const Demand demand = demand_of(request);
  if (!demand.queueing) return std::nullopt;
  return missed(demand,
                deliver(demand, {.serving = p.serving,
                                 .prefill = p.prefill,
                                 .decode = p.decode,
                                 .kv_transfer = p.size.kv_transfer,
                                 .prefill_instances = p.size.prefill_instances - (apart ? 1 : 0),
                                 .decode_instances = p.size.decode_instances - (apart ? 0 : 1)}));
}

}  // namespace

void explain_limits(const PlanRequest& request, ClusterPlan& plan) {
  Grower grower(request, plan);
  const Walk decode = grower.decode();
  const Walk prefill = grower.prefill();
  plan.decode_limit = decode.limit;
  plan.prefill_limit = prefill.limit;
  const Sizing& s = plan.size;
  const double limit = request.utilisation;
  const auto bound = bound_of(request, plan);
  if (plan.serving == Serving::aggregated) {
    const double supported = std::max(decode.best_supported, prefill.best_supported);
    plan.granularity =
        one_fewer({"serving", s.decode_instances, s.decode_utilisation, supported, bound},
                  s.requests_per_s, limit);
    return;
  }
  const auto whole = [&](const Walk& g, std::int64_t n) {
    return g.best_capacity * static_cast<double>(n) * limit;
  };
  plan.granularity = say("{}; {}",
                         one_fewer({"prefill", s.prefill_instances, s.prefill_utilisation,
                                    whole(prefill, s.prefill_instances), bound},
                                   s.requests_per_s, limit),
                         one_fewer({"decode", s.decode_instances, s.decode_utilisation,
                                    whole(decode, s.decode_instances), std::nullopt},
                                   s.requests_per_s, limit));
}

}  // namespace fathom::study
