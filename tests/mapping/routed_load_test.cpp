#include "mapping/routed_load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "catch.hpp"

using namespace fathom;
using namespace fathom::mapping;

namespace {

constexpr RouterShape kFree{.experts = 64, .topk = 6};
constexpr RouterShape kGrouped{.experts = 64, .topk = 6, .n_group = 8, .topk_group = 3};

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::vector<double> zipf(std::int64_t experts, double exponent) {
  std::vector<double> out;
  for (std::int64_t r = 1; r <= experts; ++r) {
    out.push_back(std::pow(static_cast<double>(r), -exponent));
  }
  return out;
}

}  // namespace

TEST_CASE("inclusion keeps the shares of the load and what a router can do", "[mapping][load]") {
  const auto router = GENERATE(kFree, kGrouped);
  const auto exponent = GENERATE(0.0, 0.5, 1.0, 2.0, 4.0);
  const auto popularity = zipf(router.experts, exponent);
  const Inclusion chosen = inclusion(popularity, router);
  CAPTURE(router.n_group, exponent);
  CHECK(sum(chosen.experts) == Approx(6.0).epsilon(1e-9));
  const double size = static_cast<double>(router.experts / router.n_group);
  for (std::size_t e = 0; e < chosen.experts.size(); ++e) {
    const auto group = static_cast<std::size_t>(static_cast<double>(e) / size);
    CHECK(chosen.experts[e] <= chosen.groups[group] + 1e-9);
    CHECK(chosen.groups[group] <= 1.0);
  }
  if (router.n_group > 1) CHECK(sum(chosen.groups) == Approx(3.0).epsilon(1e-9));
  // far from any limit nothing but the popularity decides
  if (exponent == 0.5) {
    CHECK(chosen.experts[63] / chosen.experts[15] == Approx(0.5).epsilon(1e-9));  // (16/64)^0.5
  }
}

TEST_CASE("routed tokens choose topk different experts as often as their probabilities say",
          "[mapping][load]") {
  const auto router = GENERATE(kFree, kGrouped);
  const Inclusion chosen = inclusion(zipf(router.experts, 0.7), router);
  Rng random{7};
  const double tokens = kRoutedTokens;
  const auto rows = routed_rows(chosen, router, tokens, random);
  CHECK(sum(rows) == Approx(6.0 * tokens).epsilon(1e-3));
  for (std::size_t e = 0; e < rows.size(); ++e) {
    CAPTURE(e);
    const double p = chosen.experts[e];
    const double deviation = std::sqrt(tokens * p * (1.0 - p));
    CHECK(std::abs(rows[e] - tokens * p) < 4.5 * deviation);  // 128 draws: one in 1200 by chance
    CHECK(rows[e] <= tokens);
  }
}

TEST_CASE("one token of a limited router stays in its groups", "[mapping][load]") {
  const Inclusion chosen = inclusion(std::vector<double>(64, 1.0), kGrouped);
  Rng random{3};
  for (int token = 0; token < 200; ++token) {
    const auto rows = routed_rows(chosen, kGrouped, 1.0, random);
    std::int64_t groups = 0;
    for (std::size_t g = 0; g < 8; ++g) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(8 * g);
      groups += std::any_of(begin, begin + 8, [](double r) { return r > 0.5; }) ? 1 : 0;
    }
    CHECK(sum(rows) == Approx(6.0).epsilon(1e-9));
    CHECK(groups <= 3);
  }
}

TEST_CASE("noise of a balanced router falls with the root of the step", "[mapping][load]") {
  const Inclusion chosen = inclusion(std::vector<double>(64, 1.0), kFree);
  const ExpertPlacement ordered = in_order(64, 64);
  const auto excess = [&](double tokens) {
    double mean = 0.0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      Rng random{seed};
      mean += peak_over_mean(routed_rows(chosen, kFree, tokens, random), ordered, 8) - 1.0;
    }
    return mean / 40.0;
  };
  const double few = excess(128.0);
  CHECK(few > 0.05);  // 96 rows a rank: a tenth is one deviation
  CHECK(excess(128.0 * 256.0) == Approx(few / 16.0).epsilon(0.25));
  CHECK(excess(1e12) < 1e-4);
}

TEST_CASE("one hot expert costs what its rank holds", "[mapping][load]") {
  const auto ranks = GENERATE(2, 8, 32);
  constexpr double kShare = 0.1;  // of all rows; the others split the rest
  std::vector<double> rows(64, (1.0 - kShare) / 63.0);
  rows[0] = kShare;
  const double local = 64.0 / ranks;
  const double fullest = kShare + (local - 1.0) * (1.0 - kShare) / 63.0;
  CHECK(peak_over_mean(rows, in_order(64, 64), ranks) == Approx(fullest * ranks).epsilon(1e-9));
}
