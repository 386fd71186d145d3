#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include "catch.hpp"
#include "core/rng.hpp"
#include "fixtures.hpp"
#include "forms/deepep.hpp"

using namespace fathom::forms;
using namespace fathom::forms::test;

TEST_CASE("a large all-reduce moves 2 (n-1)/n of its message at the bulk share",
          "[forms][collective]") {
  const Params p =
      params("nccl", "integer/all_reduce").set("simple_share", 0.8).set("ll128_share", 0.05);
  const double bytes = 16e9;
  CHECK(p.seconds({8, bytes}) ==
        Approx(2.0 * 7.0 / 8.0 * bytes / (0.8 * hopper().scale_up)).epsilon(1e-3));
}

TEST_CASE("a switch that adds moves 1 + 1/n messages per link, if that is faster than a ring",
          "[forms][collective]") {
  const Params p = params("nccl", "all_reduce")
                       .set("simple_share", 0.7)
                       .set("pair_share", 1.0)
                       .set("ll128_share", 0.05)
                       .set("switch_share", 0.6);
  const double bytes = 16e9;
  const auto ranks = GENERATE(2.0, 4.0, 8.0, 72.0);
  const double ring = 2.0 * (ranks - 1.0) / ranks / 0.7;
  const double in_switch = (1.0 + 1.0 / ranks) / 0.6;
  const double passes = p.seconds({ranks, bytes}) * hopper().scale_up / bytes;
  CAPTURE(ranks, ring, in_switch);
  CHECK(passes <= std::min(ring, in_switch) * 1.005);                     // and has its latency
  CHECK(passes >= std::min(ring, in_switch) / std::pow(2.0, 1.0 / 8.0));  // the minimum is soft
}

TEST_CASE("a tiny collective is its latency", "[forms][collective]") {
  const Params p = params("nccl", "all_gather").set("alpha_us", 5.0).set("alpha_us_per_rank", 1.0);
  CHECK(p.seconds({8, 8}) <= (5.0 + 7.0) * 1e-6 * 1.001);
  CHECK(p.seconds({8, 8}) > 0.9 * (5.0 + 7.0) * 1e-6);
}

TEST_CASE("collective times never fall with the message", "[forms][collective][property]") {
  const auto family = GENERATE("nccl", "custom_allreduce");
  const Params p = params(family, "all_reduce");
  double last = 0.0;
  for (double bytes = 256.0; bytes < 1e9; bytes *= 1.3) {
    const double t = p.seconds({8, bytes});
    CAPTURE(family, bytes);
    CHECK(t >= last * (1.0 - 1e-12));
    last = t;
  }
}

TEST_CASE("eight of 256 experts hit 5.29 of eight ranks", "[forms][deepep]") {
  // 8 (1 - C(224,8)/C(256,8)): none of the eight among the 32 experts of a rank.
  double missed = 1.0;
  for (int i = 0; i < 8; ++i) missed *= (224.0 - i) / (256.0 - i);
  CHECK(distinct_groups(8, 8, 256) == Approx(8.0 * (1.0 - missed)).epsilon(1e-12));
  CHECK(distinct_groups(8, 1, 256) == 1.0);
}

TEST_CASE("on one node a low-latency exchange never touches the fabric", "[forms][deepep]") {
  DeviceFigures slow = hopper();
  slow.scale_out = 1.0;
  const Params p = params("deepep_ll_dispatch", "fp8");
  CHECK(p.seconds({128, 7168, 8, 256, 8, 1}, slow) == p.seconds({128, 7168, 8, 256, 8, 1}));
}

TEST_CASE("across eight nodes seven of eight copies cross the fabric", "[forms][deepep]") {
  const Params p = params("deepep_ll_combine", "bf16").set("far_share", 1.0);
  const double bytes = 4096.0 * 8.0 * 7168.0 * 2.0;
  const double far = bytes * 7.0 / 8.0 / hopper().scale_out;
  CHECK(p.seconds({4096, 7168, 8, 256, 64, 8}) >= far);
  CHECK(p.seconds({4096, 7168, 8, 256, 64, 8}) < 1.1 * far);
}

