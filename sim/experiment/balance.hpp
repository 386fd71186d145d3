#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::experiment {

/// How well three ways of balancing experts keep a router useful. A synthetic stream: tokens come
/// from clusters around fixed centres, cluster sizes follow Zipf's law and drift from one order to
/// its reverse. A teacher gives every token an affinity to every expert; the router starts near the
/// teacher and learns by plain gradient descent to give weight to experts of high affinity, so an
/// auxiliary loss has something to push against. All policies see the same tokens.
struct BalanceExperiment {
  std::int64_t experts = 32;
  std::int64_t topk = 4;
  std::int64_t tokens = 256;  // per step
  std::int64_t steps = 120;
  std::int64_t ranks = 8;      // experts lie on them in equal consecutive runs
  std::int64_t redundant = 8;  // slots that EPLB may add for copies of hot experts
  std::int64_t dim = 16;
  std::int64_t clusters = 24;
  double zipf = 1.0;  // exponent of the cluster sizes
  double learning_rate = 1.0;
  /// Coefficients of the balance loss, one run each. The objective is in units of affinity, so they
  /// do not compare with those of language models.
  std::vector<double> balance_alphas = {0.3, 3.0, 30.0};
  /// u of the loss-free runs. V3 trains with 0.001; a run of a hundred steps needs larger ones.
  std::vector<double> bias_update_speeds = {0.001, 0.01};
  double capacity_factor = 1.25;  // at which dropped pairs are counted; nothing is dropped
  std::uint64_t seed = 1;
  bool operator==(const BalanceExperiment&) const = default;
};

/// One policy's run, per step.
struct BalanceCurve {
  std::string policy;                 // "none", "balance loss", "bias"
  double coefficient = 0.0;           // alpha of the loss, u of the bias
  std::vector<double> max_violation;  // max load / mean - 1 over experts
  std::vector<double> dropped_share;  // of (token, choice) pairs, at the capacity factor
  std::vector<double> regret;         // affinity lost per choice against the teacher's own top-k
  double rank_peak = 0.0;       // last quarter's load: fullest rank over the mean, experts in order
  double rank_peak_eplb = 0.0;  // the same after EPLB has placed experts and redundant copies
  bool operator==(const BalanceCurve&) const = default;
};

struct BalanceResult {
  BalanceExperiment setup;
  std::vector<BalanceCurve> curves;  // none, one per balance_alphas, one per bias_update_speeds
  bool operator==(const BalanceResult&) const = default;
};

/// Runs all policies. Deterministic: equal setups give equal results.
BalanceResult run_balance(const BalanceExperiment& setup);

/// Mean of the last quarter of a curve: what it settles at.
double settled(const std::vector<double>& per_step);

}  // namespace fathom::experiment
