#include "timing/fitted.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "core/portable_math.hpp"
#include "forms/deepep.hpp"
#include "forms/form.hpp"
#include "net/collective_time.hpp"
#include "net/topology.hpp"
#include "timing/trace.hpp"

namespace fathom::timing {
namespace {

using hw::FittedForm;
using hw::FormUse;

using Answer = std::optional<FittedTime>;

// Inside one scale-up domain: latencies do not extrapolate to a rack.
constexpr std::int64_t kMeasuredRanks = 8;
// A gap taken off a short call leaves at least this part of it.
constexpr double kShortestLeft = 0.25;

forms::DeviceFigures figures(const hw::Cluster& cluster, double sm_share) {
  const hw::DeviceProfile& d = cluster.device;
  return {.sm_count = d.sm_count * sm_share,
          .memory_bandwidth = d.memory_bandwidth.value,
          .peak_bf16 = d.peak_of(Math::bf16).value * sm_share,
          .peak_fp8 = d.peak_of(Math::fp8).value * sm_share,
          .peak_fp4 = d.peak_of(Math::fp4).value * sm_share,
          .scale_up = cluster.tiers.front().bandwidth.value,
          .scale_out = cluster.tiers.back().bandwidth.value};
}

struct Evaluation {
  const hw::Cluster& cluster;
  Math math;
  double sm_share;
  std::vector<FitTrace>* trace;

