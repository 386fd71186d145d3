#include "timing/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "core/portable_math.hpp"
#include "net/collective_time.hpp"
#include "timing/fitted.hpp"
#include "timing/trace.hpp"

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
  const Seconds sum = a + b + c;
  if (p == 1.0 || sum.value == high) return sum;
  double rest = -1.0;  // the largest counts as 1 below
  for (const Seconds t : {a, b, c}) {
    const double r = t.value / high;
    if (r > kLost) rest += r == 1.0 ? 1.0 : portable::exp(p * portable::log(r));
  }
  return Seconds{rest > 0.0 ? high * portable::exp(portable::log1p(rest) / p) : high};
}

Seconds ideal_time(const ops::OpCost& cost, const hw::DeviceProfile& device) {
  const Seconds memory = traffic(cost) / device.memory_bandwidth;
  const FlopsPerSecond peak = device.peak_of(cost.math);
  return peak.value > 0.0 ? std::max(cost.flops / peak, memory) : memory;
}

// What keeps a kernel busy: arithmetic, the memory interface, panels into the SMs; and, one after
// the other with these, rows put in order and results written out.
struct Load {
  Seconds compute;
  Seconds memory;
  Seconds stream;
  Seconds passing;
};

// Traffic of an arithmetic kernel. With a cache rate its activations pass through the cache before
// and after the arithmetic; without, they are bytes like all others.
Load bytes_of(Bytes moved, const ops::OpCost& cost, const Efficiency& e,
              const hw::DeviceProfile& device) {
  const BytesPerSecond memory = device.memory_bandwidth * e.memory;
  if (e.cache_rate.value <= 0.0) return {.memory = moved / memory};
  const Bytes activations = cost.act_read + cost.act_write;
  return {.memory = (moved - activations) / memory, .passing = activations / e.cache_rate};
}

OpTime described(const ops::OpCost& cost, Family family, const Efficiency& e,
                 const hw::DeviceProfile& device) {
  OpTime out;
  out.cost = cost;
  out.ideal = ideal_time(cost, device);
  out.family = family;
  out.evidence = e.evidence;
  return out;
}

void assemble(const Load& load, const Efficiency& e, OpTime& out) {
  const Seconds busy = blend(load.compute, load.memory, load.stream, e.blend) + load.passing;
  out.total = busy + e.overhead;
  const bool computing = load.compute >= std::max(load.memory, load.stream);
  out.bound = e.overhead > busy ? Bound::overhead : (computing ? Bound::compute : Bound::memory);
}

// What assemble() says of the bound. A blend lies between its largest term and their sum: only an
// overhead between the two needs it.
Bound bound_of(const Load& load, const Efficiency& e) {
  const Seconds largest = std::max({load.compute, load.memory, load.stream});
  if (e.overhead > largest) {
    const Seconds sum = load.compute + load.memory + load.stream;
    if (e.overhead > sum || e.overhead > blend(load.compute, load.memory, load.stream, e.blend))
      return Bound::overhead;
  }
  return load.compute >= std::max(load.memory, load.stream) ? Bound::compute : Bound::memory;
}

