#include "study/kernel_error.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>
#include <span>

#include "core/error.hpp"
#include "core/rng.hpp"
#include "forms/form.hpp"

namespace fathom::study {
namespace {

using hw::Efficiency;
using hw::Family;

// What an efficiency that is assumed for a device adds to its cause's sigma. For transfers: median
// error of forms fitted on other devices and asked about this one by its data sheet alone, over
// 0.6745 (the median of |z|); medians over kernel families of `fathom validate --measured` on
// aiconfigurator's and InferSim's tables. Same generation: H100 to H200 and H800 to H20 (GEMM 6.4
// %, experts 7.6 %, attention 5.8 %, mHC 5.8 %, communication 4.5 %); other: H100 and H200 to B200
// (30 %, 12 %, 9.5 %, 12 %, 29 %). Judgements, which nothing measures: 15 %.
double transfer_sigma(Cause cause, hw::Evidence evidence, hw::Transfer transfer) {
  constexpr double kMedianOfNormal = 0.6745;
  constexpr double kJudgement = 0.15;
  struct Medians {
    double same_generation;
    double other_generation;
  };
  if (evidence != hw::Evidence::assumed) return 0.0;
  if (transfer == hw::Transfer::none) return kJudgement;
  const Medians medians = [cause]() -> Medians {
    switch (cause) {
      case Cause::gemm:
        return {0.064, 0.30};
      case Cause::grouped_gemm:
        return {0.076, 0.118};
      case Cause::attention_core:
        return {0.058, 0.095};
      case Cause::elementwise:
        return {0.058, 0.121};
      default:  // wires, and the SM time of all-to-all kernels
        return {0.045, 0.29};
    }
  }();
  const bool same = transfer == hw::Transfer::same_generation;
  return (same ? medians.same_generation : medians.other_generation) / kMedianOfNormal;
}

Cause cause_of(Family family) {
  switch (family) {
    case Family::gemm:
    case Family::batched_gemm:
      return Cause::gemm;
    case Family::grouped_gemm:
    case Family::grouped_gemm_decode:
      return Cause::grouped_gemm;
    case Family::attention_prefill:
    case Family::attention_decode:
    case Family::mla_prefill:
    case Family::mla_decode:
    case Family::sparse_attention:
    case Family::sparse_prefill:
    case Family::indexer:
    case Family::linear_attention:
      return Cause::attention_core;
    default:
      return hw::is_communication(family) ? Cause::communication : Cause::elementwise;
  }
}

Cause cause_of(hw::FormUse use) {
  using hw::FormUse;
  switch (use) {
    case FormUse::gemm_bf16:
    case FormUse::gemm_fp8:
    case FormUse::gemm_fp4:
    case FormUse::batched_gemm:
      return Cause::gemm;
    case FormUse::grouped_prefill:
    case FormUse::grouped_decode:
    case FormUse::experts_bf16:
    case FormUse::experts_fp8:
    case FormUse::experts_fp4:
      return Cause::grouped_gemm;
    case FormUse::mla_prefill:
    case FormUse::mla_decode:
    case FormUse::mla_decode_fp8_cache:
    case FormUse::attention_prefill:
    case FormUse::attention_prefill_fp8_cache:
    case FormUse::gqa_decode:
    case FormUse::gqa_decode_fp8_cache:
    case FormUse::mha_decode:
    case FormUse::mha_decode_fp8_cache:
      return Cause::attention_core;
    default:
      return Cause::communication;
  }
}

double of(const Draw& draw, Cause cause) { return draw[static_cast<std::size_t>(cause)]; }

// Every term of a family's time grows by `factor`.
void slow_down(Efficiency& e, double factor) {
  e.overhead *= factor;
  e.floor *= factor;
  e.compute /= factor;
  e.memory /= factor;
  e.near /= factor;
  e.feed = e.feed / factor;
  e.cache_rate = e.cache_rate / factor;
}

// Whether `unit` stands in the name as a word of its own before "_per_" or at the end.
bool names_unit(std::string_view parameter, std::string_view unit) {
  for (auto at = parameter.find(unit); at != std::string_view::npos;
       at = parameter.find(unit, at + 1)) {
    if (at > 0 && parameter[at - 1] != '_') continue;
    const std::string_view rest = parameter.substr(at + unit.size());
    if ((rest.empty() && at > 0) || rest.starts_with("_per_")) return true;
  }
  return false;
}

// +1: a time or an amount of traffic, -1: a rate, 0: neither; forms name the unit of every
// parameter (forms/form.hpp).
int time_power(std::string_view parameter) {
  for (const std::string_view unit : {"us", "ns", "ps"}) {
    if (names_unit(parameter, unit)) return 1;
  }
  if (parameter.ends_with("_passes") || parameter.ends_with("_bytes")) return 1;
  return parameter.ends_with("_share") || parameter.ends_with("_gb_s") ? -1 : 0;
}

// A form's time grows by `factor` when each of its times does and each of its rates falls.
void slow_down(hw::FittedForm& fitted, std::span<const int> powers, double factor) {
  for (std::size_t i = 0; i < powers.size(); ++i) {
    if (powers[i] != 0) fitted.in_step.at(i) *= powers[i] > 0 ? factor : 1.0 / factor;
  }
  fitted.launch_gap *= factor;
}

// A fit is at least as uncertain as what its own held-out rows show.
double factor_of(const Draw& draw, Cause cause, const hw::FittedForm& fitted) {
  constexpr double kMedianOfNormal = 0.6745;  // median of |z|
  const double own = std::max(sigma(cause), fitted.median_error / kMedianOfNormal);
  const double transfer = transfer_sigma(cause, fitted.evidence, fitted.transfer);
  return std::exp(std::hypot(own, transfer) * of(draw, cause));
}

// An entry that was fitted on its machine knows its own spread.
double factor_of(const Draw& draw, Cause cause, const Efficiency& e) {
  const double transfer = transfer_sigma(cause, e.evidence, e.transfer);
  const double own = e.log_sigma > 0.0 ? e.log_sigma : sigma(cause);
  return std::exp(std::hypot(own, transfer) * of(draw, cause));
}

bool same_spread(const Efficiency& a, const Efficiency& b) {
  return a.evidence == b.evidence && a.transfer == b.transfer && a.log_sigma == b.log_sigma;
}

// The MLA core's share of the peak bounds its form (timing/fitted.cpp): both move together.
double factor_of(const Draw& draw, Family family, const Efficiency& e, const hw::FormTable& forms) {
  const auto& core = forms[static_cast<std::size_t>(hw::FormUse::mla_decode)];
  const Cause cause = cause_of(family);
  return family == Family::mla_decode && core ? factor_of(draw, cause, *core)
                                              : factor_of(draw, cause, e);
}

}  // namespace

std::string_view name(Cause cause) {
  constexpr std::array<std::string_view, kCauseCount> names{
      "gemm", "grouped_gemm", "attention_core", "elementwise", "communication", "all_to_all_sm",
      "load", "software",     "batch",          "acceptance",  "shape"};
  return names[static_cast<std::size_t>(cause)];
}

double sigma(Cause cause) {
  // residuals of the kernel tables, and for all-to-all SM time the spread of public unit-test logs
  constexpr std::array<double, kCauseCount> sigmas{0.08, 0.15, 0.08, 0.25, 0.15, 0.40};
  return sigmas[static_cast<std::size_t>(cause)];
}

std::vector<Draw> draws(int count, std::uint64_t seed) {
  FATHOM_EXPECT(count > 0, "an interval needs at least one draw");
  const boost::math::normal_distribution<double> normal;
  Rng rng{seed};
  std::vector<Draw> out(static_cast<std::size_t>(count));
  std::vector<std::size_t> order(out.size());
  for (std::size_t cause = 0; cause < kCauseCount; ++cause) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    rng.choose<std::size_t>(order, order.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double u = (static_cast<double>(order[i]) + 0.5) / static_cast<double>(count);
      out[i][cause] = boost::math::quantile(normal, u);
    }
  }
  return out;
}

