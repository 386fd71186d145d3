#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "catch.hpp"
#include "kernels/random_tensor.hpp"
#include "kernels/ref/gate.hpp"
#include "kernels/ref/gate_backward.hpp"
#include "kernels/ref/gate_switch.hpp"

namespace {

using namespace fathom::kernels;
using namespace fathom::kernels::ref;
using namespace fathom::kernels::test;

constexpr std::int64_t kTokens = 12;
constexpr std::int64_t kExperts = 16;
const std::vector<ScoreFunction> kFunctions{ScoreFunction::softmax, ScoreFunction::sigmoid,
                                            ScoreFunction::sqrt_softplus,
                                            ScoreFunction::normalised_sigmoid};

Tensor<double> logits_of(std::uint64_t seed, double range = 3.0) {
  return random_tensor({kTokens, kExperts}, seed, range);
}

double row_sum(std::span<const double> row) { return std::accumulate(row.begin(), row.end(), 0.0); }

std::set<std::int64_t> groups_used(std::span<const std::int64_t> chosen, std::int64_t width) {
  std::set<std::int64_t> groups;
  for (const auto e : chosen) groups.insert(e / width);
  return groups;
}

}  // namespace

TEST_CASE("renormalised weights sum to the scaling factor", "[kernels][gate][property]") {
  const auto seed = GENERATE(1U, 2U, 3U);
  for (const ScoreFunction function : kFunctions) {
    const GateSpec spec{.num_experts_per_tok = 5,
                        .score = function,
                        .renormalise = Renormalise::always,
                        .routed_scaling_factor = 2.5};
    const auto result = gate_topk(spec, logits_of(seed));
    for (std::int64_t t = 0; t < kTokens; ++t) {
      CHECK(row_sum(result.weights.row(t)) == Approx(2.5).epsilon(1e-14));
    }
  }
}

TEST_CASE("softmax routers are renormalised only when told to", "[kernels][gate]") {
  const auto logits = logits_of(4);
  const auto plain = gate_topk({.num_experts_per_tok = 4, .score = ScoreFunction::softmax}, logits);
  for (std::int64_t t = 0; t < kTokens; ++t) {
    CHECK(row_sum(plain.scores.row(t)) == Approx(1.0).epsilon(1e-14));
    CHECK(row_sum(plain.weights.row(t)) < 1.0);
  }
}

TEST_CASE("a token uses experts of at most topk_group groups", "[kernels][gate][property]") {
  const auto topk_group = GENERATE(1, 2, 3, 4);
  const auto seed = GENERATE(5U, 6U);
  const GateSpec spec{.num_experts_per_tok = 4, .n_group = 4, .topk_group = topk_group};
  const auto bias = random_tensor({kExperts}, seed + 100, 0.5);
  const auto result = gate_topk(spec, logits_of(seed), bias);
  for (std::int64_t t = 0; t < kTokens; ++t) {
    CHECK(groups_used(result.indices.row(t), kExperts / 4).size() <=
          static_cast<std::size_t>(topk_group));
  }
}

TEST_CASE("allowing every group is the same as having none", "[kernels][gate][property]") {
  const auto bias = random_tensor({kExperts}, 7, 0.5);
  const auto limited =
      gate_topk({.num_experts_per_tok = 6, .n_group = 4, .topk_group = 4}, logits_of(8), bias);
  const auto free = gate_topk({.num_experts_per_tok = 6}, logits_of(8), bias);
  CHECK(limited.indices == free.indices);
  CHECK(limited.weights == free.weights);
}

TEST_CASE("groups are scored by their two best biased experts, by the best one without a bias",
          "[kernels][gate]") {
  // two groups of two: the first has the single best expert, the second the better pair
  const Tensor<double> logits{{1, 4}, {3.0, -3.0, 2.0, 2.0}};
  GateSpec spec{.num_experts_per_tok = 1, .n_group = 2, .topk_group = 1};
  const auto without = gate_topk(spec, logits);
  const auto with = gate_topk(spec, logits, Tensor<double>{Shape{4}});
  CHECK(without.indices[0] == 0);
  CHECK(without.group_scores[0] == sigmoid(3.0));
  CHECK(with.indices[0] == 2);
  CHECK(with.group_scores[1] == sigmoid(2.0) + sigmoid(2.0));
}

