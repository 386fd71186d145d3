#include "study/plan_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "lang/say.hpp"
#include "model/kv_cache.hpp"

namespace fathom::study {
namespace {

using lang::say;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
  const double decode_devices = static_cast<double>(p.size.decode_instances) * devices_of(p.decode);
  c.input_share = apart ? prefill_devices / (prefill_devices + decode_devices) : w / (w + v);
  const double mean_rate = p.size.requests_per_s / t.peak_factor;
  const double per_request = c.usd_per_hour / seconds_per_hour / mean_rate;
  c.usd_per_million_input = 1e6 * per_request * c.input_share / t.input_tokens;
  c.usd_per_million_output = 1e6 * per_request * (1.0 - c.input_share) / t.output_tokens;
  c.usd_per_million_blended = 1e6 * per_request / (t.input_tokens + t.output_tokens);
  return c;
}

enum class Ceiling : std::uint8_t { none, max_devices, max_gpus, power, budget };

Ceiling broken_limit(const PlanRequest& request, const ClusterPlan& p) {
  constexpr double kRounding = 1.0 + 1e-9;  // what just keeps a limit keeps it
  const Targets& t = request.targets;
  if (p.devices > request.search.max_devices) return Ceiling::max_devices;
  if (t.max_gpus && p.devices > *t.max_gpus) return Ceiling::max_gpus;
  if (t.power_kw && !(p.power_kw && *p.power_kw <= *t.power_kw * kRounding)) return Ceiling::power;
  const auto& budget = t.budget_usd_per_hour;
  if (budget && !(p.cost && p.cost->usd_per_hour <= *budget * kRounding)) return Ceiling::budget;
  return Ceiling::none;
}

auto size_key(const ClusterPlan& p) {
  return std::tuple(p.devices, p.target_use, -p.size.requests_per_s_supported, p.size.tpot.value,
                    p.size.ttft.value, p.hardware, p.serving);
}

}  // namespace

std::string_view name(Limit::Kind kind) {
  constexpr std::array<std::string_view, 5> names{"memory", "TPOT", "TTFT", "load", "queueing"};
  return names[static_cast<std::size_t>(kind)];
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

Fleet fleet_of(const ClusterPlan& p) {
  return {.serving = p.serving,
          .prefill = p.prefill,
          .decode = p.decode,
          .kv_transfer = p.size.kv_transfer,
          .prefill_instances = p.size.prefill_instances,
          .decode_instances = p.size.decode_instances};
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
  const Demand demand = demand_of(request);
  complete(demand, fleet_of(p), p.size);
  p.prefill_memory = prefill.estimate.memory;
  p.decode_memory = decode.estimate.memory;
  const std::int64_t prefill_devices = mapping::devices(prefill.plan);
  const std::int64_t decode_devices = mapping::devices(decode.plan);
  p.devices = size.prefill_instances * prefill_devices + size.decode_instances * decode_devices;
  p.nodes = nodes_of(p, cluster.devices_per_node) + request.spare_nodes;
  p.spare_nodes = request.spare_nodes;
  p.devices += request.spare_nodes * cluster.devices_per_node;
  const auto devices = static_cast<double>(p.devices);
  if (cluster.device.tdp_w > 0.0) p.power_kw = devices * cluster.device.tdp_w / 1e3;
  const Traffic& t = request.traffic;
  p.tokens_per_s_per_user = 1.0 / size.tpot.value;
  p.output_tokens_per_s_per_device = size.requests_per_s * t.output_tokens / devices;
  p.total_tokens_per_s_per_device =
      size.requests_per_s * (t.input_tokens + t.output_tokens) / devices;
  p.target_use = std::max(size.ttft / demand.ttft, size.tpot / demand.tpot);
  for (std::size_t i = 0; i < p.size.percentiles.size(); ++i) {
    p.target_use = std::max(p.target_use, p.size.percentiles[i].time / demand.percentiles[i].time);
  }
  if (const auto price = device_price(request, cluster)) p.cost = cost_of(request, p, *price);
  return p;
}

bool affordable(const PlanRequest& request, const ClusterPlan& p) {
  return broken_limit(request, p) == Ceiling::none;
}

std::string exceeded(const PlanRequest& request, const ClusterPlan& p) {
  const Targets& t = request.targets;
  switch (broken_limit(request, p)) {
    case Ceiling::max_devices:
      return fmt::format("max_devices = {}", request.search.max_devices);
    case Ceiling::max_gpus:
      return fmt::format("max_gpus = {}", *t.max_gpus);
    case Ceiling::power:
      return fmt::format("{:g} kW", *t.power_kw);
    case Ceiling::budget:
      return fmt::format("{:g} USD/h", *t.budget_usd_per_hour);
    default:
      return "";
  }
}

std::string ceilings_text(const PlanRequest& request, const hw::Cluster& cluster) {
  const Targets& t = request.targets;
  std::string out = fmt::format("max_devices = {}", request.search.max_devices);
  if (t.max_gpus) out = say("{}, max_gpus = {}", out, *t.max_gpus);
  if (t.budget_usd_per_hour) {
    const auto price = device_price(request, cluster);
    out = price ? say("{}, a budget of {:g} USD/h", out, *t.budget_usd_per_hour)
                : say("{}, a budget of {:g} USD/h (no price is known: give price_usd_per_gpu_hour)",
                      out, *t.budget_usd_per_hour);
  }
  if (t.power_kw) {
    const bool known = cluster.device.tdp_w > 0.0;
    out = known ? say("{}, {:g} kW of devices", out, *t.power_kw)
                : say("{}, {:g} kW of devices (their power is not known)", out, *t.power_kw);
  }
  return out;
}

bool smaller(const ClusterPlan& a, const ClusterPlan& b) { return size_key(a) < size_key(b); }

bool cheaper(const ClusterPlan& a, const ClusterPlan& b) {
  const double cost_a = a.cost ? a.cost->usd_per_million_blended : kInfinity;
  const double cost_b = b.cost ? b.cost->usd_per_million_blended : kInfinity;
  if (cost_a != cost_b) return cost_a < cost_b;
  return smaller(a, b);
}

}  // namespace fathom::study
