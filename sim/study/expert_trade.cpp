#include "study/expert_trade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "infer/serving_point.hpp"
#include "lang/say.hpp"
#include "model/params.hpp"
#include "net/collective_time.hpp"
#include "study/hardware_trade.hpp"
#include "study/load_source.hpp"
#include "study/sampled_load.hpp"

namespace fathom::study {
namespace {

using lang::say;

double real(std::int64_t value) { return static_cast<double>(value); }

double log10_choose(std::int64_t n, std::int64_t k) {
  return (std::lgamma(real(n) + 1.0) - std::lgamma(real(k) + 1.0) -
          std::lgamma(real(n - k) + 1.0)) /
         std::log(10.0);
}

// Wires and products of one MoE layer of the last step, the last one in the model.
void read_layer(const infer::StepModel& m, ExpertPoint& point) {
  for (const model::Block& block : m.mapped.blocks) {
    const auto begin = static_cast<std::size_t>(block.begin);
    const auto end = static_cast<std::size_t>(block.end);
    const bool moe = std::any_of(
        m.mapped.nodes.begin() + block.begin, m.mapped.nodes.begin() + block.end,
        [](const auto& node) { return std::holds_alternative<ops::GroupedGemm>(node.op); });
    if (!moe) continue;
    point.scale_up = point.scale_out = {};
    point.exchange = point.experts = {};
    Seconds longest;
    for (std::size_t i = begin; i < end; ++i) {
      const timing::OpTime& time = m.timed.nodes[i].time;
      if (const auto* exchange = std::get_if<ops::ExpertExchange>(&m.mapped.nodes[i].op)) {
        point.exchange += time.total;
        if (exchange->part == ops::ExchangePart::send ||
            exchange->part == ops::ExchangePart::receive) {
          continue;
        }
        const net::CommTime wires = net::time_of(*exchange, m.cluster);
        point.scale_up += wires.near_bytes;
        point.scale_out += wires.far_bytes;
      } else if (const auto* experts = std::get_if<ops::GroupedGemm>(&m.mapped.nodes[i].op)) {
        point.experts += time.total;
        point.experts_per_rank = experts->experts;
        point.touched = experts->touched_experts;
        if (experts->touched_experts > 0.0) {
          point.rows_per_touched = experts->rows / experts->touched_experts;
        }
        if (time.total > longest) {
          longest = time.total;
          point.experts_bound = time.bound;
        }
      }
    }
  }
}

ExpertPoint point_of(const model::ArchSpec& arch, const hw::Cluster& cluster,
                     const mapping::Plan& plan, const ExpertTradeRequest& request) {
  ExpertPoint point{.plan = plan, .moe = moe_layers(arch).back()};
  const model::ParamCount params = model::count_params(arch);
  point.parameters = params.total_main;
  point.activated = params.activated_main_incl_embedding_and_head;
  point.log10_choices = log10_choose(point.moe.n_routed_experts, point.moe.num_experts_per_tok);
  if (auto reason = mapping::infeasible(arch, plan, cluster)) {
    point.infeasible = *reason;
    return point;
  }
  infer::StepModel m =
      infer::make_step_model(arch, cluster, plan, {.precision = model::default_precision(arch)});
  point.weights = *std::ranges::max_element(m.weights);
  const double devices = real(mapping::devices(plan));
  const auto outcome = infer::decode(m, {.sequences = real(request.sequences_per_device) * devices,
                                         .context_tokens = real(request.context_tokens)});
  read_layer(m, point);
  if (const auto* no = std::get_if<infer::Infeasible>(&outcome)) {
    point.infeasible = no->reason;
    return point;
  }
  const auto& estimate = std::get<infer::InferEstimate>(outcome);
  point.step = estimate.step.cycle;
  point.exposed = estimate.step.step.exposed_communication;
  point.per_device = estimate.per_device;
  return point;
}

// Layers whose loads are drawn: the mean of so many moves by a percent or two with the seed, and
// all of DeepSeek-V3's take seconds.
constexpr std::int64_t kSkewLayers = 8;

// One redundant expert per rank when balanced: DeepSeek-V3 report, section 3.4.1 (32 on EP32).
SkewPoint skew_point(const model::ArchSpec& arch, const hw::Cluster& cluster,
                     const ExpertTradeRequest& request, double exponent, bool balanced) {
  SkewPoint out{.exponent = exponent, .balanced = balanced};
  mapping::Plan plan{.ep = request.ep_of_others, .dp = request.ep_of_others};
  if (balanced) plan.redundant_experts = plan.ep;
  if (!mapping::infeasible(arch, plan, cluster)) {
    LoadSource source{.kind = LoadSource::Kind::zipf, .exponent = exponent};
    if (exponent <= 0.0) source.kind = LoadSource::Kind::uniform;
    source.layers = kSkewLayers;
    const SampledLoad load =
        sample_load(source, arch, plan, cluster, real(request.sequences_per_device * plan.ep));
    out.load = used(load).mean;
    out.worst = used(load).worst;
    plan.expert_load = out.load;
  }
  out.point = point_of(arch, cluster, plan, request);
  return out;
}

template <class Change>
model::ArchSpec changed_experts(const model::ArchSpec& arch, const Change& change) {
  model::ArchSpec out = arch;
  for (model::LayerSpec& layer : out.kinds) {
    if (layer.moe.n_routed_experts > 0) change(layer.moe);
  }
  if (out.mtp_layer.moe.n_routed_experts > 0) change(out.mtp_layer.moe);
  return out;
}

void confess(const ExpertTradeRequest& request, Basis& basis) {
  add_note(basis, say("Decode steps of {} sequences per GPU at {} tokens of context, "
                      "without two-batch overlap: communication is exposed.",
                      request.sequences_per_device, request.context_tokens));
  add_note(basis,
           "Routers other than the published one choose experts evenly and within the published "
           "groups. Changed models keep total expert width (granularity) or the arithmetic of a "
           "token (both); nobody trained them, so nothing is said about their quality.");
  add_note(basis,
           "Skew: the r-th most popular expert of a layer has a share ~ r^-s; load is the slowest "
           "rank's rows over the mean, averaged over 8 layers drawn at random. EPLB places experts "
           "by their expected "
           "load with one redundant expert per rank (DeepSeek-V3 report, section 3.4.1).");
}

void check(const ExpertTradeRequest& request, std::string_view where) {
  check_ascending(request.ep, "ep", where);
  for (std::size_t i = 0; i < request.skew.size(); ++i) {
    if (request.skew[i] >= 0.0 && request.skew[i] <= 4.0) continue;
    throw InputError(fmt::format("{}/skew/{}: found {}, expected a Zipf exponent from 0 to 4",
                                 where, i, request.skew[i]));
  }
}

}  // namespace

model::ArchSpec with_granularity(const model::ArchSpec& arch, double factor,
                                 std::string_view where) {
  const auto scaled = [&](std::int64_t value, double by, const char* what) {
    const double result = real(value) * by;
    if (result < 1.0 || result != std::floor(result)) {
      throw InputError(fmt::format("{}: found {}, {} = {} would become {}; expected whole numbers",
                                   where, factor, what, value, result));
    }
    return static_cast<std::int64_t>(result);
  };
  if (!(factor > 0.0))
    throw InputError(fmt::format("{}: found {}, expected above 0", where, factor));
  return changed_experts(arch, [&](model::MoeSpec& moe) {
    moe.n_routed_experts = scaled(moe.n_routed_experts, factor, "n_routed_experts");
    moe.num_experts_per_tok = scaled(moe.num_experts_per_tok, factor, "num_experts_per_tok");
    moe.moe_intermediate_size =
        scaled(moe.moe_intermediate_size, 1.0 / factor, "moe_intermediate_size");
    moe.topk_group = std::min(moe.topk_group, moe.num_experts_per_tok);
  });
}

model::ArchSpec with_shared_experts(const model::ArchSpec& arch, std::int64_t shared,
                                    std::string_view where) {
  return changed_experts(arch, [&](model::MoeSpec& moe) {
    const std::int64_t routed = moe.num_experts_per_tok + moe.n_shared_experts - shared;
    if (shared < 0 || routed < 1 || routed > moe.n_routed_experts) {
      throw InputError(fmt::format("{}: found {}, expected 0 to {} shared experts", where, shared,
                                   moe.num_experts_per_tok + moe.n_shared_experts - 1));
    }
    moe.n_shared_experts = shared;
    moe.num_experts_per_tok = routed;
    moe.shared_intermediate_size = shared * moe.moe_intermediate_size;
  });
}

ExpertTrade trade_experts(const ExpertTradeRequest& request, std::string_view where) {
  check(request, where);
  const model::Model model = model::load_model(request.model);
  const model::ArchSpec& arch = model.arch;
  if (arch.kv_cache_only || moe_layers(arch).empty()) {
    throw InputError(fmt::format("{}/model: {} has no experts; expected a mixture of experts",
                                 where, arch.name));
  }
  const hw::Cluster cluster = hw::load_cluster(request.hardware);
  ExpertTrade trade{.request = request, .model = arch.name, .hardware = cluster.id};
  confess(request, trade.basis);
  const auto each = [](const auto& list, const auto& body) {
    return parallel_map(static_cast<std::int64_t>(list.size()), 0,
                        [&](std::int64_t i) { return body(static_cast<std::size_t>(i)); });
  };
  trade.sizes = each(request.ep, [&](std::size_t i) {
    return point_of(arch, cluster, {.ep = request.ep[i], .dp = request.ep[i]}, request);
  });
  const std::vector<char> twice(2 * request.skew.size());
  trade.skews = each(twice, [&](std::size_t i) {
    return skew_point(arch, cluster, request, request.skew[i / 2], i % 2 == 1);
  });
  const mapping::Plan plan{.ep = request.ep_of_others, .dp = request.ep_of_others};
  trade.granularities = each(request.granularity, [&](std::size_t i) {
    const double factor = request.granularity[i];
    const auto at = fmt::format("{}/granularity/{}", where, i);
    return GranularityPoint{factor,
                            point_of(with_granularity(arch, factor, at), cluster, plan, request)};
  });
  trade.shared = each(request.shared, [&](std::size_t i) {
    const auto at = fmt::format("{}/shared_experts/{}", where, i);
    return point_of(with_shared_experts(arch, request.shared[i], at), cluster, plan, request);
  });
  add_model(trade.basis, model);
  add_cluster(trade.basis, cluster);
  return trade;
}

}  // namespace fathom::study