TEST_CASE("more SMs never slow a normal exchange", "[forms][deepep][property]") {
  const Params p = params("deepep_normal_dispatch", "fp8");
  double last = 1.0;
  for (double sms = 4.0; sms <= 64.0; sms += 4.0) {
    const double t = p.seconds({4096, 7168, 8, 256, 8, 1, sms});
    CHECK(t <= last);
    last = t;
  }
}

namespace {

// Bins that one token hits on average when groups and then experts are drawn one by one.
double sampled_bins(int topk, int bins, int experts, const GroupLimit& limit) {
  const auto n_group = static_cast<std::size_t>(limit.n_group);
  const auto kept = static_cast<std::size_t>(limit.topk_group);
  const std::size_t size = static_cast<std::size_t>(experts) / n_group;
  fathom::Rng random{11};
  std::vector<std::size_t> groups(n_group);
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  constexpr int kTokens = 40'000;
  std::size_t total = 0;
  for (int t = 0; t < kTokens; ++t) {
    random.choose(std::span(groups), kept);
    std::vector<std::size_t> open;
    for (std::size_t g = 0; g < kept; ++g) {
      for (std::size_t e = 0; e < size; ++e) open.push_back(groups[g] * size + e);
    }
    random.choose(std::span(open), static_cast<std::size_t>(topk));
    std::set<std::size_t> hit;
    for (int i = 0; i < topk; ++i) {
      hit.insert(open[static_cast<std::size_t>(i)] * static_cast<std::size_t>(bins) /
                 static_cast<std::size_t>(experts));
    }
    total += hit.size();
  }
  return static_cast<double>(total) / kTokens;
}

}  // namespace

TEST_CASE("a group-limited router reaches as many ranks and nodes as drawing it does",
          "[forms][deepep]") {
  // V3: 8 groups, 4 kept; V2: 8 groups of 20, 3 kept
  struct Router {
    int topk, experts;
    GroupLimit limit;
  };
  const Router router = GENERATE(Router{8, 256, {8, 4}}, Router{6, 160, {8, 3}},
                                 Router{4, 64, {4, 2}}, Router{8, 256, {1, 1}});
  for (const int bins : {1, 2, 4, 8, 16, 32}) {
    CAPTURE(router.topk, router.experts, bins);
    // a token's bins deviate by less than one from their mean; 40 000 tokens by 0.005
    CHECK(distinct_bins(router.topk, bins, router.experts, router.limit) ==
          Approx(sampled_bins(router.topk, bins, router.experts, router.limit)).margin(0.025));
  }
}

TEST_CASE("one V3 token reaches 2.93 of four nodes", "[forms][deepep]") {
  // A node of two groups is missed when none of them is kept, C(6,4)/C(8,4) = 15/70; when one is
  // kept, 2 C(6,3)/C(8,4) = 40/70, and all eight experts lie in the other 96 of 128; or when both
  // are, 15/70, and they lie in the other 64.
  const auto none = [](double n, double m) {
    double ratio = 1.0;
    for (int i = 0; i < 8; ++i) ratio *= (n - i) / (m - i);
    return ratio;
  };
  const double missed = (15.0 + 40.0 * none(96, 128) + 15.0 * none(64, 128)) / 70.0;
  CHECK(distinct_bins(8, 4, 256, {8, 4}) == Approx(4.0 * (1.0 - missed)).epsilon(1e-12));
}

TEST_CASE("a router without a choice of groups is free", "[forms][deepep]") {
  for (const double bins : {2.0, 8.0, 9.0}) {
    CHECK(distinct_bins(8, bins, 256, {8, 8}) == distinct_groups(8, bins, 256));
    CHECK(distinct_bins(8, bins, 256, {8, 4}) < distinct_groups(8, bins, 256));
  }
}
