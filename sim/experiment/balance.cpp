#include "experiment/balance.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/error.hpp"
#include "core/rng.hpp"
#include "kernels/ref/aux_loss.hpp"
#include "kernels/ref/balance.hpp"
#include "kernels/ref/gate_backward.hpp"
#include "kernels/ref/gate_switch.hpp"
#include "mapping/expert_placement.hpp"

namespace fathom::experiment {
namespace {

using kernels::Indices;
using kernels::Shape;
using Matrix = kernels::Tensor<double>;
namespace ref = kernels::ref;

constexpr double kNoise = 0.5;         // of a token around its cluster's centre, per dimension
constexpr double kStartNoise = 0.5;    // of the router around the teacher, relative
constexpr double kTeacherScale = 1.0;  // standard deviation of an affinity at a centre

Matrix normal_matrix(std::int64_t rows, std::int64_t columns, double deviation, Rng& random) {
  Matrix out{Shape{rows, columns}};
  for (double& v : out.data) v = deviation * random.normal();
  return out;
}

std::size_t last_quarter(std::size_t steps) { return steps - (steps + 3) / 4; }

// What all policies share: where tokens come from and what they want.
class Stream {
 public:
  Stream(const BalanceExperiment& setup, Rng& random)
      : setup_(setup),
        random_(random),
        centres_(normal_matrix(setup.clusters, setup.dim, 1.0, random)),
        teacher_(normal_matrix(setup.experts, setup.dim,
                               kTeacherScale / std::sqrt(static_cast<double>(setup.dim)), random)) {
  }

  const Matrix& teacher() const { return teacher_; }

  /// Tokens of one step: [tokens, dim].
  Matrix batch(std::int64_t step) {
    const std::vector<double> shares = cumulative_shares(step);
    Matrix x{Shape{setup_.tokens, setup_.dim}};
    for (std::int64_t t = 0; t < setup_.tokens; ++t) {
      const auto found = std::ranges::upper_bound(shares, random_.uniform() * shares.back());
      const auto cluster = std::min<std::int64_t>(found - shares.begin(), setup_.clusters - 1);
      for (std::int64_t i = 0; i < setup_.dim; ++i) {
        x[t * setup_.dim + i] = centres_[cluster * setup_.dim + i] + kNoise * random_.normal();
      }
    }
    return x;
  }

 private:
  // Zipf over the clusters, fading from one order into its reverse.
  std::vector<double> cumulative_shares(std::int64_t step) const {
    const double late = static_cast<double>(step) / static_cast<double>(setup_.steps);
    std::vector<double> shares;
    double sum = 0.0;
    for (std::int64_t c = 0; c < setup_.clusters; ++c) {
      const auto size = [&](std::int64_t rank) {
        return std::pow(static_cast<double>(rank + 1), -setup_.zipf);
      };
      sum += (1.0 - late) * size(c) + late * size(setup_.clusters - 1 - c);
      shares.push_back(sum);
    }
    return shares;
  }

