#include "forms/gemm.hpp"

#include "catch.hpp"
#include "fixtures.hpp"
#include "forms/blend.hpp"

using namespace fathom::forms;
using namespace fathom::forms::test;

TEST_CASE("a blend lies between the largest part and the sum", "[forms][blend]") {
  const auto p = GENERATE(1.0, 1.5, 3.0, 12.0);
  const double t = blend(p, {3.0, 4.0, 0.0});
  CHECK(t >= 4.0);
  CHECK(t <= 7.0 + 1e-12);
  CHECK(blend(1.0, {3.0, 4.0}) == Approx(7.0).epsilon(1e-12));
  CHECK(blend(2.0, {3.0, 4.0}) == Approx(5.0).epsilon(1e-12));
  CHECK(blend(p, {0.0, 0.0}) == 0.0);
}

TEST_CASE("waves are whole for a classic grid and level for a persistent one", "[forms][blend]") {
  CHECK(waves(1.0, 133.0, 132.0) == 2.0);
  CHECK(waves(0.0, 198.0, 132.0) == Approx(1.5).epsilon(1e-12));
  CHECK(waves(0.0, 1.0, 132.0) == 1.0);  // one block still takes a whole round
  CHECK(blocks(256.0, 128.0) == 2.0);
  CHECK(blocks(257.0, 128.0) == 3.0);
}

TEST_CASE("with free operands a product of whole tiles runs at its share of the peak",
          "[forms][gemm]") {
  // 132 tiles of 128 x 128 on 132 SMs: no tail.
  const Product x{.m = 128, .n = 128.0 * 132.0, .k = 8192, .precision = precision_of("bf16")};
  const TileRates free{.compute_share = 0.8,
                       .memory_share = 1.0,
                       .feed_gb_s = 1e9,
                       .wave_quant = 1.0,
                       .blend = 12.0};
  DeviceFigures d = hopper();
  d.memory_bandwidth = 1e18;
  const double expected = 2.0 * x.m * x.n * x.k / (0.8 * d.peak_bf16);
  CHECK(product_seconds(x, free, TileFamily::unsplit, d) == Approx(expected).epsilon(1e-9));
}

TEST_CASE("with infinite arithmetic a product is its traffic", "[forms][gemm]") {
  const Product x{.m = 16, .n = 7168, .k = 2048, .precision = precision_of("fp8")};
  const TileRates free{.memory_share = 0.5, .feed_gb_s = 1e9, .blend = 12.0};
  DeviceFigures d = hopper();
  d.peak_fp8 = 1e24;
  const double bytes = 16.0 * 2048.0 + 7168.0 * 2048.0 + 2.0 * 16.0 * 7168.0;
  CHECK(product_seconds(x, free, TileFamily::unsplit, d) ==
        Approx(bytes / (0.5 * d.memory_bandwidth)).epsilon(1e-9));
}

TEST_CASE("on one SM time grows with the number of tiles", "[forms][gemm]") {
  DeviceFigures d = hopper();
  d.sm_count = 1;
  d.memory_bandwidth = 1e18;
  const TileRates rates{.compute_share = 0.8, .feed_gb_s = 1e9, .blend = 12.0};
  const Product one{.m = 256, .n = 256, .k = 4096, .precision = precision_of("bf16")};
  Product four = one;
  four.m *= 4.0;
  CHECK(product_seconds(four, rates, TileFamily::unsplit, d) ==
        Approx(4.0 * product_seconds(one, rates, TileFamily::unsplit, d)).epsilon(1e-9));
}

TEST_CASE("few tiles and a long k are split", "[forms][gemm]") {
  const Product x{.m = 64, .n = 256, .k = 65536, .precision = precision_of("bf16")};
  const TileRates rates{
      .compute_share = 0.8, .memory_share = 0.8, .feed_gb_s = 100.0, .blend = 4.0, .split_us = 1.0};
  CHECK(product_seconds(x, rates, TileFamily::cublas, hopper()) <
        0.5 * product_seconds(x, rates, TileFamily::unsplit, hopper()));
}

TEST_CASE("the best candidate is found without evaluating all of them", "[forms][gemm]") {
  // A larger menu can only help: deepgemm's tiles are among cublas' tiles, unsplit too.
  const auto m = GENERATE(1.0, 17.0, 100.0, 129.0, 1000.0, 5000.0);
  const auto p = GENERATE(1.0, 1.5, 3.0, 11.0);
  const Product x{.m = m, .n = 2112, .k = 7168, .precision = precision_of("fp8_block")};
  const TileRates rates{.compute_share = 0.8,
                        .memory_share = 0.8,
                        .feed_gb_s = 120.0,
                        .wave_quant = 0.7,
                        .wave_us = 0.5,
                        .blend = p,
                        .k_ns = 0.5,
                        .split_us = 1.5};
  const double all = product_seconds(x, rates, TileFamily::cublas, hopper());
  const double unsplit = product_seconds(x, rates, TileFamily::unsplit, hopper());
  const double few = product_seconds(x, rates, TileFamily::deepgemm, hopper());
  CHECK(all <= unsplit);
  CHECK(unsplit <= few);
}

TEST_CASE("a product's time never falls as rows are added", "[forms][gemm][property]") {
  const auto group = GENERATE("bf16", "fp8", "nvfp4");
  const Params p = params("gemm", group);
  double last = 0.0;
  for (double m = 1.0; m <= 1024.0; m += 1.0) {
    const double t = p.seconds({m, 2112, 7168});
    CAPTURE(group, m);
    CHECK(t >= last * (1.0 - 1e-12));
    last = t;
  }
}

TEST_CASE("quantising the activation costs time by m k, whatever n is", "[forms][gemm]") {
  const double with = params("gemm", "fp8").set("quantise_bytes", 8.0).seconds({4096, 128, 7168});
  const double less = params("gemm", "fp8").set("quantise_bytes", 4.0).seconds({4096, 128, 7168});
  CHECK(with - less == Approx(4.0 * 4096.0 * 7168.0 / hopper().memory_bandwidth).epsilon(1e-9));
}