FormPowers form_powers(const hw::FormTable& forms) {
  FormPowers out;
  for (std::size_t use = 0; use < forms.size(); ++use) {
    if (!forms[use]) continue;
    for (const forms::ParamRange& range :
         forms::all_forms()[forms[use]->form].ranges(forms[use]->group))
      out.at(use).push_back(time_power(range.name));
  }
  return out;
}

void vary(hw::Cluster& cluster, const Draw& draw, double everything) {
  vary(cluster, draw, form_powers(cluster.efficiency.forms), everything);
}

void vary(hw::Cluster& cluster, const Draw& draw, const FormPowers& powers, double everything) {
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    const Efficiency* last = nullptr;  // arithmetics of a family mostly share their spread
    double busy = 1.0;
    double factor = 1.0;
    for (Efficiency& e : cluster.efficiency.table[f]) {
      if (last == nullptr || !same_spread(*last, e)) {
        busy = factor_of(draw, Cause::all_to_all_sm, e) * everything;
        factor = factor_of(draw, family, e, cluster.efficiency.forms) * everything;
      }
      last = &e;
      slow_down(e, factor);
      e.sm_busy_fixed_s *= busy;
      e.sm_busy_per_token_s *= busy;
    }
  }
  hw::FormTable& forms = cluster.efficiency.forms;
  for (std::size_t use = 0; use < forms.size(); ++use) {
    if (!forms[use]) continue;
    const Cause cause = cause_of(static_cast<hw::FormUse>(use));
    slow_down(*forms[use], powers.at(use), factor_of(draw, cause, *forms[use]) * everything);
  }
}

void restore(hw::Cluster& cluster, const hw::Cluster& original) {
  cluster.efficiency.table = original.efficiency.table;
  hw::FormTable& forms = cluster.efficiency.forms;
  for (std::size_t use = 0; use < forms.size(); ++use) {
    if (!forms[use]) continue;
    forms[use]->in_step = original.efficiency.forms[use]->in_step;
    forms[use]->launch_gap = original.efficiency.forms[use]->launch_gap;
  }
}

hw::Cluster at_quantile(const hw::Cluster& cluster, double q) {
  Draw draw;
  draw.fill(boost::math::quantile(boost::math::normal_distribution<double>{}, q));
  hw::Cluster out = cluster;
  vary(out, draw);
  return out;
}

}  // namespace fathom::study
