#include <cmath>
#include <limits>

#include "../kernels/random_tensor.hpp"
#include "catch.hpp"
#include "rl/advantage.hpp"
#include "rl/kl.hpp"
#include "rl/policy_loss.hpp"
#include "rl/value_loss.hpp"

using namespace fathom::rl;
using fathom::kernels::test::max_difference;
using fathom::kernels::test::numeric_gradient;
using fathom::kernels::test::random_tensor;

namespace {

Tensor<double> ones(std::int64_t batch, std::int64_t length) {
  return each_token(Tensor<double>{{batch, length}}, [](std::int64_t) { return 1.0; });
}

/// Responses of different lengths: sequence s has length - s tokens.
Tensor<double> ragged_mask(std::int64_t batch, std::int64_t length) {
  return each_token(Tensor<double>{{batch, length}}, [length](std::int64_t i) {
    return i % length < length - i / length ? 1.0 : 0.0;
  });
}

PolicyBatch<double> random_batch(std::uint64_t seed) {
  // Log-ratios up to 2: some ratios lie outside of every clip range.
  return {.new_logp = random_tensor({3, 5}, seed),
          .old_logp = random_tensor({3, 5}, seed + 1),
          .advantages = random_tensor({3, 5}, seed + 2, 2.0),
          .mask = ragged_mask(3, 5)};
}

const Aggregation kModes[] = {Aggregation::token_mean, Aggregation::seq_mean_token_sum,
                              Aggregation::seq_mean_token_mean,
                              Aggregation::seq_mean_token_sum_norm};

}  // namespace

TEST_CASE("group advantages have mean zero and, in GRPO, unit deviation", "[rl][property]") {
  const auto rewards = random_tensor({8, 1}, 51);
  const Indices group{{8}, {4, 4, 9, 4, 9, 9, 4, 9}};
  for (const Baseline baseline : {Baseline::grpo, Baseline::dr_grpo, Baseline::rloo}) {
    const auto advantage = group_advantage(rewards, ones(8, 1), group, baseline);
    for (const std::int64_t id : {4, 9}) {
      double sum = 0.0;
      double squares = 0.0;
      for (std::int64_t i = 0; i < 8; ++i) {
        if (group[i] != id) continue;
        sum += advantage[i];
        squares += advantage[i] * advantage[i];
      }
      CHECK(std::abs(sum) < 1e-12);
      if (baseline == Baseline::grpo) CHECK(std::abs(squares / 3.0 - 1.0) < 1e-4);
    }
  }
}

TEST_CASE("RLOO compares a response with the mean of the others", "[rl]") {
  const Tensor<double> rewards{{3, 1}, {1.0, 4.0, 10.0}};
  const auto advantage =
      group_advantage(rewards, ones(3, 1), Indices{{3}, {0, 0, 0}}, Baseline::rloo);
  CHECK(advantage[0] == Approx(1.0 - 7.0).epsilon(1e-12));
  CHECK(advantage[1] == Approx(4.0 - 5.5).epsilon(1e-12));
  CHECK(advantage[2] == Approx(10.0 - 2.5).epsilon(1e-12));
}

TEST_CASE("a response without siblings keeps its raw score, masked tokens get none", "[rl]") {
  const Tensor<double> rewards{{1, 3}, {0.5, 0.25, 0.0}};
  const Tensor<double> mask{{1, 3}, {1.0, 1.0, 0.0}};
  const Indices group{{1}, {7}};
  CHECK(group_advantage(rewards, mask, group, Baseline::dr_grpo).data ==
        std::vector<double>{0.75, 0.75, 0.0});
  CHECK(group_advantage(rewards, mask, group, Baseline::rloo)[1] == 0.75);
  CHECK(group_advantage(rewards, mask, group, Baseline::grpo)[1] == Approx(0.75).epsilon(1e-5));
}

TEST_CASE("undiscounted GAE returns are sums of the rewards to come", "[rl][law]") {
  const auto rewards = random_tensor({2, 6}, 52);
  const auto values = random_tensor({2, 6}, 53);
  const auto result = gae(rewards, values, ones(2, 6), {.gamma = 1.0, .lambda = 1.0});
  for (std::int64_t s = 0; s < 2; ++s) {
    double to_come = 0.0;
    for (std::int64_t i = 6 * s + 5; i >= 6 * s; --i) {
      to_come += rewards[i];
      CHECK(std::abs(result.returns[i] - to_come) < 1e-12);
    }
  }
}

