#include "study/plan_cluster.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "model/kv_cache.hpp"

namespace fathom::study {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ceil() that forgives the rounding of a quotient which is whole by construction.
std::int64_t instances_for(double load, double capacity) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(load / capacity * (1.0 - 1e-12))));
}

double devices_of(const PhasePoint& p) { return static_cast<double>(mapping::devices(p.plan)); }

// Instances of a node or more take whole nodes. Smaller ones share nodes; when their sizes divide a
// node, larger ones first, they leave no gaps.
std::int64_t nodes_of(const ClusterPlan& p, std::int64_t per_node) {
  const std::array<std::pair<std::int64_t, std::int64_t>, 2> groups{
      {{p.size.prefill_instances, mapping::devices(p.prefill.plan)},
       {p.size.decode_instances, mapping::devices(p.decode.plan)}}};
  std::int64_t nodes = 0;
  std::int64_t shared = 0;  // devices
  for (const auto& [instances, size] : groups) {
    if (size < per_node && per_node % size == 0) {
      shared += instances * size;
    } else if (size < per_node) {
      nodes += (instances + per_node / size - 1) / (per_node / size);
    } else {
      nodes += instances * ((size + per_node - 1) / per_node);
    }
  }
  return nodes + (shared + per_node - 1) / per_node;
}

// The rate r at which an aggregated instance holds `requests` in the system:
// r (t + a / (1 - r w)) = requests, where a = L + OSL tpot. The smaller root, without cancellation.
double rate_of_concurrency(double requests, Seconds step, Seconds work, double w) {
  const double b = work.value + step.value + requests * w;
  return 2.0 * requests / (b + std::sqrt(b * b - 4.0 * step.value * w * requests));
}

Cost cost_of(const PlanRequest& request, const ClusterPlan& p, double price) {
  const double seconds_per_hour = 3600.0;
  const Traffic& t = request.traffic;
  Cost c;
  c.usd_per_hour = static_cast<double>(p.devices) * price;
  const bool apart = p.serving == Serving::disaggregated;
  const double prefill_devices =
      static_cast<double>(p.size.prefill_instances) * devices_of(p.prefill);
  const double w = 1.0 / p.prefill.requests_per_s;
  const double v = 1.0 / p.decode.requests_per_s;
  c.input_share = apart ? prefill_devices / static_cast<double>(p.devices) : w / (w + v);
  const double per_request = c.usd_per_hour / seconds_per_hour / p.size.requests_per_s;
  c.usd_per_million_input = 1e6 * per_request * c.input_share / t.input_tokens;
  c.usd_per_million_output = 1e6 * per_request * (1.0 - c.input_share) / t.output_tokens;
  c.usd_per_million_blended = 1e6 * per_request / (t.input_tokens + t.output_tokens);
  return c;
}

auto size_key(const ClusterPlan& p) {
  return std::tuple(p.devices, p.target_use, -p.size.requests_per_s_supported, p.size.tpot.value,
                    p.size.ttft.value, p.hardware, p.serving);
}

}  // namespace

std::string_view name(Serving serving) {
  constexpr std::array<std::string_view, 2> names{"aggregated", "disaggregated"};
  return names[static_cast<std::size_t>(serving)];
}

std::string_view name(Limit::Kind kind) {
  constexpr std::array<std::string_view, 4> names{"memory", "TPOT", "TTFT", "load"};
  return names[static_cast<std::size_t>(kind)];
}

Demand demand_of(const PlanRequest& r) {
  return {.requests_per_s = r.traffic.requests_per_s,
          .concurrency = r.traffic.concurrency,
          .output_tokens = r.traffic.output_tokens,
          .ttft = r.targets.ttft.value_or(Seconds{kInfinity}),
          .tpot = r.targets.tpot.value_or(Seconds{kInfinity}),
          .utilisation = r.utilisation};
}

Seconds prefill_wait(const PhasePoint& p) {
  const Seconds busy{p.batch / p.requests_per_s};  // of one step, all chunks
  return busy / 2.0 + p.estimate.latency;
}

