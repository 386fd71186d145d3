#include "net/collective_time.hpp"

#include "catch.hpp"
#include "net/topology.hpp"

using namespace fathom;
using namespace fathom::net;
using ops::CollectiveKind;

namespace {

// Two tiers, no latency, no overhead, full links: what is left are the closed forms.
hw::Cluster ideal(double near_gb_s = 200.0, double far_gb_s = 50.0) {
  hw::Cluster c;
  c.id = "ideal";
  const BytesPerSecond near{near_gb_s * 1e9};
  const BytesPerSecond far{far_gb_s * 1e9};
  c.tiers = {{.name = "near", .group = 8, .bandwidth = near, .peer_bandwidth = near},
             {.name = "far", .group = 1024, .bandwidth = far, .peer_bandwidth = far}};
  return c;
}

ops::Collective call(CollectiveKind kind, std::int64_t ranks, double bytes) {
  return {.kind = kind, .group = {ranks, 1}, .payload = Bytes{bytes}};
}

}  // namespace

TEST_CASE("without latency an all-reduce moves 2 (n-1)/n of its message", "[net]") {
  const auto n = GENERATE(2, 4, 8);
  const CommTime t = time_of(call(CollectiveKind::all_reduce, n, 1e9), ideal());
  CHECK(t.total.value == Approx(2.0 * (n - 1) / n * 1e9 / 200e9).epsilon(1e-12));
  CHECK_FALSE(t.crosses_nodes);
}

TEST_CASE("an all-reduce is a reduce-scatter and an all-gather", "[net]") {
  const hw::Cluster c = ideal();
  const auto n = GENERATE(4, 8, 64);
  const Seconds both = time_of(call(CollectiveKind::reduce_scatter, n, 1e8), c).total +
                       time_of(call(CollectiveKind::all_gather, n, 1e8), c).total;
  CHECK(time_of(call(CollectiveKind::all_reduce, n, 1e8), c).total.value ==
        Approx(both.value).epsilon(1e-12));
}

TEST_CASE("across nodes an all-gather crosses the fabric once per rail", "[net]") {
  const CommTime t = time_of(call(CollectiveKind::all_gather, 32, 8e9), ideal());
  CHECK(t.near_bytes.value == Approx(8e9 * 7 / 8).epsilon(1e-9));
  CHECK(t.far_bytes.value == Approx(8e9 / 8 * 3 / 4).epsilon(1e-9));
  CHECK(t.crosses_nodes);
}

TEST_CASE("one rank communicates with nobody", "[net]") {
  CHECK(time_of(call(CollectiveKind::all_reduce, 1, 1e9), ideal()).total == Seconds{});
  CHECK(time_of(ops::ExpertExchange{.tokens = 100, .copies = 8, .copy_bytes = Bytes{7168}}, ideal())
            .total == Seconds{});
}

TEST_CASE("more bandwidth and less payload never take longer", "[net][property]") {
  const auto kind = GENERATE(CollectiveKind::all_reduce, CollectiveKind::all_gather,
                             CollectiveKind::reduce_scatter, CollectiveKind::all_to_all,
                             CollectiveKind::send_recv);
  const auto ranks = GENERATE(2, 8, 16, 128);
  const Seconds base = time_of(call(kind, ranks, 1e8), ideal()).total;
  CHECK(time_of(call(kind, ranks, 2e8), ideal()).total >= base);
  CHECK(time_of(call(kind, ranks, 1e8), ideal(400, 50)).total <= base);
  CHECK(time_of(call(kind, ranks, 1e8), ideal(200, 100)).total <= base);
}

TEST_CASE("a pair on a mesh gets one link, not the sum of all links", "[net]") {
  hw::Cluster c = ideal(448);
  c.tiers[0].peer_bandwidth = 64_GB_s;  // MI300X: seven xGMI links of 64 GB/s
  CHECK(time_of(call(CollectiveKind::send_recv, 2, 64e9), c).total.value ==
        Approx(1.0).epsilon(1e-9));
}

TEST_CASE("DeepSeek-V3 tokens reach 3.14 of 4 nodes under node-limited routing",
          "[net][topology]") {
  // 4 (1 - C(6,4)/C(8,4)) = 4 (1 - 15/70)
  CHECK(expected_bins(4, 8, 8, 4) == Approx(4.0 * (1.0 - 15.0 / 70.0)).epsilon(1e-12));
  CHECK(expected_bins(2, 8, 8, 4) == Approx(2.0 * (1.0 - 1.0 / 70.0)).epsilon(1e-12));
  CHECK(expected_bins(8, 8, 8, 4) == Approx(4.0).epsilon(1e-12));
  CHECK(expected_bins(4, 8, 1, 1) ==
        Approx(4.0 * (1.0 - 0.75 * 0.75 * 0.75 * 0.75 * 0.75 * 0.75 * 0.75 * 0.75)).epsilon(1e-9));
}

