#include "timing/roofline.hpp"

#include "catch.hpp"

using namespace fathom;
using namespace fathom::timing;

namespace {

hw::Cluster machine() {
  hw::Cluster c;
  c.device.memory_bandwidth = BytesPerSecond{1e12};
  c.device.peak.fill(FlopsPerSecond{100e12});
  c.device.sm_count = 100;
  c.tiers = {{.name = "near", .group = 8, .bandwidth = 100_GB_s, .peer_bandwidth = 100_GB_s}};
  for (auto& family : c.efficiency.table) family.fill({.blend = 32.0});
  return c;
}

ops::Op gemm(double m) { return ops::Gemm{.m = m, .n = 4096, .k = 4096}; }

}  // namespace

TEST_CASE("at full efficiency the time is the slower of arithmetic and memory",
          "[timing][roofline]") {
  const hw::Cluster c = machine();
  const auto m = GENERATE(1.0, 100.0, 10000.0);
  const ops::OpCost cost = ops::cost(gemm(m));
  const OpTime t = time_of(gemm(m), c, {});
  CHECK(t.total.value ==
        Approx(std::max(cost.flops.value / 100e12, traffic(cost).value / 1e12)).epsilon(1e-9));
  CHECK(t.total.value == Approx(t.ideal.value).epsilon(1e-9));
  CHECK(t.bound == (m > 200 ? Bound::compute : Bound::memory));
}

TEST_CASE("more of anything the machine has never lengthens an operator", "[timing][property]") {
  hw::Cluster c = machine();
  const auto m = GENERATE(1.0, 64.0, 129.0, 5000.0);
  const auto tiled = GENERATE(false, true);
  auto& e =
      c.efficiency
          .table[static_cast<std::size_t>(hw::Family::gemm)][static_cast<std::size_t>(Math::bf16)];
  e = {.compute = 0.8, .memory = 0.8, .overhead = 2_us, .blend = 2.0};
  if (tiled) {
    e.tile_m = e.tile_n = 128;
    e.feed = 120_GB_s;
    e.wave = 0.7;
  }
  const Seconds base = time_of(gemm(m), c, {}).total;
  CHECK(base > time_of(gemm(m), c, {}).ideal);
  CHECK(time_of(gemm(2 * m), c, {}).total >= base);
  CHECK(time_of(gemm(m), c, {.sm_share = 0.8}).total >= base);
  hw::Cluster faster = c;
  faster.device.memory_bandwidth *= 2.0;
  CHECK(time_of(gemm(m), faster, {}).total <= base);
  faster = c;
  for (auto& peak : faster.device.peak) peak *= 2.0;
  CHECK(time_of(gemm(m), faster, {}).total <= base);
}

TEST_CASE("a lone wave costs a whole one", "[timing][roofline]") {
  hw::Cluster c = machine();
  auto& e =
      c.efficiency
          .table[static_cast<std::size_t>(hw::Family::gemm)][static_cast<std::size_t>(Math::bf16)];
  e.tile_m = e.tile_n = 128;
  e.feed = BytesPerSecond{1e15};
  e.wave = 1.0;
  // 25 x 4 = 100 tiles fill 100 SMs once; one more row of tiles starts a second wave
  const ops::Op full = ops::Gemm{.m = 25 * 128, .n = 512, .k = 100000};
  const ops::Op more = ops::Gemm{.m = 25 * 128 + 1, .n = 512, .k = 100000};
  CHECK(time_of(more, c, {}).total / time_of(full, c, {}).total == Approx(2.0).epsilon(0.01));
}

TEST_CASE("DeepGEMM's published rows on H800 come out within 15 percent", "[timing][ledger]") {
  // deepseek-ai/DeepGEMM README (2025-03-25), TFLOP/s of FP8 1x128/128x128 products; our time less
  // its 1.2 us in-graph gap
  struct Row {
    double m;
    std::int64_t n, k;
    double tflops;
  };
  hw::Cluster h800 = hw::load_cluster("h800");
  auto& form = h800.efficiency.forms[static_cast<std::size_t>(hw::FormUse::gemm_fp8)];
  REQUIRE(form.has_value());
  form->in_step = form->params;  // an isolated benchmark keeps its clock
  for (const Row& r : {Row{4096, 7168, 16384, 1426}, Row{128, 24576, 1536, 535}}) {
    const ops::Gemm op{
        .m = r.m, .n = r.n, .k = r.k, .weight = Dtype::fp8_block, .input = Dtype::fp8_block};
    CAPTURE(r.m, r.n, r.k);
    const Seconds t = time_of(ops::Op{op}, h800, {}).total;
    CHECK(ops::cost(op).flops.value / t.value / 1e12 == Approx(r.tflops).epsilon(0.15));
  }
}

