#include "kernels/ref/speculative.hpp"

#include <random>

#include "catch.hpp"
#include "kernels/ref/acceptance_stats.hpp"

using namespace fathom::kernels;
using namespace fathom::kernels::ref;

namespace {

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11U) * 0x1p-53; }

std::vector<double> random_distribution(std::size_t vocab, std::mt19937_64& random) {
  std::vector<double> p(vocab);
  for (double& v : p) v = -std::log1p(-uniform(random));
  double sum = 0.0;
  for (const double v : p) sum += v;
  for (double& v : p) v /= sum;
  return p;
}

DraftCheck<double> one_draft(const std::vector<double>& p, const std::vector<double>& q) {
  const auto vocab = static_cast<std::int64_t>(p.size());
  Tensor<double> target{{2, vocab}};
  std::ranges::copy(p, target.row(0).begin());
  std::ranges::copy(p, target.row(1).begin());
  return {.target_probs = target,
          .draft_probs = Tensor<double>{{1, vocab}, q},
          .drafts = {0},
          .accept_draws = {0.0}};
}

}  // namespace

TEST_CASE("accepted drafts and residuals together follow the target", "[kernels][speculative]") {
  std::mt19937_64 random{31};
  for (int round = 0; round < 20; ++round) {
    const auto p = random_distribution(7, random);
    const auto q = random_distribution(7, random);
    const auto left = residual<double>(p, q);
    const double rejected = 1.0 - acceptance_probability<double>(p, q);
    for (std::size_t x = 0; x < p.size(); ++x) {
      const double emitted = q[x] * std::min(1.0, p[x] / q[x]) + rejected * left[x];
      REQUIRE(std::abs(emitted - p[x]) < 1e-12);
    }
  }
}

TEST_CASE("a draft is accepted exactly below its probability ratio", "[kernels][speculative]") {
  DraftCheck<double> check = one_draft({0.3, 0.7}, {0.6, 0.4});
  check.accept_draws = {0.499};
  CHECK(verify_drafts(check).accepted == 1);
  check.accept_draws = {0.5};  // p / q = 0.5, and the comparison is strict
  const auto verdict = verify_drafts(check);
  CHECK(verdict.accepted == 0);
  CHECK(verdict.sampled_from == std::vector<double>{0.0, 1.0});
  CHECK(verdict.next_token == 1);
}

TEST_CASE("a draft model equal to the target is never rejected", "[kernels][speculative]") {
  std::mt19937_64 random{32};
  const auto p = random_distribution(5, random);
  DraftCheck<double> check = one_draft(p, p);
  check.accept_draws = {1.0 - 1e-12};
  CHECK(verify_drafts(check).accepted == 1);
  CHECK(std::abs(acceptance_probability<double>(p, p) - 1.0) < 1e-12);
  CHECK(residual<double>(p, p) == p);  // nothing is left, so the target itself stands in
}

TEST_CASE("sampling inverts the cumulative distribution", "[kernels][speculative]") {
  const std::vector<double> p{0.25, 0.0, 0.5, 0.25};
  CHECK(sample<double>(p, 0.0) == 0);
  CHECK(sample<double>(p, 0.25) == 2);
  CHECK(sample<double>(p, 0.7499) == 2);
  CHECK(sample<double>(p, 0.75) == 3);
  CHECK(sample<double>(p, 1.0) == 3);
}

TEST_CASE("greedy acceptance is rejection sampling at temperature zero", "[kernels][property]") {
  std::mt19937_64 random{33};
  for (int round = 0; round < 50; ++round) {
    Tensor<double> logits{{4, 3}};
    for (double& v : logits.data) v = uniform(random);
    std::vector<std::int64_t> drafts;
    Tensor<double> q{{3, 3}};
    for (std::int64_t i = 0; i < 3; ++i) {
      drafts.push_back(static_cast<std::int64_t>(random() % 3));
      q.row(i)[static_cast<std::size_t>(drafts.back())] = 1.0;
    }
    const auto sampled = verify_drafts<double>(
        {target_distribution<double>(logits, 0.0), q, drafts, {0.5, 0.5, 0.5}, 0.5});
    const auto greedy = verify_greedy<double>(logits, drafts);
    REQUIRE(greedy.accepted == sampled.accepted);
    REQUIRE(greedy.next_token == sampled.next_token);
    REQUIRE(greedy.sampled_from == sampled.sampled_from);
  }
}

TEST_CASE("a lower temperature sharpens the target", "[kernels][speculative]") {
  const Tensor<double> logits{{1, 3}, {1.0, 2.0, 0.5}};
  double last = 0.0;
  for (const double temperature : {4.0, 1.0, 0.25, 0.0}) {
    const double top = target_distribution<double>(logits, temperature)[1];
    CHECK(top > last);
    last = top;
  }
  CHECK(last == 1.0);
}

TEST_CASE("the expected accepted length is a geometric sum", "[kernels][speculative]") {
  const double a = 0.8;
  CHECK(expected_accepted(a, 4) == Approx(a * (1.0 - a * a * a * a) / (1.0 - a)).epsilon(1e-12));
  CHECK(expected_accepted(1.0, 5) == 5.0);
  CHECK(expected_accepted(0.0, 5) == 0.0);
  CHECK(expected_accepted(std::vector<double>{0.5, 0.5}) == 0.75);
}

TEST_CASE("trace statistics agree with the trace's mean", "[kernels][property]") {
  std::mt19937_64 random{34};
  std::vector<std::int64_t> accepted;
  double sum = 0.0;
  for (int i = 0; i < 500; ++i) {
    accepted.push_back(static_cast<std::int64_t>(random() % 4));
    sum += static_cast<double>(accepted.back());
  }
  const auto stats = acceptance_stats(accepted, 3);
  CHECK(stats.histogram[0] + stats.histogram[1] + stats.histogram[2] + stats.histogram[3] == 500);
  CHECK(stats.mean_accepted == Approx(sum / 500.0).epsilon(1e-12));
  CHECK(acceptance_stats({}, 2).rates == std::vector<double>{0.0, 0.0});
  CHECK_THROWS(acceptance_stats(std::vector<std::int64_t>{5}, 3));
}