TEST_CASE("excluded experts of value zero win against negative biased scores, minus infinity never",
          "[kernels][gate]") {
  const Tensor<double> logits{{1, 4}, {1.0, 1.0, 0.0, 0.0}};
  const Tensor<double> bias{{4}, {-0.9, -0.9, -0.9, -0.9}};
  GateSpec spec{.num_experts_per_tok = 2, .n_group = 2, .topk_group = 1};
  CHECK(gate_topk(spec, logits, bias).indices.data == std::vector<std::int64_t>{0, 1});
  spec.excluded = Excluded::zero;
  CHECK(gate_topk(spec, logits, bias).indices.data == std::vector<std::int64_t>{2, 3});
}

TEST_CASE("the bias moves the choice and leaves the weights of the chosen alone",
          "[kernels][gate][property]") {
  const auto logits = logits_of(9);
  const auto bias = random_tensor({kExperts}, 10, 1.0);
  const GateSpec spec{.num_experts_per_tok = 4, .routed_scaling_factor = 2.5};
  const auto biased = gate_topk(spec, logits, bias);
  CHECK(biased.indices != gate_topk(spec, logits).indices);
  CHECK(biased.weights == gate_chosen(spec, logits, biased.indices).weights);
}

TEST_CASE("among equal scores the lowest index wins", "[kernels][gate]") {
  const Tensor<double> logits{{2, 6}, {1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}};
  const auto result = gate_topk({.num_experts_per_tok = 4}, logits);
  CHECK(result.indices.data == std::vector<std::int64_t>{1, 3, 4, 0, 0, 1, 2, 3});
}

TEST_CASE("numbering the experts differently renumbers the choice", "[kernels][gate][property]") {
  const auto logits = logits_of(11);
  Tensor<double> reversed = logits;
  for (std::int64_t t = 0; t < kTokens; ++t) std::ranges::reverse(reversed.row(t));
  const GateSpec spec{.num_experts_per_tok = 3, .n_group = 4, .topk_group = 2};
  const auto a = gate_topk(spec, logits);
  const auto b = gate_topk(spec, reversed);
  for (std::int64_t i = 0; i < a.indices.size(); ++i) {
    CHECK(b.indices[i] == kExperts - 1 - a.indices[i]);
  }
}

TEST_CASE("a softmax router ignores a shift of all logits", "[kernels][gate][property]") {
  auto shifted = logits_of(12);
  for (double& v : shifted.data) v += 100.0;
  const GateSpec spec{.num_experts_per_tok = 3, .score = ScoreFunction::softmax};
  const auto a = gate_topk(spec, logits_of(12));
  const auto b = gate_topk(spec, shifted);
  CHECK(a.indices == b.indices);
  CHECK(max_difference(a.weights, b.weights) < 1e-13);
}

TEST_CASE("Mixtral's gate is the softmax over the chosen logits", "[kernels][gate]") {
  const auto logits = logits_of(13);
  const auto result = gate_topk(mixtral_gate(2), logits);
  for (std::int64_t t = 0; t < kTokens; ++t) {
    const auto chosen = result.indices.row(t);
    const double a = std::exp(logits.row(t)[static_cast<std::size_t>(chosen[0])]);
    const double b = std::exp(logits.row(t)[static_cast<std::size_t>(chosen[1])]);
    CHECK(result.weights.row(t)[0] == Approx(a / (a + b)).epsilon(1e-14));
  }
}

TEST_CASE("Switch routes to the likeliest expert with its probability", "[kernels][gate]") {
  const auto result = gate_topk(switch_gate(), logits_of(14));
  for (std::int64_t t = 0; t < kTokens; ++t) {
    const auto scores = result.scores.row(t);
    CHECK(result.indices[t] == std::ranges::max_element(scores) - scores.begin());
    CHECK(result.weights[t] == std::ranges::max(scores));
  }
}

TEST_CASE("a noisy gate without noise is Mixtral's, and noise changes choices", "[kernels][gate]") {
  const auto x = random_tensor({kTokens, 8}, 15);
  const NoisyGateWeights<double> weights{random_tensor({kExperts, 8}, 16),
                                         random_tensor({kExperts, 8}, 17)};
  const auto quiet = noisy_topk_gate(x, weights, Tensor<double>{Shape{kTokens, kExperts}}, 3);
  const auto plain = gate(mixtral_gate(3), x, weights.gate);
  CHECK(quiet.indices == plain.indices);
  CHECK(quiet.weights == plain.weights);
  CHECK(noisy_topk_gate(x, weights, logits_of(18), 3).indices != plain.indices);
}