TEST_CASE("GAE with lambda zero is the one-step error", "[rl][law]") {
  const auto rewards = random_tensor({1, 4}, 54);
  const auto values = random_tensor({1, 4}, 55);
  const auto result = gae(rewards, values, ones(1, 4), {.gamma = 0.9, .lambda = 0.0});
  for (std::int64_t i = 0; i < 4; ++i) {
    const double next = i < 3 ? values[i + 1] : 0.0;
    CHECK(std::abs(result.advantages[i] - (rewards[i] + 0.9 * next - values[i])) < 1e-12);
  }
}

TEST_CASE("GAE steps over masked tokens as if they were not there", "[rl][law]") {
  const Tensor<double> rewards{{1, 4}, {0.1, 99.0, 0.3, 0.7}};
  const Tensor<double> values{{1, 4}, {0.2, 99.0, 0.5, 0.4}};
  const Tensor<double> mask{{1, 4}, {1.0, 0.0, 1.0, 1.0}};
  const GaeSpec spec{.gamma = 0.9, .lambda = 0.8};
  const auto holed = gae(rewards, values, mask, spec).advantages;
  const auto dense = gae(Tensor<double>{{1, 3}, {0.1, 0.3, 0.7}},
                         Tensor<double>{{1, 3}, {0.2, 0.5, 0.4}}, ones(1, 3), spec)
                         .advantages;
  CHECK(holed[0] == dense[0]);
  CHECK(holed[1] == dense[1]);  // carried through
  CHECK(holed[2] == dense[1]);
}

TEST_CASE("whitened tokens have mean zero and variance one", "[rl][property]") {
  const auto x = random_tensor({4, 9}, 56, 5.0);
  const auto mask = ragged_mask(4, 9);
  const auto white = masked_whiten(x, mask);
  double sum = 0.0;
  double squares = 0.0;
  double count = 0.0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    sum += mask[i] * white[i];
    squares += mask[i] * white[i] * white[i];
    count += mask[i];
  }
  CHECK(std::abs(sum) < 1e-6);
  CHECK(std::abs(squares / (count - 1.0) - 1.0) < 1e-6);
}

TEST_CASE("the policy gradient is the slope of the loss", "[rl][property]") {
  const Aggregation mode = GENERATE(from_range(std::begin(kModes), std::end(kModes)));
  for (const ClipSpec clip : {ClipSpec{}, ClipSpec{.low = 0.2, .high = 0.28, .dual = 1.5}}) {
    PolicyBatch<double> batch = random_batch(57);
    const auto gradient = policy_loss(batch, clip, mode).gradient;
    const auto slope = numeric_gradient(
        [&](const Tensor<double>& logp) {
          return policy_loss<double>({logp, batch.old_logp, batch.advantages, batch.mask}, clip,
                                     mode)
              .loss;
        },
        batch.new_logp);
    CHECK(max_difference(gradient, slope) < 1e-8);
  }
}

TEST_CASE("on policy the loss is minus the mean advantage and nothing clips", "[rl][law]") {
  PolicyBatch<double> batch = random_batch(58);
  batch.new_logp = batch.old_logp;
  const auto result = policy_loss(batch, {}, Aggregation::token_mean);
  CHECK(std::abs(result.loss + masked_mean(batch.advantages, batch.mask)) < 1e-8);
  CHECK(result.clip_fraction == 0.0);
  CHECK(result.dual_clip_fraction == 0.0);
  CHECK(result.approximate_kl == 0.0);
}

TEST_CASE("clipping bounds what a token can gain, dual clipping what it can lose", "[rl][law]") {
  const ClipSpec clip{.low = 0.2, .high = 0.28, .dual = 3.0};
  const double far = std::log(10.0);
  CHECK(token_policy_loss(far, 1.0, clip).loss == Approx(-1.28).epsilon(1e-12));
  CHECK(token_policy_loss(-far, -1.0, clip).loss == Approx(0.8).epsilon(1e-12));
  CHECK(token_policy_loss(far, -1.0, clip).loss == 3.0);
  CHECK(token_policy_loss(far, -1.0, clip).dual_clipped);
  CHECK(token_policy_loss(-far, 1.0, clip).loss == Approx(-0.1).epsilon(1e-12));
  CHECK(token_policy_loss(1000.0, -1.0, {.dual = 1e300}).loss == Approx(std::exp(20.0)));
}