  const BalanceExperiment& setup_;
  Rng& random_;
  Matrix centres_;  // [clusters, dim]
  Matrix teacher_;  // [experts, dim]
};

struct Policy {
  BalanceCurve curve;
  double alpha = 0.0;                   // of the balance loss
  double bias_speed = 0.0;              // of the loss-free update
  Matrix router;                        // [experts, dim]
  Matrix bias;                          // [experts]
  std::vector<std::int64_t> late_load;  // per expert, over the last quarter of the steps
};

std::vector<Policy> policies(const BalanceExperiment& setup, const Matrix& router) {
  std::vector<Policy> out;
  const auto add = [&](const std::string& name, double alpha, double bias_speed) {
    out.push_back(
        {.curve = {.policy = name, .coefficient = alpha + bias_speed},
         .alpha = alpha,
         .bias_speed = bias_speed,
         .router = router,
         .bias = Matrix{Shape{setup.experts}},
         .late_load = std::vector<std::int64_t>(static_cast<std::size_t>(setup.experts))});
  };
  add("none", 0.0, 0.0);
  for (const double alpha : setup.balance_alphas) add("balance loss", alpha, 0.0);
  for (const double speed : setup.bias_update_speeds) add("bias", 0.0, speed);
  return out;
}

// Affinity per choice that a routing gives away against the best `topk` experts of every token.
double regret_of(const Matrix& affinity, const Indices& chosen) {
  double lost = 0.0;
  for (std::int64_t t = 0; t < chosen.rows(); ++t) {
    const auto row = affinity.row(t);
    for (const auto e : ref::top_indices<double>(row, chosen.dim(-1))) {
      lost += row[static_cast<std::size_t>(e)];
    }
    for (const auto e : chosen.row(t)) lost -= row[static_cast<std::size_t>(e)];
  }
  return lost / static_cast<double>(chosen.size());
}

// d objective / d routing weights, the objective being minus the mean weighted affinity.
Matrix objective_gradient(const Matrix& affinity, const Indices& chosen) {
  Matrix grad{chosen.shape};
  for (std::int64_t i = 0; i < chosen.size(); ++i) {
    const std::int64_t token = i / chosen.dim(-1);
    grad[i] = -affinity[token * affinity.dim(-1) + chosen[i]] / static_cast<double>(chosen.rows());
  }
  return grad;
}

struct Step {
  const Matrix& x;
  const Matrix& affinity;  // [tokens, experts]
  bool late = false;       // counts for the final load
};

void learn(const BalanceExperiment& setup, const ref::GateSpec& spec, const Step& step,
           const Matrix& logits, const ref::GateResult<double>& gate, Policy& policy) {
  Matrix grad =
      ref::gate_backward(spec, logits, gate, objective_gradient(step.affinity, gate.indices));
  if (policy.alpha > 0.0) {
    constexpr auto kBalanced = ref::ScoreFunction::normalised_sigmoid;
    const Matrix shares = ref::router_scores<double>(kBalanced, logits);
    const auto loss = ref::expert_balance_loss(shares, gate.indices, policy.alpha);
    grad = ref::add(grad, ref::scores_backward(kBalanced, logits, shares, loss.gradient));
  }
  const Matrix router_grad = ref::router_weight_gradient(grad, step.x);
  for (std::int64_t i = 0; i < router_grad.size(); ++i) {
    policy.router[i] -= setup.learning_rate * router_grad[i];
  }
}

void advance(const BalanceExperiment& setup, const Step& step, Policy& policy) {
  const ref::GateSpec spec{.num_experts_per_tok = setup.topk};
  const Matrix logits = ref::router_logits(step.x, policy.router);
  const auto gate = ref::gate_topk(spec, logits, policy.bias);
  const std::vector<std::int64_t> load = ref::expert_counts(gate.indices, setup.experts).data;
  const auto most = ref::expert_capacity(gate.indices.size(), setup.experts, setup.capacity_factor);
  const auto dropped = ref::limit_capacity(gate, setup.experts, most).dropped;
  policy.curve.max_violation.push_back(ref::max_violation(load));
  policy.curve.dropped_share.push_back(static_cast<double>(dropped) /
                                       static_cast<double>(gate.indices.size()));
  policy.curve.regret.push_back(regret_of(step.affinity, gate.indices));
  for (std::size_t e = 0; step.late && e < load.size(); ++e) policy.late_load[e] += load[e];
  learn(setup, spec, step, logits, gate, policy);
  if (policy.bias_speed > 0.0) ref::update_bias(policy.bias, load, policy.bias_speed);
}

// Fullest rank over the mean before and after EPLB has seen the load of the last quarter.
void place(const BalanceExperiment& setup, Policy& policy) {
  const auto ranks = static_cast<std::size_t>(setup.ranks);
  const std::vector<float> load(policy.late_load.begin(), policy.late_load.end());
  std::vector<std::int64_t> per_rank(ranks);
  for (std::size_t e = 0; e < load.size(); ++e) {
    per_rank[e * ranks / load.size()] += policy.late_load[e];
  }
  policy.curve.rank_peak = 1.0 + ref::max_violation(per_rank);
  const mapping::PlacementSpec spec{.num_replicas = setup.experts + setup.redundant,
                                    .num_gpus = setup.ranks};
  const auto placement = mapping::rebalance_experts({load}, spec).front();
  policy.curve.rank_peak_eplb =
      1.0 / mapping::balancedness(mapping::per_gpu_load(load, placement, setup.ranks));
}

}  // namespace

BalanceResult run_balance(const BalanceExperiment& setup) {
  FATHOM_EXPECT(setup.steps > 0 && setup.tokens > 0 && setup.clusters > 0, "an empty experiment");
  FATHOM_EXPECT(setup.experts % setup.ranks == 0, "ranks with unequal numbers of experts");
  Rng random{setup.seed};
  Stream stream{setup, random};
  const double start_noise =
      kStartNoise * kTeacherScale / std::sqrt(static_cast<double>(setup.dim));
  const Matrix router =
      ref::add(stream.teacher(), normal_matrix(setup.experts, setup.dim, start_noise, random));
  std::vector<Policy> runs = policies(setup, router);
  for (std::int64_t s = 0; s < setup.steps; ++s) {
    const Matrix x = stream.batch(s);
    const Matrix affinity = ref::linear(x, stream.teacher());
    const bool late =
        static_cast<std::size_t>(s) >= last_quarter(static_cast<std::size_t>(setup.steps));
    for (Policy& run : runs) advance(setup, {.x = x, .affinity = affinity, .late = late}, run);
  }
  BalanceResult result{.setup = setup};
  for (Policy& run : runs) {
    place(setup, run);
    result.curves.push_back(std::move(run.curve));
  }
  return result;
}

double settled(const std::vector<double>& per_step) {
  FATHOM_EXPECT(!per_step.empty(), "a curve without steps");
  const auto late = std::span{per_step}.subspan(last_quarter(per_step.size()));
  double sum = 0.0;
  for (const double v : late) sum += v;
  return sum / static_cast<double>(late.size());
}

}  // namespace fathom::experiment
