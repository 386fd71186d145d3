#include <algorithm>
#include <cmath>

#include "catch.hpp"
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
