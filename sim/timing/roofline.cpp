#include "timing/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "net/collective_time.hpp"
#include "timing/fitted.hpp"

namespace fathom::timing {
namespace {

using hw::Efficiency;
using hw::Family;

constexpr double kMaximum = 32.0;  // from this exponent on a blend is the maximum
constexpr double kLost = 1e-4;     // a term this far below the largest does not count

// (a^p + b^p + c^p)^(1/p) without overflow.
Seconds blend(Seconds a, Seconds b, Seconds c, double p) {
  const double high = std::max({a.value, b.value, c.value});
  if (high <= 0.0 || p >= kMaximum) return Seconds{high};
  if (p == 1.0) return a + b + c;
  double rest = -1.0;  // the largest counts as 1 below
  for (const Seconds t : {a, b, c}) {
    const double r = t.value / high;
    if (r > kLost) rest += r == 1.0 ? 1.0 : std::exp(p * std::log(r));
  }
  return Seconds{rest > 0.0 ? high * std::exp(std::log1p(rest) / p) : high};
}

Seconds ideal_time(const ops::OpCost& cost, const hw::DeviceProfile& device) {
  const Seconds memory = traffic(cost) / device.memory_bandwidth;
  const FlopsPerSecond peak = device.peak_of(cost.math);
  return peak.value > 0.0 ? std::max(cost.flops / peak, memory) : memory;
}

// What keeps a kernel busy: arithmetic, the memory interface, panels into the SMs.
struct Load {
  Seconds compute;
  Seconds memory;
  Seconds stream;
};

OpTime assemble(const ops::OpCost& cost, const Load& load, const Efficiency& e, Family family,
                const hw::DeviceProfile& device) {
  OpTime out;
  const Seconds busy = blend(load.compute, load.memory, load.stream, e.blend);
  out.cost = cost;
  out.total = busy + e.overhead;
  out.ideal = ideal_time(cost, device);
  const bool computing = load.compute >= std::max(load.memory, load.stream);
  out.bound = e.overhead > busy ? Bound::overhead : (computing ? Bound::compute : Bound::memory);
  out.family = family;
  out.evidence = e.evidence;
  return out;
}

// Of the isolated rate: communication kernels take SMs, and what they leave may run a little
// faster on the power that is saved.
double share_left(const Efficiency& e, const InSitu& in_situ) {
  if (in_situ.sm_share >= 1.0 || e.overlapped <= 0.0) return in_situ.sm_share;
  return 1.0 / (1.0 - in_situ.beside + in_situ.beside / e.overlapped);
}

FlopsPerSecond rate(const hw::DeviceProfile& device, Math math, const Efficiency& e,
                    const InSitu& in_situ) {
  return device.peak_of(math) * (e.compute * e.sustained_clock * share_left(e, in_situ));
}

// A product cut into tiles, one CTA each: `groups` independent [m, k] x [k, n].
struct Tiling {
  double m = 0.0;
  double n = 0.0;
  double k = 0.0;
  double groups = 1.0;
  Bytes input_element;
  Bytes weight_element;
};

struct TileTime {
  Seconds compute;
  Seconds stream;  // panels of A and B into the SMs
};

// The largest tile that still fills the device (64 x 32 is the smallest in use), then whole waves
// of CTAs. An SM streams its panels at `feed`; a lower clock slows it as much as its arithmetic.
TileTime tile_time(const Tiling& t, FlopsPerSecond speed, const Efficiency& e, double sms) {
  constexpr double kSmallestRows = 64.0;
  constexpr double kSmallestColumns = 32.0;
  double bm = std::max(e.tile_m, kSmallestRows);
  double bn = e.tile_n;
  const auto ctas = [&] { return std::ceil(t.m / bm) * std::ceil(t.n / bn) * t.groups; };
  while (bm > kSmallestRows && (ctas() < sms || t.m <= bm / 2.0)) bm /= 2.0;
  while (bn > kSmallestColumns && ctas() < sms) bn /= 2.0;
  const double waves =
      e.wave * std::ceil(ctas() / sms) + (1.0 - e.wave) * std::max(1.0, ctas() / sms);
  const Flops tile{2.0 * bm * bn * t.k};
  const Bytes panels = (bm * t.input_element + bn * t.weight_element) * t.k;
  return {waves * (tile / (speed / sms)), waves * (panels / (e.feed * e.sustained_clock))};
}

OpTime product_time(const ops::OpCost& cost, const Tiling& tiling, Family family,
                    const hw::Cluster& cluster, const InSitu& in_situ) {
  const Efficiency& e = cluster.efficiency.lookup(family, cost.math);
  const hw::DeviceProfile& device = cluster.device;
  const FlopsPerSecond speed = rate(device, cost.math, e, in_situ);
  Load load{.compute = cost.flops / speed,
            .memory = traffic(cost) / (device.memory_bandwidth * e.memory)};
  if (e.feed.value > 0.0 && device.sm_count > 0.0) {
    const TileTime tiles = tile_time(tiling, speed, e, device.sm_count * in_situ.sm_share);
    load.compute = tiles.compute;
    load.stream = tiles.stream;
  }
  return assemble(cost, load, e, family, device);
}

OpTime gemm_time(const ops::Gemm& op, const hw::Cluster& cluster, const InSitu& in_situ) {
  const Tiling tiling{op.m,
                      static_cast<double>(op.n),
                      static_cast<double>(op.k),
                      static_cast<double>(op.batch),
                      row_size_of(op.input),
                      size_of(op.weight)};
  return product_time(ops::cost(op), tiling, family_of(op), cluster, in_situ);
}

OpTime grouped_time(const ops::GroupedGemm& op, const hw::Cluster& cluster, const InSitu& in_situ) {
  const double groups = std::max(op.touched_experts, 1e-9);
  const Tiling tiling{op.rows / groups, static_cast<double>(op.n), static_cast<double>(op.k),
                      groups,           row_size_of(op.input),     size_of(op.weight)};
  return product_time(ops::cost(op), tiling, family_of(op), cluster, in_situ);
}

// What runs in place of an arithmetic that the device lacks: stored values are widened first.
Math widened(Math math, const hw::DeviceProfile& device) {
  if (device.peak_of(math).value > 0.0) return math;
  return math == Math::fp4 && device.peak_of(Math::fp8).value > 0.0 ? Math::fp8 : Math::bf16;
}

OpTime plain_time(ops::OpCost cost, Family family, const hw::Cluster& cluster,
                  const InSitu& in_situ) {
  cost.math = widened(cost.math, cluster.device);
  const Efficiency& e = cluster.efficiency.lookup(family, cost.math);
  const hw::DeviceProfile& device = cluster.device;
  // Queries of one prompt gather the same rows again out of the L2 cache: FlashMLA's time moves by
  // 6 % while the rows behind 4096 queries grow from 5 to 151 MB (InferSim, H800).
  const Bytes moved = family == Family::sparse_prefill ? compulsory(cost) : traffic(cost);
  const Seconds memory = moved / (device.memory_bandwidth * e.memory);
  Seconds compute;
  if (cost.flops.value > 0.0) compute = cost.flops / rate(device, cost.math, e, in_situ);
  return assemble(cost, {.compute = compute, .memory = memory}, e, family, device);
}

OpTime elementwise_time(const ops::Elementwise& op, const hw::Cluster& cluster) {
  const ops::OpCost cost = ops::cost(op);
  const Family family = family_of(op);
  Efficiency e = cluster.efficiency.lookup(family, cost.math);
  e.overhead = static_cast<double>(op.kernels) * e.overhead;
  const Seconds memory = traffic(cost) / (cluster.device.memory_bandwidth * e.memory);
  OpTime out = assemble(cost, {.memory = memory}, e, family, cluster.device);
  const Seconds least = static_cast<double>(op.kernels) * e.floor;
  if (out.total < least) {
    out.total = least;
    out.bound = Bound::overhead;
  }
  out.kernels = static_cast<double>(op.kernels);
  return out;
}

OpTime wire_time(const net::CommTime& comm, Family family, const hw::Cluster& cluster) {
  OpTime out;
  out.total = comm.total;
  out.ideal = comm.serialisation;
  out.bound = comm.latency_bound ? Bound::overhead : Bound::network;
  out.family = family;
  out.evidence = cluster.efficiency.lookup(family, Math::bf16).evidence;
  return out;
}

// A fitted form's answer takes the place of the blend's.
void take_fitted(const ops::Op& op, const hw::Cluster& cluster, double sm_share, OpTime& out) {
  const std::optional<FittedTime> fitted = fitted_time(op, cluster, sm_share);
  if (!fitted) return;
  // launch, prologue and half-empty waves: most of a call that takes several times its ideal
  constexpr double kMostlyFixed = 3.0;
  const bool fixed = fitted->total > kMostlyFixed * out.ideal;
  if (fixed) out.bound = Bound::overhead;
  out.total = fitted->total;
  out.evidence = fitted->evidence;
  out.fidelity = Fidelity::fitted;
}

// Low-latency all-to-all: the published time contains the SM-busy send and receive; the net part is
// what is left.
OpTime exchange_time(const ops::ExpertExchange& op, const hw::Cluster& cluster) {
  const Family family = family_of(op);
  OpTime out = wire_time(net::time_of(op, cluster), family, cluster);
  take_fitted(ops::Op{op}, cluster, 1.0, out);
  if (op.part == ops::ExchangePart::whole) return out;
  const Efficiency& e = cluster.efficiency.lookup(family, Math::bf16);
  // on a link so fast that the SMs are the slower end, they are busy all the time and no longer
  const Seconds busy =
      std::min(out.total, Seconds{e.sm_busy_fixed_s + e.sm_busy_per_token_s * op.tokens});
  if (op.part == ops::ExchangePart::net) {
    out.total -= busy;
    return out;
  }
  // the SM time is split evenly between the two ends (assumed)
  out.total = busy / 2.0;
  out.ideal = Seconds{};
  out.bound = Bound::overhead;
  return out;
}

struct Timer {
  const hw::Cluster& cluster;
  const InSitu& in_situ;
  OpTime operator()(const ops::Gemm& o) const { return gemm_time(o, cluster, in_situ); }
  OpTime operator()(const ops::Elementwise& o) const { return elementwise_time(o, cluster); }
  OpTime operator()(const ops::Collective& o) const {
    return wire_time(net::time_of(o, cluster), family_of(o), cluster);
  }
  OpTime operator()(const ops::ExpertExchange& o) const { return exchange_time(o, cluster); }
  OpTime operator()(const ops::GroupedGemm& o) const { return grouped_time(o, cluster, in_situ); }
  template <class T>
  OpTime operator()(const T& o) const {
    return plain_time(ops::cost(o), family_of(o), cluster, in_situ);
  }
};

}  // namespace

std::string_view name(Bound bound) {
  constexpr std::array<std::string_view, kBoundCount> names{"compute", "memory", "network",
                                                            "overhead"};
  return names[static_cast<std::size_t>(bound)];
}

Family family_of(const ops::Op& op) {
  struct Visitor {
    Family operator()(const ops::Gemm& o) const {
      return o.batch > 1 ? Family::batched_gemm : Family::gemm;
    }
    Family operator()(const ops::GroupedGemm& o) const {
      return o.masked ? Family::grouped_gemm_decode : Family::grouped_gemm;
    }
    Family operator()(const ops::Attention& o) const {
      if (o.naive_mla) return Family::mla_prefill;
      return o.prefill ? Family::attention_prefill : Family::attention_decode;
    }
    Family operator()(const ops::LatentAttention& o) const {
      if (!o.sparse) return Family::mla_decode;
      return o.prefill ? Family::sparse_prefill : Family::sparse_attention;
    }
    Family operator()(const ops::Indexer&) const { return Family::indexer; }
    Family operator()(const ops::LinearAttention&) const { return Family::linear_attention; }
    Family operator()(const ops::Elementwise& o) const {
      constexpr std::array<Family, 7> families{Family::norm,       Family::cast,    Family::copy,
                                               Family::activation, Family::permute, Family::misc,
                                               Family::embedding};
      return families[static_cast<std::size_t>(o.kind)];
    }
    Family operator()(const ops::Collective& o) const {
      constexpr std::array<Family, 5> families{Family::all_reduce, Family::all_gather,
                                               Family::reduce_scatter, Family::all_to_all,
                                               Family::send_recv};
      return families[static_cast<std::size_t>(o.kind)];
    }
    Family operator()(const ops::ExpertExchange& o) const {
      const bool out = o.direction == ops::Exchange::dispatch;
      if (o.low_latency) return out ? Family::dispatch_low_latency : Family::combine_low_latency;
      return out ? Family::dispatch : Family::combine;
    }
  };
  return std::visit(Visitor{}, op);
}

std::string_view name(Fidelity fidelity) {
  return fidelity == Fidelity::fitted ? "fitted" : "roofline";
}

OpTime time_of(const ops::Op& op, const hw::Cluster& cluster, const InSitu& in_situ) {
  OpTime out = std::visit(Timer{cluster, in_situ}, op);
  if (std::holds_alternative<ops::ExpertExchange>(op)) return out;  // has taken it, part by part
  const Efficiency& e = cluster.efficiency.lookup(out.family, out.cost.math);
  take_fitted(op, cluster, share_left(e, in_situ), out);
  return out;
}

}  // namespace fathom::timing