TEST_CASE("capacity is never exceeded and every pair is kept or counted as dropped",
          "[kernels][gate][property]") {
  const auto policy = GENERATE(DropPolicy::position, DropPolicy::probability);
  const auto factor = GENERATE(0.25, 1.0, 1.25, 8.0);
  const auto gate = gate_topk({.num_experts_per_tok = 4}, logits_of(19));
  const auto most = expert_capacity(gate.indices.size(), kExperts, factor);
  CHECK(static_cast<double>(most) >= factor * 4 * kTokens / kExperts);
  const auto capacity = limit_capacity(gate, kExperts, most, policy);
  std::vector<std::int64_t> rows(kExperts);
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < gate.indices.size(); ++i) {
    rows[static_cast<std::size_t>(gate.indices[i])] += capacity.kept[i];
    kept += capacity.kept[i];
  }
  CHECK(std::ranges::max(rows) <= most);
  CHECK(kept + capacity.dropped == gate.indices.size());
  if (factor == 8.0) CHECK(capacity.dropped == 0);
}

TEST_CASE("dropping by probability keeps the largest weights of an expert", "[kernels][gate]") {
  GateResult<double> gate{.indices = Indices{{4, 1}, {0, 0, 0, 1}},
                          .weights = Tensor<double>{{4, 1}, {0.2, 0.9, 0.5, 0.1}}};
  CHECK(limit_capacity(gate, 2, 2, DropPolicy::position).kept.data ==
        std::vector<std::int64_t>{1, 1, 0, 1});
  CHECK(limit_capacity(gate, 2, 2, DropPolicy::probability).kept.data ==
        std::vector<std::int64_t>{0, 1, 1, 1});
}

TEST_CASE("the gradient through the weights is that of finite differences, choice held fixed",
          "[kernels][gate][property]") {
  for (const ScoreFunction function : kFunctions) {
    for (const Renormalise renormalise : {Renormalise::always, Renormalise::never}) {
      const GateSpec spec{.num_experts_per_tok = 3,
                          .score = function,
                          .renormalise = renormalise,
                          .routed_scaling_factor = 1.7};
      const auto logits = logits_of(20);
      const auto result = gate_topk(spec, logits);
      const auto upstream = random_tensor(result.weights.shape, 21);
      const auto loss = [&](const Tensor<double>& at) {
        return dot<double>(gate_chosen(spec, at, result.indices).weights.data, upstream.data);
      };
      const auto grad = gate_backward(spec, logits, result, upstream);
      CHECK(max_difference(grad, numeric_gradient(loss, logits)) < 1e-8);
    }
  }
}

TEST_CASE("straight-through gradients are those of the soft scores and reach every expert",
          "[kernels][gate]") {
  const GateSpec spec{.num_experts_per_tok = 2, .score = ScoreFunction::softmax};
  const auto logits = logits_of(22);
  const auto result = gate_topk(spec, logits);
  const auto hard = hard_gates(spec, result);
  CHECK(row_sum(hard.data) == 2.0 * kTokens);
  const auto upstream = random_tensor(logits.shape, 23);
  const auto soft_loss = [&](const Tensor<double>& at) {
    return dot<double>(router_scores<double>(spec.score, at).data, upstream.data);
  };
  const auto grad = straight_through_backward(spec, logits, result, upstream);
  CHECK(max_difference(grad, numeric_gradient(soft_loss, logits)) < 1e-8);
  CHECK(std::ranges::count(grad.data, 0.0) == 0);
}

TEST_CASE("the router's weight gradient is that of finite differences", "[kernels][gate]") {
  const auto x = random_tensor({kTokens, 5}, 24);
  const auto weight = random_tensor({kExperts, 5}, 25);
  const auto upstream = logits_of(26);
  const auto loss = [&](const Tensor<double>& w) {
    return dot<double>(router_logits(x, w).data, upstream.data);
  };
  CHECK(max_difference(router_weight_gradient(upstream, x), numeric_gradient(loss, weight)) < 1e-8);
}

TEST_CASE("the router multiplies tokens by experts by width, the rest is pointwise",
          "[kernels][gate]") {
  const auto x = converted<Counted<double>>(random_tensor({kTokens, 5}, 27));
  const auto w = converted<Counted<double>>(random_tensor({kExperts, 5}, 28));
  const CountScope scope;
  gate<Counted<double>>({.num_experts_per_tok = 2}, x, w);
  CHECK(scope.count().multiply_adds == kTokens * kExperts * 5);
  CHECK(scope.count().pointwise > 0);
}