TEST_CASE("without padding the token and sequence means agree up to length", "[rl][law]") {
  const auto loss = random_tensor({4, 6}, 59);
  const auto mask = ones(4, 6);
  const double mean = aggregate(loss, mask, Aggregation::token_mean);
  const auto equals = [](double a, double b) { return std::abs(a - b) < 1e-8; };
  CHECK(equals(aggregate(loss, mask, Aggregation::seq_mean_token_mean), mean));
  CHECK(equals(aggregate(loss, mask, Aggregation::seq_mean_token_sum), 6.0 * mean));
  CHECK(equals(aggregate(loss, mask, Aggregation::seq_mean_token_sum_norm), 4.0 * mean));
}

TEST_CASE("masked tokens and empty sequences change no loss", "[rl][invariant]") {
  const Aggregation mode = GENERATE(from_range(std::begin(kModes), std::end(kModes)));
  Tensor<double> loss = random_tensor({3, 4}, 60);
  Tensor<double> mask = ragged_mask(3, 4);
  const double before = aggregate(loss, mask, mode);
  for (std::int64_t i = 0; i < loss.size(); ++i) {
    if (mask[i] == 0.0) loss[i] = std::numeric_limits<double>::quiet_NaN();
  }
  CHECK(aggregate(loss, mask, mode) == before);
  loss.shape = mask.shape = {4, 4};
  loss.data.resize(16, std::numeric_limits<double>::infinity());
  mask.data.resize(16, 0.0);
  CHECK(aggregate(loss, mask, mode) == before);
}

TEST_CASE("k3 is never negative and all estimators vanish at equality", "[rl][property]") {
  const auto difference = random_tensor({100}, 61, 3.0);
  for (const double d : difference.data) {
    CHECK(kl_estimate(d, KlEstimator::k3) >= 0.0);
    CHECK(kl_estimate(d, KlEstimator::absolute) == std::abs(d));
    CHECK(kl_estimate(d, KlEstimator::k2) == 0.5 * d * d);
  }
  for (const auto e : {KlEstimator::k1, KlEstimator::absolute, KlEstimator::k2, KlEstimator::k3}) {
    CHECK(kl_estimate(0.0, e) == 0.0);
  }
  CHECK(kl_estimate(-50.0, KlEstimator::k3) == kMaxK3);
}

TEST_CASE("k1 and k3 estimate the divergence without bias", "[rl][law]") {
  const std::vector<double> policy{0.5, 0.3, 0.2};
  const std::vector<double> reference{0.2, 0.2, 0.6};
  double exact = 0.0;
  double k1 = 0.0;
  double k3 = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double d = std::log(policy[i]) - std::log(reference[i]);
    exact += policy[i] * std::log(policy[i] / reference[i]);
    k1 += policy[i] * kl_estimate(d, KlEstimator::k1);
    k3 += policy[i] * kl_estimate(d, KlEstimator::k3);
  }
  CHECK(std::abs(k1 - exact) < 1e-12);
  CHECK(std::abs(k3 - exact) < 1e-12);
}

TEST_CASE("the reward penalty is the coefficient times k1", "[rl]") {
  const auto rewards = random_tensor({2, 3}, 62);
  const auto logp = random_tensor({2, 3}, 63);
  const auto ref = random_tensor({2, 3}, 64);
  const auto k1 = kl_penalty(logp, ref, KlEstimator::k1);
  const auto got = rewards_with_kl(rewards, logp, ref, 0.1);
  for (std::int64_t i = 0; i < 6; ++i) {
    CHECK(std::abs(got[i] - (rewards[i] - 0.1 * k1[i])) < 1e-15);
  }
}

TEST_CASE("the value loss takes the worse of the free and the held prediction", "[rl]") {
  // Held at 1.2: error 0.8 against 0 of the free prediction; the second token is within range.
  const ValueBatch<double> batch{.predictions = {{1, 2}, {2.0, 1.1}},
                                 .old_values = {{1, 2}, {1.0, 1.0}},
                                 .returns = {{1, 2}, {2.0, 1.0}},
                                 .mask = ones(1, 2)};
  const auto result = value_loss(batch, 0.2);
  CHECK(result.loss == Approx(0.5 * (0.8 * 0.8 + 0.1 * 0.1) / 2.0).epsilon(1e-12));
  CHECK(result.clip_fraction == Approx(0.5).epsilon(1e-6));
}

TEST_CASE("entropy is log V for equal logits, zero for a certain token", "[rl][law]") {
  Tensor<double> logits{{1, 2, 5}};
  logits[7] = 1000.0;  // second token: all mass on one entry
  const auto entropy = entropy_from_logits(logits);
  CHECK(entropy.shape == fathom::kernels::Shape{1, 2});
  CHECK(entropy[0] == Approx(std::log(5.0)).epsilon(1e-12));
  CHECK(std::abs(entropy[1]) < 1e-12);
}
