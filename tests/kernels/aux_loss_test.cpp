#include <algorithm>
#include <cmath>
#include <numeric>

#include "catch.hpp"
#include "kernels/random_tensor.hpp"
#include "kernels/ref/gate.hpp"
#include "kernels/ref/router_loss.hpp"
#include "kernels/ref/sinkhorn_routing.hpp"

namespace {

using namespace fathom::kernels;
using namespace fathom::kernels::ref;
using namespace fathom::kernels::test;

constexpr std::int64_t kTokens = 16;
constexpr std::int64_t kExperts = 8;
constexpr std::int64_t kTopk = 2;

Tensor<double> logits_of(std::uint64_t seed) { return random_tensor({kTokens, kExperts}, seed, 2); }

Indices choices_of(const Tensor<double>& logits) {
  return gate_topk({.num_experts_per_tok = kTopk}, logits).indices;
}

// Every expert equally often: token t takes 2t and 2t + 1, modulo the experts.
Indices even_choices() {
  Indices indices{Shape{kTokens, kTopk}};
  for (std::int64_t i = 0; i < indices.size(); ++i) indices[i] = i % kExperts;
  return indices;
}

Tensor<double> even_scores() {
  Tensor<double> scores{Shape{kTokens, kExperts}};
  std::ranges::fill(scores.data, 1.0 / kExperts);
  return scores;
}

// Checks that a loss's gradient by its argument is that of finite differences.
template <class Loss>
void check_gradient(const Loss& loss, const Tensor<double>& at) {
  const auto value = [&](const Tensor<double>& x) { return loss(x).loss; };
  CHECK(max_difference(loss(at).gradient, numeric_gradient(value, at)) < 1e-9);
}

}  // namespace

TEST_CASE("the balance loss equals its coefficient at perfect balance", "[kernels][aux_loss]") {
  const auto scores = even_scores();
  CHECK(expert_balance_loss(scores, even_choices(), 0.01).loss == Approx(0.01).epsilon(1e-14));
  CHECK(device_balance_loss(scores, even_choices(), 4, 0.05).loss == Approx(0.05).epsilon(1e-14));
  // 2 experts per device, both choices of a token on the same one
  CHECK(communication_balance_loss(scores, even_choices(), {.devices = 4, .most = 1}, 0.02).loss ==
        Approx(0.02).epsilon(1e-14));
}

TEST_CASE("routing everything to one expert costs as many times more as there are experts",
          "[kernels][aux_loss]") {
  Tensor<double> scores{Shape{kTokens, kExperts}};
  for (std::int64_t t = 0; t < kTokens; ++t) scores[t * kExperts + 3] = 1.0;
  Indices indices{Shape{kTokens, 1}};
  std::ranges::fill(indices.data, 3);
  CHECK(expert_balance_loss(scores, indices, 0.01).loss == Approx(0.01 * kExperts).epsilon(1e-14));
}

TEST_CASE("the balance loss is Megatron's E coeff / (k T^2) sum of probabilities times counts",
          "[kernels][aux_loss][property]") {
  const auto logits = logits_of(1);
  const auto scores = router_scores<double>(ScoreFunction::softmax, logits);
  const auto indices = choices_of(logits);
  const auto counts = expert_counts(indices, kExperts);
  double sum = 0.0;
  for (std::int64_t i = 0; i < scores.size(); ++i) {
    sum += scores[i] * static_cast<double>(counts[i % kExperts]);
  }
  const double megatron = kExperts * 0.01 / (kTopk * kTokens * kTokens) * sum;
  CHECK(expert_balance_loss(scores, indices, 0.01).loss == Approx(megatron).epsilon(1e-13));
}

TEST_CASE("the sequence-wise loss is the mean of the losses of the sequences",
          "[kernels][aux_loss][property]") {
  const auto logits = logits_of(2);
  const auto scores = router_scores<double>(ScoreFunction::normalised_sigmoid, logits);
  const auto indices = choices_of(logits);
  const auto together = expert_balance_loss(scores, indices, 0.3, {.sequences = 4});
  double sum = 0.0;
  for (std::int64_t s = 0; s < 4; ++s) {
    const auto part = scores.reshaped({4, kTokens / 4, kExperts});
    const auto chosen = indices.reshaped({4, kTokens / 4, kTopk});
    sum += expert_balance_loss(slice_of(part, s), slice_of(chosen, s), 0.3).loss;
  }
  CHECK(together.loss == Approx(sum / 4).epsilon(1e-13));
}