std::optional<Sizing> size_aggregated(const Demand& d, const PhasePoint& prefill,
                                      const PhasePoint& decode) {
  const Seconds step = decode.estimate.step.cycle;
  const Seconds first = prefill.estimate.latency;
  const Seconds tpot = decode.estimate.latency;
  const double w = 1.0 / prefill.requests_per_s;
  const double v = 1.0 / decode.requests_per_s;
  // the largest share of prompts that leaves both latencies within their targets
  const double share = std::min(1.0 - tpot / d.tpot, 1.0 - first / (d.ttft - step));
  if (d.ttft <= step || share <= 0.0) return std::nullopt;
  const double most = std::min(d.utilisation / (w + v), share / w);

  const Seconds work = first + d.output_tokens * tpot;
  const auto in_system = [&](double r) { return r * (step + work / (1.0 - r * w)).value; };
  Sizing s;
  double rate = 0.0;  // of one instance
  if (d.concurrency > 0.0) {
    s.decode_instances = instances_for(d.concurrency, in_system(most));
    const double each = d.concurrency / static_cast<double>(s.decode_instances);
    rate = rate_of_concurrency(each, step, work, w);
  } else {
    s.decode_instances = instances_for(d.requests_per_s, most);
    rate = d.requests_per_s / static_cast<double>(s.decode_instances);
  }
  const auto n = static_cast<double>(s.decode_instances);
  s.requests_per_s = rate * n;
  s.requests_per_s_supported = most * n;
  s.prefill_utilisation = rate * w;
  s.decode_utilisation = rate * (w + v);
  s.ttft = step + first / (1.0 - rate * w);
  s.tpot = tpot / (1.0 - rate * w);
  return s;
}

std::optional<Sizing> size_disaggregated(const Demand& d, const PhasePoint& prefill,
                                         const PhasePoint& decode, Seconds kv_transfer) {
  Sizing s;
  s.kv_transfer = kv_transfer;
  s.ttft = prefill_wait(prefill) + kv_transfer;
  s.tpot = decode.estimate.latency;
  if (s.ttft > d.ttft || s.tpot > d.tpot) return std::nullopt;
  const Seconds residence = s.ttft + d.output_tokens * s.tpot;
  s.requests_per_s = d.concurrency > 0.0 ? d.concurrency / residence.value : d.requests_per_s;
  s.prefill_instances = instances_for(s.requests_per_s, prefill.requests_per_s * d.utilisation);
  s.decode_instances = instances_for(s.requests_per_s, decode.requests_per_s * d.utilisation);
  const double prompts = static_cast<double>(s.prefill_instances) * prefill.requests_per_s;
  const double answers = static_cast<double>(s.decode_instances) * decode.requests_per_s;
  s.requests_per_s_supported = d.utilisation * std::min(prompts, answers);
  s.prefill_utilisation = s.requests_per_s / prompts;
  s.decode_utilisation = s.requests_per_s / answers;
  return s;
}

Seconds kv_transfer_time(const PlanRequest& request, const hw::Cluster& cluster) {
  const auto tokens = static_cast<std::int64_t>(std::ceil(request.traffic.input_tokens));
  const Bytes bytes =
      model::kv_bytes_per_sequence(request.model.arch, request.options.precision.kv, tokens);
  const hw::Efficiency& e = cluster.efficiency.lookup(hw::Family::kv_transfer, Math::bf16);
  const hw::LinkTier& link = cluster.tiers.back();
  const double share = cluster.tiers.size() > 1 ? e.memory : e.near;
  return e.overhead + link.latency + bytes / (link.peer_bandwidth * share);
}

ClusterPlan make_cluster_plan(const PlanRequest& request, std::size_t hardware, Serving serving,
                              const PhasePoint& prefill, const PhasePoint& decode,
                              const Sizing& size) {
  const hw::Cluster& cluster = request.hardware[hardware];
  ClusterPlan p;
  p.serving = serving;
  p.hardware = hardware;
  p.prefill_hardware = hardware;
  p.prefill = prefill;
  p.decode = decode;
  p.size = size;
  p.prefill_memory = prefill.estimate.memory;
  p.decode_memory = decode.estimate.memory;
  const std::int64_t prefill_devices = mapping::devices(prefill.plan);
  const std::int64_t decode_devices = mapping::devices(decode.plan);
  p.devices = size.prefill_instances * prefill_devices + size.decode_instances * decode_devices;
  p.nodes = nodes_of(p, cluster.devices_per_node);
  const auto devices = static_cast<double>(p.devices);
  const Traffic& t = request.traffic;
  p.tokens_per_s_per_user = 1.0 / size.tpot.value;
  p.output_tokens_per_s_per_device = size.requests_per_s * t.output_tokens / devices;
  p.total_tokens_per_s_per_device =
      size.requests_per_s * (t.input_tokens + t.output_tokens) / devices;
  const Demand demand = demand_of(request);
  p.target_use = std::max(size.ttft / demand.ttft, size.tpot / demand.tpot);
  if (const auto price = device_price(request, cluster)) p.cost = cost_of(request, p, *price);
  return p;
}

bool smaller(const ClusterPlan& a, const ClusterPlan& b) { return size_key(a) < size_key(b); }

bool cheaper(const ClusterPlan& a, const ClusterPlan& b) {
  const double cost_a = a.cost ? a.cost->usd_per_million_blended : kInfinity;
  const double cost_b = b.cost ? b.cost->usd_per_million_blended : kInfinity;
  if (cost_a != cost_b) return cost_a < cost_b;
  return smaller(a, b);
}

}  // namespace fathom::study