TEST_CASE("node limits never add copies and more nodes never remove them",
          "[net][topology][property]") {
  double last = 0.0;
  for (const double nodes : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0}) {
    const double limited = expected_bins(nodes, 8, 8, 4);
    CAPTURE(nodes);
    CHECK(limited <=
          expected_bins(nodes, 8, 1, 1) + 0.6);  // groups are assumed to be hit at least once each
    CHECK(limited <= 8.0);
    CHECK(limited >= last - 1e-9);
    last = limited;
  }
}

TEST_CASE("DeepEP's published low-latency rows on H800 come out within 12 percent",
          "[net][ledger]") {
  // deepseek-ai/DeepEP docs/legacy.md: 128 tokens a rank, hidden 7168, top-8, FP8 dispatch, BF16
  // combine; microseconds
  struct Row {
    std::int64_t ep;
    double dispatch_us;
    double combine_us;
  };
  const hw::Cluster h800 = hw::load_cluster("h800");
  for (const Row& row : {Row{16, 118, 195}, Row{32, 155, 273}, Row{64, 173, 314},
                         Row{128, 192, 369}, Row{256, 194, 360}}) {
    ops::ExpertExchange op{.group = {row.ep, 1},
                           .tokens = 128,
                           .copies = 8,
                           .copy_bytes = 7168.0 * row_size_of(Dtype::fp8_block),
                           .low_latency = true};
    CAPTURE(row.ep);
    CHECK(time_of(op, h800).total.value * 1e6 == Approx(row.dispatch_us).epsilon(0.12));
    op.direction = ops::Exchange::combine;
    op.copy_bytes = 7168.0 * size_of(Dtype::bf16);
    CHECK(time_of(op, h800).total.value * 1e6 == Approx(row.combine_us).epsilon(0.12));
  }
}

TEST_CASE("a hybrid exchange crosses the fabric once per node and forwards inside it", "[net]") {
  // 8 copies on 4 nodes, V3 routing: 3.14 nodes a token, three quarters of them remote
  ops::ExpertExchange op{.group = {32, 1},
                         .tokens = 128,
                         .copies = 8,
                         .copy_bytes = Bytes{7392},
                         .n_group = 8,
                         .topk_group = 4,
                         .low_latency = true};
  const CommTime direct = time_of(op, ideal());
  op.per_node = true;
  const CommTime hybrid = time_of(op, ideal());
  const double nodes = 4.0 * (1.0 - 15.0 / 70.0);
  CHECK(direct.far_bytes.value == Approx(128 * 7392 * 8 * 0.75).epsilon(1e-9));
  CHECK(hybrid.far_bytes.value == Approx(128 * 7392 * nodes * 0.75).epsilon(1e-9));
  CHECK(hybrid.near_bytes > direct.near_bytes);
  CHECK(hybrid.total < direct.total);
}

TEST_CASE("the ISCA'25 all-to-all bound is arithmetic of the general model", "[net][ledger]") {
  // (1 + 2) bytes x 32 tokens x 9 copies x 7000 values at 50 GB/s, nothing local, no latency: arXiv
  // 2505.09343 section 2.3.2
  ops::ExpertExchange op{.group = {64, 1},
                         .tokens = 32,
                         .copies = 9,
                         .copy_bytes = Bytes{7000},
                         .low_latency = true,
                         .all_remote = true};
  const hw::Cluster c = ideal();
  const Seconds dispatch = time_of(op, c).total;
  op.copy_bytes = Bytes{14000};
  CHECK((dispatch + time_of(op, c).total).value == Approx(120.96e-6).epsilon(1e-12));
}

TEST_CASE("a hot rank makes an exchange slower by half of its excess", "[net]") {
  ops::ExpertExchange op{
      .group = {32, 1}, .tokens = 128, .copies = 8, .copy_bytes = Bytes{7168}, .low_latency = true};
  const Seconds even = time_of(op, ideal()).total;
  op.load = 1.4;
  CHECK(time_of(op, ideal()).total / even == Approx(1.2).epsilon(1e-12));
}
