#include "kernels/ref/balance.hpp"

#include <cmath>
#include <numeric>

#include "catch.hpp"
#include "experiment/balance.hpp"
#include "kernels/random_tensor.hpp"
#include "kernels/ref/aux_loss.hpp"
#include "kernels/ref/gate.hpp"

namespace {

using namespace fathom::kernels;
using namespace fathom::kernels::ref;
using namespace fathom::kernels::test;

// Logits whose first experts are liked more by every token.
Tensor<double> skewed_logits(std::int64_t tokens, std::int64_t experts, std::uint64_t seed) {
  Tensor<double> logits = random_tensor({tokens, experts}, seed, 1.0);
  for (std::int64_t i = 0; i < logits.size(); ++i) {
    logits[i] += 2.0 * (1.0 - static_cast<double>(i % experts) / static_cast<double>(experts));
  }
  return logits;
}

fathom::experiment::BalanceExperiment small_experiment() {
  return {.experts = 16,
          .topk = 2,
          .tokens = 128,
          .steps = 80,
          .ranks = 4,
          .redundant = 4,
          .clusters = 12,
          .balance_alphas = {0.3, 30.0},
          .bias_update_speeds = {0.01}};
}

}  // namespace

TEST_CASE("the violation of an even load is zero, of all on one expert n - 1",
          "[kernels][balance]") {
  CHECK(max_violation(std::vector<std::int64_t>{5, 5, 5, 5}) == 0.0);
  CHECK(max_violation(std::vector<std::int64_t>{0, 20, 0, 0}) == 3.0);
}

TEST_CASE("a bias step is u towards the mean and leaves balanced experts alone",
          "[kernels][balance]") {
  Tensor<double> bias{Shape{3}};
  update_bias(bias, std::vector<std::int64_t>{9, 5, 1}, 0.001);
  CHECK(bias.data == std::vector<double>{-0.001, 0.0, 0.001});
}

TEST_CASE("the bias balances a fixed skewed stream while weights stay unbiased",
          "[kernels][balance][property]") {
  constexpr std::int64_t kExperts = 16;
  const GateSpec spec{.num_experts_per_tok = 2};
  const auto logits = skewed_logits(256, kExperts, 1);
  Tensor<double> bias{Shape{kExperts}};
  const auto load = [&] {
    return expert_counts(gate_topk(spec, logits, bias).indices, kExperts).data;
  };
  const double before = max_violation(load());
  for (int step = 0; step < 400; ++step) update_bias(bias, load(), 0.001);
  CHECK(before > 1.0);
  CHECK(max_violation(load()) < 0.2);
  const auto balanced = gate_topk(spec, logits, bias);
  CHECK(balanced.weights == gate_chosen(spec, logits, balanced.indices).weights);
}

TEST_CASE("in the balance experiment every policy starts from the same routing",
          "[experiment][balance]") {
  const auto result = fathom::experiment::run_balance(small_experiment());
  REQUIRE(result.curves.size() == 4);
  for (const auto& curve : result.curves) {
    CHECK(curve.max_violation.size() == 80);
    CHECK(curve.max_violation.front() == result.curves.front().max_violation.front());
    CHECK(curve.regret.front() == result.curves.front().regret.front());
  }
}

TEST_CASE("in the balance experiment balancing costs affinity, a strong loss more than the bias",
          "[experiment][balance]") {
  using fathom::experiment::settled;
  const auto curves = fathom::experiment::run_balance(small_experiment()).curves;
  const auto& none = curves[0];
  const auto& strong = curves[2];
  const auto& bias = curves[3];
  CHECK(settled(bias.max_violation) < 0.6 * settled(none.max_violation));
  CHECK(settled(strong.max_violation) < 0.6 * settled(none.max_violation));
  CHECK(settled(none.regret) < settled(bias.regret));
  CHECK(settled(bias.regret) < settled(strong.regret));
  CHECK(settled(bias.dropped_share) < settled(none.dropped_share));
}

TEST_CASE("EPLB lowers the fullest rank of an unbalanced router", "[experiment][balance]") {
  const auto none = fathom::experiment::run_balance(small_experiment()).curves.front();
  CHECK(none.rank_peak_eplb >= 1.0 - 1e-6);  // float32 loads
  CHECK(none.rank_peak_eplb < none.rank_peak);
}

TEST_CASE("the balance experiment gives equal results for equal seeds only",
          "[experiment][balance]") {
  auto setup = small_experiment();
  setup.steps = 4;
  const auto first = fathom::experiment::run_balance(setup);
  CHECK(first == fathom::experiment::run_balance(setup));
  setup.seed = 2;
  CHECK(first.curves != fathom::experiment::run_balance(setup).curves);
}

TEST_CASE("no curve of the balance experiment leaves its range",
          "[experiment][balance][property]") {
  for (const auto& curve : fathom::experiment::run_balance(small_experiment()).curves) {
    for (std::size_t s = 0; s < curve.regret.size(); ++s) {
      CHECK(curve.max_violation[s] >= 0.0);
      CHECK(curve.regret[s] >= -1e-12);
      CHECK(curve.dropped_share[s] >= 0.0);
      CHECK(curve.dropped_share[s] < 1.0);
    }
  }
}
