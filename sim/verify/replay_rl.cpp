#include <string>
#include <utility>

#include "rl/advantage.hpp"
#include "rl/kl.hpp"
#include "rl/policy_loss.hpp"
#include "rl/value_loss.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using kernels::Tensor;
using namespace rl;

bool matches_rl(const GoldenCase& c) {
  return c.has_input("old_logp") && c.has_input("new_logp") && c.has_input("mask") &&
         c.has_input("group_index");
}

template <class T>
Tensor<T> scalar(T value) {
  return {{1}, {std::move(value)}};
}

/// The numbers of the config, each at the default of volcengine/verl where it is missing.
struct Settings {
  explicit Settings(const GoldenCase& c) {
    JsonReader in = c.config_reader();
    const auto number = [&in](const char* key, double fallback) {
      return in.number_or(key, fallback, 0.0, 1e9);
    };
    gae = {.gamma = number("gamma", 1.0), .lambda = number("lam", 1.0)};
    const double range = number("clip", 0.2);
    clip = {.low = range, .high = range, .dual = number("clip_ratio_c", 3.0)};
    clip_higher = {
        .low = number("clip_low", range), .high = number("clip_high", range), .dual = clip.dual};
    value_range = number("cliprange_value", 0.2);
    kl_coefficient = number("kl_coef", 0.0);
  }

  GaeSpec gae;
  ClipSpec clip;
  ClipSpec clip_higher;
  double value_range = 0.0;
  double kl_coefficient = 0.0;
};

template <class T>
void put_policy(const PolicyBatch<T>& batch, const Settings& settings, Produced<T>& out) {
  const std::pair<const char*, Aggregation> modes[] = {
      {"loss.token-mean", Aggregation::token_mean},
      {"loss.seq-mean-token-sum", Aggregation::seq_mean_token_sum},
      {"loss.seq-mean-token-mean", Aggregation::seq_mean_token_mean},
      {"loss.seq-mean-token-sum-norm", Aggregation::seq_mean_token_sum_norm}};
  for (const auto& [name, mode] : modes) {
    out.put(name, scalar(policy_loss(batch, settings.clip, mode).loss));
  }
  const auto loss = policy_loss(batch, settings.clip, Aggregation::token_mean);
  out.put("grad_new", loss.gradient);
  out.put("clipfrac", scalar(loss.clip_fraction));
  out.put("clipfrac_lower", scalar(loss.dual_clip_fraction));
  out.put("approx_kl", scalar(loss.approximate_kl));
  out.put("loss.clip_higher",
          scalar(policy_loss(batch, settings.clip_higher, Aggregation::token_mean).loss));
}

template <class T>
void put_kl(const GoldenCase& c, Produced<T>& out) {
  const auto logp = c.input<T>("new_logp");
  const auto ref = c.input<T>("ref_logp");
  out.put("kl.k1", kl_penalty(logp, ref, KlEstimator::k1));
  out.put("kl.abs", kl_penalty(logp, ref, KlEstimator::absolute));
  out.put("kl.k2", kl_penalty(logp, ref, KlEstimator::k2));
  out.put("kl.k3", kl_penalty(logp, ref, KlEstimator::k3));
}

template <class T>
void replay_rl(const GoldenCase& c, Produced<T>& out) {
  const Settings settings{c};
  const auto mask = c.input<T>("mask");
  const auto rewards = c.input<T>("rewards");
  const auto dense = c.input<T>("rewards_dense");
  const auto values = c.input<T>("values");
  const auto old_logp = c.input<T>("old_logp");
  const auto group = c.input_ids("group_index");

  const auto grpo = group_advantage(rewards, mask, group, Baseline::grpo);
  out.put("grpo_adv", grpo);
  out.put("drgrpo_adv", group_advantage(rewards, mask, group, Baseline::dr_grpo));
  out.put("rloo_adv", group_advantage(rewards, mask, group, Baseline::rloo));
  const Gae<T> estimate = gae(dense, values, mask, settings.gae);
  out.put("gae_adv_raw", estimate.advantages);
  out.put("gae_returns", estimate.returns);
  out.put("gae_adv_whitened", estimate.whitened);

  put_policy<T>({c.input<T>("new_logp"), old_logp, grpo, mask}, settings, out);
  put_kl(c, out);
  const ValueLoss<T> value =
      value_loss<T>({c.input<T>("vpreds"), values, estimate.returns, mask}, settings.value_range);
  out.put("value_loss", scalar(value.loss));
  out.put("value_clipfrac", scalar(value.clip_fraction));
  out.put("rewards_with_kl",
          rewards_with_kl(rewards, old_logp, c.input<T>("ref_logp"), settings.kl_coefficient));
  const auto entropy = entropy_from_logits(c.input<T>("logits"));
  out.put("entropy_loss", scalar(aggregate(entropy, mask, Aggregation::token_mean)));
}

}  // namespace

extern const Family kRl;
const Family kRl{"rl", matches_rl, replay_rl<float>, replay_rl<double>};

}  // namespace fathom::verify