TEST_CASE("gathered rows are read once per prompt in prefill and once per query in decode",
          "[timing][roofline]") {
  hw::Cluster c = machine();
  const auto entry = [&c](hw::Family f) -> hw::Efficiency& {
    return c.efficiency.table[static_cast<std::size_t>(f)][static_cast<std::size_t>(Math::bf16)];
  };
  entry(hw::Family::sparse_prefill).compute = 0.6;
  entry(hw::Family::sparse_attention).compute = 0.4;
  constexpr double kQueries = 4096.0;
  constexpr double kTopk = 2048.0;
  ops::LatentAttention op{.heads = 1,  // one head: bound by memory
                          .qk_dim = 576,
                          .v_dim = 512,
                          .query_tokens = kQueries,
                          .kv_tokens = kQueries * kTopk,
                          .kv_distinct = 8192.0,
                          .pairs = kQueries * kTopk,
                          .sequences = 1.0,
                          .row_bytes = Bytes{1152.0},
                          .sparse = true};
  const double own = kQueries * (576.0 + 512.0) * 2.0;
  CHECK(time_of(op, c, {}).total.value ==
        Approx((kQueries * kTopk * 1152.0 + own) / 1e12).epsilon(1e-9));
  op.prefill = true;
  const double arithmetic = 2.0 * (576.0 + 512.0) * kQueries * kTopk / 60e12;
  CHECK(time_of(op, c, {}).total.value ==
        Approx(std::max((8192.0 * 1152.0 + own) / 1e12, arithmetic)).epsilon(1e-9));
  // many heads: bound by arithmetic, each at its own share
  op.heads = 128;
  const double prefill = time_of(op, c, {}).total.value;
  op.prefill = false;
  CHECK(time_of(op, c, {}).total.value == Approx(prefill * 0.6 / 0.4).epsilon(1e-9));
}

TEST_CASE("a small kernel takes its floor, a large one its bytes and one gap",
          "[timing][roofline]") {
  hw::Cluster c = machine();
  c.efficiency.table[static_cast<std::size_t>(hw::Family::norm)].fill(
      {.overhead = 1_us, .floor = 2_us, .blend = 32.0});
  const auto rows = GENERATE(1.0, 100.0, 250.0, 100000.0);
  const auto kernels = GENERATE(1, 3);
  const ops::Elementwise op{.kind = ops::ElementwiseKind::norm,
                            .rows = rows,
                            .read_bytes = 2048.0,
                            .write_bytes = 2048.0,
                            .kernels = kernels};
  const double bytes = traffic(ops::cost(op)).value / 1e12;
  const OpTime t = time_of(op, c, {});
  CHECK(t.total.value == Approx(std::max(kernels * 2e-6, bytes + kernels * 1e-6)).epsilon(1e-12));
  CHECK((t.bound == Bound::overhead) == (bytes < kernels * 1e-6));
}

TEST_CASE("send, wire and receive of a low-latency exchange add up to its whole",
          "[timing][roofline]") {
  const hw::Cluster c = hw::load_cluster(GENERATE("h800", "h100-sxm", "b200"));
  const auto ranks = GENERATE(8, 64);
  // on B200's links the SMs are the slower end from a few hundred tokens on
  const auto tokens = GENERATE(1.0, 128.0, 1024.0);
  ops::ExpertExchange op{.direction = ops::Exchange::dispatch,
                         .group = {ranks, 1},
                         .tokens = tokens,
                         .copies = 8.0,
                         .experts = 256.0,
                         .copy_bytes = Bytes{7392.0},
                         .low_latency = true};
  const Seconds whole = time_of(op, c, {}).total;
  Seconds parts;
  for (const auto part :
       {ops::ExchangePart::send, ops::ExchangePart::net, ops::ExchangePart::receive}) {
    op.part = part;
    parts += time_of(op, c, {}).total;
  }
  CAPTURE(c.id, ranks, tokens);
  CHECK(parts.value == Approx(whole.value).epsilon(1e-12));
}

TEST_CASE("an arithmetic that the device lacks runs in the next wider one", "[timing][roofline]") {
  const auto peak = [](hw::Cluster& c, Math math) -> FlopsPerSecond& {
    return c.device.peak[static_cast<std::size_t>(math)];
  };
  ops::Indexer scores{.heads = 64, .head_dim = 128, .query_tokens = 1.0, .keys = 1e6, .pairs = 1e6};
  hw::Cluster c = machine();
  scores.math = Math::fp8;
  const Seconds in_fp8 = time_of(ops::Op{scores}, c, {}).total;
  scores.math = Math::fp4;
  peak(c, Math::fp4) = FlopsPerSecond{};
  CHECK(time_of(ops::Op{scores}, c, {}).total == in_fp8);
  peak(c, Math::fp8) = FlopsPerSecond{};
  peak(c, Math::bf16) = FlopsPerSecond{1e12};  // slow enough for arithmetic to bind
  CHECK(time_of(ops::Op{scores}, c, {}).total.value ==
        Approx(2.0 * 64 * 128 * 1e6 / 1e12).epsilon(1e-9));
}