// A fitted form's answer takes the place of the blend's. True when that settles the bound too.
bool take_fitted(const std::optional<FittedTime>& fitted, OpTime& out) {
  if (!fitted) return false;
  out.total = fitted->total;
  out.evidence = fitted->evidence;
  out.fidelity = fitted->measured ? Fidelity::measured : Fidelity::fitted;
  out.form = fitted->use;
  // launch, prologue and half-empty waves: most of a call that takes several times its ideal
  constexpr double kMostlyFixed = 3.0;
  const bool fixed = fitted->total > kMostlyFixed * out.ideal;
  if (fixed) out.bound = Bound::overhead;
  return fixed;
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

struct Reasons {
  Trace trace;
  std::vector<FitTrace> fits;
};

struct Call {
  const ops::Op& op;
  const hw::Cluster& cluster;
  const InSitu& in_situ;
  Reasons* why = nullptr;  // where somebody asks
};

std::optional<FittedTime> fitted_beside(const Call& call, Math math, const Efficiency& e) {
  return fitted_time(call.op, {call.cluster, math, share_left(e, call.in_situ),
                               call.why == nullptr ? nullptr : &call.why->fits});
}

void note_blend(const Call& call, const Load& load, Bytes moved, const ops::OpCost& cost) {
  if (call.why == nullptr) return;
  const Efficiency& e = call.cluster.efficiency.lookup(family_of(call.op), cost.math);
  const Bytes cached = e.cache_rate.value > 0.0 ? cost.act_read + cost.act_write : Bytes{};
  const FlopsPerSecond speed = cost.flops.value > 0.0
                                   ? rate(call.cluster.device, cost.math, e, call.in_situ)
                                   : FlopsPerSecond{};
  call.why->trace.blend = {speed,          share_left(e, call.in_situ),
                           moved - cached, cached,
                           load.compute,   load.memory,
                           load.stream,    load.passing};
}

void note_wire(const Call& call, const net::CommTime& comm, Seconds sm_time) {
  if (call.why == nullptr) return;
  call.why->trace.wire = {comm.total - comm.serialisation, comm.serialisation, comm.near_bytes,
                          comm.far_bytes, sm_time};
}

OpTime product_time(const ops::OpCost& cost, const Tiling& tiling, Family family,
                    const Call& call) {
  const Efficiency& e = call.cluster.efficiency.lookup(family, cost.math);
  const hw::DeviceProfile& device = call.cluster.device;
  OpTime out = described(cost, family, e, device);
  const std::optional<FittedTime> fitted = fitted_beside(call, cost.math, e);
  if (take_fitted(fitted, out)) return out;
  const FlopsPerSecond speed = rate(device, cost.math, e, call.in_situ);
  Load load = bytes_of(traffic(cost), cost, e, device);
  load.compute = cost.flops / speed;
  if (e.feed.value > 0.0 && device.sm_count > 0.0) {
    const TileTime tiles = tile_time(tiling, speed, e, device.sm_count * call.in_situ.sm_share);
    load.compute = tiles.compute;
    load.stream = tiles.stream;
  }
  note_blend(call, load, traffic(cost), cost);
  if (fitted) {
    out.bound = bound_of(load, e);
  } else {
    assemble(load, e, out);
  }
  return out;
}

OpTime gemm_time(const ops::Gemm& op, const Call& call) {
  const Tiling tiling{op.m,
                      static_cast<double>(op.n),
                      static_cast<double>(op.k),
                      static_cast<double>(op.batch),
                      row_size_of(op.input),
                      size_of(op.weight)};
  return product_time(ops::cost(op), tiling, family_of(call.op), call);
}

OpTime grouped_time(const ops::GroupedGemm& op, const Call& call) {
  const double groups = std::max(op.touched_experts, 1e-9);
  const Tiling tiling{op.rows / groups, static_cast<double>(op.n), static_cast<double>(op.k),
                      groups,           row_size_of(op.input),     size_of(op.weight)};
  return product_time(ops::cost(op), tiling, family_of(call.op), call);
}

// What runs in place of an arithmetic that the device lacks: stored values are widened first.
Math widened(Math math, const hw::DeviceProfile& device) {
  if (device.peak_of(math).value > 0.0) return math;
  return math == Math::fp4 && device.peak_of(Math::fp8).value > 0.0 ? Math::fp8 : Math::bf16;
}

OpTime plain_time(ops::OpCost cost, const Call& call) {
  const Family family = family_of(call.op);
  const hw::DeviceProfile& device = call.cluster.device;
  const Math asked = cost.math;
  cost.math = widened(asked, device);
  const Efficiency& e = call.cluster.efficiency.lookup(family, cost.math);
  OpTime out = described(cost, family, e, device);
  const std::optional<FittedTime> fitted = fitted_beside(call, asked, e);
  if (take_fitted(fitted, out)) return out;
  // Queries of one prompt gather the same rows again out of the L2 cache: FlashMLA's time moves by
  // 6 % while the rows behind 4096 queries grow from 5 to 151 MB (InferSim, H800).
  const Bytes moved = family == Family::sparse_prefill ? compulsory(cost) : traffic(cost);
  Load load = bytes_of(moved, cost, e, device);
  if (cost.flops.value > 0.0) load.compute = cost.flops / rate(device, cost.math, e, call.in_situ);
  note_blend(call, load, moved, cost);
  if (fitted) {
    out.bound = bound_of(load, e);
  } else {
    assemble(load, e, out);
  }
  return out;
}

// Bytes of a pointwise kernel: those that its neighbours left in the cache, then the memory's.
Seconds stream_time(Bytes bytes, const Efficiency& e, const hw::DeviceProfile& device) {
  const BytesPerSecond memory = device.memory_bandwidth * e.memory;
  if (e.cache_rate.value <= 0.0) return bytes / memory;
  const Bytes cached = std::min(bytes, e.cache);
  return cached / e.cache_rate + (bytes - cached) / memory;
}

// Nothing but memory: a blend of one term.
OpTime elementwise_time(const ops::Elementwise& op, const Call& call) {
  const ops::OpCost cost = ops::cost(op);
  const Family family = family_of(call.op);
  const Efficiency& e = call.cluster.efficiency.lookup(family, cost.math);
  const hw::DeviceProfile& device = call.cluster.device;
  OpTime out = described(cost, family, e, device);
  const Seconds overhead = static_cast<double>(op.kernels) * e.overhead;
  const Seconds busy = stream_time(traffic(cost), e, device);
  out.total = busy + overhead;
  // no arithmetic and no traffic: compute-bound as much as anything
  const bool idle = busy.value <= 0.0;
  out.bound = overhead > busy ? Bound::overhead : (idle ? Bound::compute : Bound::memory);
  const Seconds least = static_cast<double>(op.kernels) * e.floor;
  if (out.total < least) {
    out.total = least;
    out.bound = Bound::overhead;
  }
  out.kernels = static_cast<double>(op.kernels);
  if (call.why != nullptr) {
    const Bytes bytes = traffic(cost);
    const Bytes cached = e.cache_rate.value > 0.0 ? std::min(bytes, e.cache) : Bytes{};
    call.why->trace.stream = {cached, bytes - cached, out.kernels};
  }
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

OpTime collective_time(const ops::Collective& op, const Call& call) {
  const net::CommTime comm = net::time_of(op, call.cluster);
  OpTime out = wire_time(comm, family_of(call.op), call.cluster);
  note_wire(call, comm, {});
  const Efficiency& e = call.cluster.efficiency.lookup(out.family, Math::bf16);
  take_fitted(fitted_beside(call, Math::bf16, e), out);
  return out;
}

// The SM-busy send or receive of a low-latency all-to-all: its time is split evenly between the
// two ends (assumed).
OpTime busy_time(Seconds busy, const ops::ExpertExchange& op, const Call& call) {
  OpTime out;
  out.family = family_of(call.op);
  out.evidence = call.cluster.efficiency.lookup(out.family, Math::bf16).evidence;
  if (const std::optional<hw::FormUse> use = fitted_exchange(op, call.cluster)) {
    out.evidence = call.cluster.efficiency.fitted(*use)->evidence;
    out.fidelity = Fidelity::fitted;
    out.form = *use;
  }
  out.total = busy / 2.0;
  out.bound = Bound::overhead;
  return out;
}

// Low-latency all-to-all: the published time contains the SM-busy send and receive; the net part is
// what is left.
OpTime exchange_time(const ops::ExpertExchange& op, const Call& call) {
  const Family family = family_of(call.op);
  const Efficiency& e = call.cluster.efficiency.lookup(family, Math::bf16);
  const net::CommTime comm = net::time_of(op, call.cluster);
  OpTime out = wire_time(comm, family, call.cluster);
  note_wire(call, comm, {});
  const auto trace = call.why == nullptr ? nullptr : &call.why->fits;
  take_fitted(fitted_time(call.op, {call.cluster, Math::bf16, 1.0, trace}), out);
  if (op.part == ops::ExchangePart::whole) return out;
  // on a link so fast that the SMs are the slower end, they are busy all the time and no longer
  const Seconds busy =
      std::min(out.total, Seconds{e.sm_busy_fixed_s + e.sm_busy_per_token_s * op.tokens});
  note_wire(call, comm, busy);
  if (op.part != ops::ExchangePart::net) return busy_time(busy, op, call);
  out.total -= busy;
  return out;
}

struct Timer {
  const Call& call;
  OpTime operator()(const ops::Gemm& o) const { return gemm_time(o, call); }
  OpTime operator()(const ops::Elementwise& o) const { return elementwise_time(o, call); }
  OpTime operator()(const ops::Collective& o) const { return collective_time(o, call); }
  OpTime operator()(const ops::ExpertExchange& o) const { return exchange_time(o, call); }
  OpTime operator()(const ops::GroupedGemm& o) const { return grouped_time(o, call); }
  template <class T>
  OpTime operator()(const T& o) const {
    return plain_time(ops::cost(o), call);
  }
};

}  // namespace

OpTime time_of(const ops::Op& op, const hw::Cluster& cluster, const InSitu& in_situ) {
  return std::visit(Timer{Call{op, cluster, in_situ}}, op);
}

Trace trace_of(const ops::Op& op, const hw::Cluster& cluster, const InSitu& in_situ) {
  Reasons why;
  const OpTime time = std::visit(Timer{Call{op, cluster, in_situ, &why}}, op);
  why.trace.time = time;
  why.trace.efficiency = cluster.efficiency.lookup(time.family, time.cost.math);
  // of two forms that were asked, the one whose answer was taken
  for (FitTrace& fit : why.fits) {
    if (time.fidelity != Fidelity::roofline && fit.use == time.form) why.trace.fit = std::move(fit);
  }
  return why.trace;
}

}  // namespace fathom::timing