TEST_CASE("masked tokens count for nothing", "[kernels][aux_loss][property]") {
  const auto logits = logits_of(3);
  const std::int64_t kept = kTokens - 5;
  TokenGroups groups{.mask = Indices{Shape{kTokens}}};
  std::fill_n(groups.mask.data.begin(), kept, 1);
  const auto head = [&](const auto& x) {
    auto cut = x;
    cut.shape[0] = kept;
    cut.data.resize(static_cast<std::size_t>(element_count(cut.shape)));
    return cut;
  };
  const auto scores = router_scores<double>(ScoreFunction::softmax, logits);
  const auto indices = choices_of(logits);
  const auto masked = expert_balance_loss(scores, indices, 0.01, groups);
  CHECK(masked.loss ==
        Approx(expert_balance_loss(head(scores), head(indices), 0.01).loss).epsilon(1e-14));
  CHECK(masked.gradient[kept * kExperts] == 0.0);
  CHECK(z_loss(logits, 0.1, groups).loss == Approx(z_loss(head(logits), 0.1).loss).epsilon(1e-14));
}

TEST_CASE("gradients of router losses are those of finite differences, choices held fixed",
          "[kernels][aux_loss][property]") {
  const auto logits = logits_of(4);
  const auto indices = choices_of(logits);
  const auto scores = router_scores<double>(ScoreFunction::softmax, logits);
  const TokenGroups groups{.sequences = 2};
  check_gradient([&](const auto& s) { return expert_balance_loss(s, indices, 0.7, groups); },
                 scores);
  check_gradient([&](const auto& s) { return device_balance_loss(s, indices, 4, 0.7); }, scores);
  check_gradient(
      [&](const auto& s) {
        return communication_balance_loss(s, indices, {.devices = 4, .most = 2}, 0.7);
      },
      scores);
  check_gradient([&](const auto& l) { return z_loss(l, 0.7); }, logits);
  check_gradient([&](const auto& g) { return importance_loss(g, 0.7); }, scores);
}

TEST_CASE("losses reach the logits through the score function", "[kernels][aux_loss][property]") {
  const auto logits = logits_of(5);
  const auto indices = choices_of(logits);
  for (const auto function : {ScoreFunction::softmax, ScoreFunction::normalised_sigmoid,
                              ScoreFunction::sigmoid, ScoreFunction::sqrt_softplus}) {
    const auto value = [&](const Tensor<double>& l) {
      return expert_balance_loss(router_scores<double>(function, l), indices, 0.7).loss;
    };
    const auto scores = router_scores<double>(function, logits);
    const auto loss = expert_balance_loss(scores, indices, 0.7);
    const auto grad = scores_backward(function, logits, scores, loss.gradient);
    CHECK(max_difference(grad, numeric_gradient(value, logits)) < 1e-9);
  }
}

TEST_CASE("load fractions average to one over the experts", "[kernels][aux_loss]") {
  const auto f = load_fractions<double>(choices_of(logits_of(6)), kExperts, {.sequences = 2});
  for (std::int64_t s = 0; s < 2; ++s) {
    const auto row = f.row(s);
    CHECK(std::accumulate(row.begin(), row.end(), 0.0) / kExperts == Approx(1.0).epsilon(1e-14));
  }
  const auto even = load_fractions<double>(even_choices(), kExperts);
  CHECK(std::ranges::count(even.data, 1.0) == kExperts);
}

TEST_CASE("the z-loss of n equal logits c is alpha (c + ln n)^2", "[kernels][aux_loss]") {
  Tensor<double> logits{Shape{3, kExperts}};
  std::ranges::fill(logits.data, 1.5);
  const double lse = 1.5 + std::log(static_cast<double>(kExperts));
  CHECK(z_loss(logits, 0.001).loss == Approx(0.001 * lse * lse).epsilon(1e-14));
}

TEST_CASE("the importance loss vanishes when all experts get the same", "[kernels][aux_loss]") {
  CHECK(std::abs(importance_loss(even_scores(), 1.0).loss) < 1e-14);
  Tensor<double> one{Shape{kTokens, kExperts}};
  for (std::int64_t t = 0; t < kTokens; ++t) one[t * kExperts] = 1.0;
  // one value n and n - 1 zeros: CV^2 = n - 1
  CHECK(importance_loss(one, 1.0).loss == Approx(kExperts - 1.0).epsilon(1e-13));
}

TEST_CASE("Sinkhorn routing gives every expert its share and every token nearly so",
          "[kernels][aux_loss][property]") {
  const auto mass = sinkhorn_routing(logits_of(7), 1e-9);
  for (std::int64_t e = 0; e < kExperts; ++e) {
    double column = 0.0;
    for (std::int64_t t = 0; t < kTokens; ++t) column += mass[t * kExperts + e];
    CHECK(column == Approx(1.0 / kExperts).epsilon(1e-6));
  }
  for (std::int64_t t = 0; t < kTokens; ++t) {
    const auto row = mass.row(t);
    CHECK(std::accumulate(row.begin(), row.end(), 0.0) == Approx(1.0 / kTokens).epsilon(1e-6));
  }
}