  Answer operator()(FormUse use, std::span<const double> shape) const {
    const FittedForm* fitted = cluster.efficiency.fitted(use);
    if (fitted == nullptr) return std::nullopt;
    const forms::Form& form = forms::all_forms()[fitted->form];
    Seconds alone{form.seconds(fitted->group, fitted->in_step, shape, figures(cluster, sm_share))};
    const Seconds bare = alone;
    hw::RatioTable::Answer ratio;
    if (fitted->ratios.size() > 0) ratio = fitted->ratios.at(shape.first(form.columns.size()));
    if (ratio.covered) alone *= portable::exp(ratio.log_ratio);
    const Seconds answer = std::max(alone - fitted->launch_gap, kShortestLeft * alone);
    if (trace != nullptr)
      trace->push_back({use, {shape.begin(), shape.end()}, bare, alone / bare, answer});
    return FittedTime{answer, fitted->evidence, use, ratio.covered};
  }
};

Answer gemm(const ops::Gemm& op, const Evaluation& fitted) {
  const auto n = static_cast<double>(op.n);
  const auto k = static_cast<double>(op.k);
  if (op.batch > 1) {
    if (fitted.math != Math::bf16) return std::nullopt;
    return fitted(FormUse::batched_gemm, std::array{static_cast<double>(op.batch), op.m, n, k});
  }
  // the arithmetic follows the input; a narrower weight is widened on the way and fits no form
  if (size_of(op.weight) != size_of(op.input)) return std::nullopt;
  const std::array shape{op.m, n, k};
  switch (fitted.math) {
    case Math::bf16:
      return fitted(FormUse::gemm_bf16, shape);
    case Math::fp8:
      return fitted(FormUse::gemm_fp8, shape);
    case Math::fp4:
      return fitted(FormUse::gemm_fp4, shape);
    default:
      return std::nullopt;
  }
}

// Rows of an expert vary: its last tile is half full on average, and no expert has less than one.
double padded_rows(double rows, double experts, double tile) {
  return experts * tile * std::max(1.0, rows / experts / tile + 0.5);
}

std::optional<FormUse> products_use(const ops::GroupedGemm& op) {
  if (math_of(op.input) != Math::fp8) return std::nullopt;
  return op.masked ? FormUse::grouped_decode : FormUse::grouped_prefill;
}

std::optional<FormUse> experts_use(const ops::GroupedGemm& op) {
  if (size_of(op.weight) != size_of(op.input)) return std::nullopt;
  switch (math_of(op.input)) {
    case Math::bf16:
      return FormUse::experts_bf16;
    case Math::fp8:
      return FormUse::experts_fp8;
    case Math::fp4:
      return FormUse::experts_fp4;
    default:
      return std::nullopt;
  }
}

bool has(const hw::Cluster& cluster, std::optional<FormUse> use) {
  return use && cluster.efficiency.fitted(*use) != nullptr;
}

// Each product of the pair takes its share of the whole by FLOPs: two thirds up, one third down.
Answer experts_whole(const ops::GroupedGemm& op, const Evaluation& fitted) {
  const double experts = std::max(op.touched_experts, 1e-9);
  const auto n = static_cast<double>(op.n);
  const auto k = static_cast<double>(op.k);
  const bool up = op.gated_pair;
  const double hidden = up ? k : n;
  const double inter = up ? n / 2.0 : k;
  const double alone = op.rows / op.experts_per_token;
  Answer answer =
      fitted(*experts_use(op),
             std::array{op.group_tokens > 0.0 ? op.group_tokens : alone, hidden, inter, op.experts,
                        experts, op.rows, padded_rows(op.rows, experts, 16.0),
                        padded_rows(op.rows, experts, 64.0), padded_rows(op.rows, experts, 128.0)});
  if (answer) answer->total *= up ? 2.0 / 3.0 : 1.0 / 3.0;
  return answer;
}

Answer grouped(const ops::GroupedGemm& op, const Evaluation& fitted) {
  if (op.rows <= 0.0) return std::nullopt;
  if (times_experts_whole(op, fitted.cluster)) return experts_whole(op, fitted);
  if (!has(fitted.cluster, products_use(op))) return std::nullopt;
  const double experts = std::max(op.touched_experts, 1e-9);
  return fitted(*products_use(op), std::array{static_cast<double>(op.n), static_cast<double>(op.k),
                                              experts, op.rows, padded_rows(op.rows, experts, 64.0),
                                              padded_rows(op.rows, experts, 128.0)});
}

bool is_fp8(Dtype dtype) { return size_of(dtype).value < 2.0; }

Answer attention(const ops::Attention& op, const Evaluation& fitted) {
  if (op.sequences <= 0.0) return std::nullopt;
  const double queries = op.query_tokens / op.sequences;
  const double rows = op.kv_tokens / op.sequences;
  const auto heads = static_cast<double>(op.heads);
  const auto kv_heads = static_cast<double>(op.kv_heads);
  const auto qk = static_cast<double>(op.qk_head_dim);
  const auto v = static_cast<double>(op.v_head_dim);
  if (op.prefill) {
    // windows and chunks see fewer pairs than the causal triangle that was measured
    constexpr double kSameTriangle = 0.02;
    const double causal = op.sequences * ops::causal_pairs(queries, rows - queries);
    if (std::abs(op.pairs - causal) > kSameTriangle * causal) return std::nullopt;
    FormUse use = is_fp8(op.kv) ? FormUse::attention_prefill_fp8_cache : FormUse::attention_prefill;
    if (op.naive_mla) use = FormUse::mla_prefill;
    return fitted(use, std::array{op.sequences, queries, rows - queries, heads, kv_heads, qk, v});
  }
  if (op.naive_mla) return std::nullopt;
  const bool grouped_heads = op.heads > op.kv_heads;
  FormUse use = grouped_heads ? FormUse::gqa_decode : FormUse::mha_decode;
  if (is_fp8(op.kv))
    use = grouped_heads ? FormUse::gqa_decode_fp8_cache : FormUse::mha_decode_fp8_cache;
  return fitted(use, std::array{op.sequences, queries, rows, heads, kv_heads, qk, v});
}

// The tables hold one query per sequence, where arithmetic and memory take about as long as each
// other and a fit cannot tell them apart: it leaves room above the share of the peak that the
// kernel reaches when only arithmetic binds (H100 and H200: 0.67, whatever their bandwidths).
Seconds arithmetic_time(const ops::LatentAttention& op, const Evaluation& fitted) {
  const hw::Efficiency& e = fitted.cluster.efficiency.lookup(hw::Family::mla_decode, Math::bf16);
  const FlopsPerSecond peak = fitted.cluster.device.peak_of(Math::bf16);
  return ops::cost(op).flops / (peak * (e.compute * e.sustained_clock * fitted.sm_share));
}

Answer latent(const ops::LatentAttention& op, const Evaluation& fitted) {
  if (op.sparse || op.prefill || op.sequences <= 0.0) return std::nullopt;
  const auto qk = static_cast<double>(op.qk_dim);
  const bool fp8 = op.row_bytes.value < 2.0 * qk;
  Answer answer =
      fitted(fp8 ? FormUse::mla_decode_fp8_cache : FormUse::mla_decode,
             std::array{op.sequences, op.query_tokens / op.sequences, op.kv_tokens / op.sequences,
                        static_cast<double>(op.heads), 1.0, qk, static_cast<double>(op.v_dim)});
  if (answer && !fp8) answer->total = std::max(answer->total, arithmetic_time(op, fitted));
  return answer;
}

// Measured inside one node only; a library and a stack's own all-reduce are both there to be taken.
Answer collective(const ops::Collective& op, const Evaluation& fitted) {
  if (op.kind == ops::CollectiveKind::send_recv || op.group.size <= 1) return std::nullopt;
  if (op.group.size > kMeasuredRanks) return std::nullopt;
  if (net::span_of(op.group, fitted.cluster).nodes > 1.0) return std::nullopt;
  constexpr std::array uses{FormUse::all_reduce, FormUse::all_gather, FormUse::reduce_scatter,
                            FormUse::all_to_all};
  const std::array shape{static_cast<double>(op.group.size), op.payload.value};
  Answer best = fitted(uses[static_cast<std::size_t>(op.kind)], shape);
  if (op.kind != ops::CollectiveKind::all_reduce) return best;
  const Answer custom = fitted(FormUse::custom_all_reduce, shape);
  return custom && (!best || custom->total < best->total) ? custom : best;
}

// Above four nodes the tables lose half of the fabric's bandwidth, to tokens that go to more than
// four: DeepEP's published runs with four nodes per token keep it (EP64: 51 of 58 GB/s at EP32).
bool beyond_tables(const ops::ExpertExchange& op, double nodes) {
  const bool limited = op.n_group > 1 && op.topk_group < op.n_group;
  return limited && nodes > forms::kNarrowNodes;
}

std::optional<FormUse> exchange_use(const ops::ExpertExchange& op, const hw::Cluster& cluster) {
  if (op.per_node || op.all_remote || op.group.size <= 1) return std::nullopt;
  const bool out = op.direction == ops::Exchange::dispatch;
  const double nodes = net::span_of(op.group, cluster).nodes;
  if (op.low_latency) {
    if (nodes > 1.0)
      return out ? FormUse::dispatch_low_latency_far : FormUse::combine_low_latency_far;
    return out ? FormUse::dispatch_low_latency : FormUse::combine_low_latency;
  }
  if (beyond_tables(op, nodes)) return std::nullopt;
  if (nodes <= 1.0 && op.group.size > kMeasuredRanks) return std::nullopt;
  if (nodes > 1.0) return out ? FormUse::dispatch_far : FormUse::combine_far;
  return out ? FormUse::dispatch : FormUse::combine;
}

Answer exchange(const ops::ExpertExchange& op, const Evaluation& fitted) {
  const std::optional<FormUse> use = exchange_use(op, fitted.cluster);
  if (!has(fitted.cluster, use)) return std::nullopt;
  const bool out = op.direction == ops::Exchange::dispatch;
  const double nodes = net::span_of(op.group, fitted.cluster).nodes;
  const auto ranks = static_cast<double>(op.group.size);
  // FP8 rows carry an FP32 scale per 128 values; sums come back in BF16 (DeepEP)
  const double values = op.copy_bytes.value / (out ? 1.0 + 1.0 / 32.0 : 2.0);
  Answer answer;
  if (op.low_latency) {
    answer = fitted(*use, std::array{op.tokens, values, op.copies, op.experts, ranks, nodes});
  } else {
    const hw::Family family = out ? hw::Family::dispatch : hw::Family::combine;
    const double sms = fitted.cluster.efficiency.lookup(family, Math::bf16).sm_reserved;
    if (sms <= 0.0) return std::nullopt;
    // the tables are of free routing; a group-limited router reaches fewer ranks and nodes
    const forms::GroupLimit limit{static_cast<double>(op.n_group),
                                  static_cast<double>(op.topk_group)};
    answer = fitted(*use, std::array{op.tokens, values, op.copies, op.experts, ranks, nodes, sms,
                                     forms::distinct_bins(op.copies, ranks, op.experts, limit),
                                     forms::distinct_bins(op.copies, nodes, op.experts, limit)});
  }
  if (answer) answer->total *= net::hot_side(op);
  return answer;
}

struct Visitor {
  const Evaluation& fitted;
  Answer operator()(const ops::Gemm& o) const { return gemm(o, fitted); }
  Answer operator()(const ops::GroupedGemm& o) const { return grouped(o, fitted); }
  Answer operator()(const ops::Attention& o) const { return attention(o, fitted); }
  Answer operator()(const ops::LatentAttention& o) const { return latent(o, fitted); }
  Answer operator()(const ops::Collective& o) const { return collective(o, fitted); }
  Answer operator()(const ops::ExpertExchange& o) const { return exchange(o, fitted); }
  template <class T>
  Answer operator()(const T& /*unfitted*/) const {
    return std::nullopt;
  }
};

}  // namespace

bool times_experts_whole(const ops::GroupedGemm& op, const hw::Cluster& cluster) {
  return !has(cluster, products_use(op)) && has(cluster, experts_use(op));
}

std::optional<hw::FormUse> fitted_exchange(const ops::ExpertExchange& op,
                                           const hw::Cluster& cluster) {
  const std::optional<FormUse> use = exchange_use(op, cluster);
  return has(cluster, use) ? use : std::nullopt;
}

std::optional<FittedTime> fitted_time(const ops::Op& op, const FitContext& context) {
  return std::visit(
      Visitor{Evaluation{context.cluster, context.math, context.sm_share, context.trace}}, op);
}

}  // namespace fathom::timing
