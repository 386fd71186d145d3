#include "timing/fitted.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "forms/deepep.hpp"
#include "timing/roofline.hpp"

using namespace fathom;
using namespace fathom::timing;

namespace {

// Devices whose efficiency file carries fitted forms.
std::string fitted_machine() { return GENERATE("h800", "h100-sxm", "h200", "b200"); }

ops::Op gemm(double m, Dtype dtype) {
  return ops::Gemm{.m = m, .n = 7168, .k = 2048, .weight = dtype, .input = dtype};
}

ops::Op latent(double sequences, double context) {
  return ops::LatentAttention{.heads = 128,
                              .qk_dim = 576,
                              .v_dim = 512,
                              .query_tokens = sequences,
                              .kv_tokens = sequences * context,
                              .pairs = sequences * context,
                              .sequences = sequences,
                              .row_bytes = Bytes{1152.0}};
}

ops::Op prefill(double length) {
  return ops::Attention{.heads = 128,
                        .kv_heads = 128,
                        .qk_head_dim = 192,
                        .v_head_dim = 128,
                        .query_tokens = length,
                        .kv_tokens = length,
                        .pairs = ops::causal_pairs(length, 0.0),
                        .sequences = 1.0,
                        .naive_mla = true,
                        .prefill = true};
}

ops::Op grouped_queries(double sequences, double context) {
  return ops::Attention{.heads = 64,
                        .kv_heads = 8,
                        .qk_head_dim = 128,
                        .v_head_dim = 128,
                        .query_tokens = sequences,
                        .kv_tokens = sequences * context,
                        .pairs = sequences * context,
                        .sequences = sequences};
}

ops::Op experts(double tokens, bool masked, Dtype dtype) {
  return ops::GroupedGemm{.rows = tokens * 8.0,
                          .experts = 32.0,
                          .touched_experts = 32.0,
                          .experts_per_token = 8.0,
                          .group_tokens = tokens * 8.0,
                          .n = 4096,
                          .k = 7168,
                          .weight = dtype,
                          .input = dtype,
                          .gated_pair = true,
                          .masked = masked};
}

ops::Op exchange(double tokens, std::int64_t ranks) {
  return ops::ExpertExchange{.direction = ops::Exchange::dispatch,
                             .group = {ranks, 1},
                             .tokens = tokens,
                             .copies = 8.0,
                             .experts = 256.0,
                             .copy_bytes = Bytes{7168.0 * (1.0 + 4.0 / 128.0)},
                             .low_latency = true};
}

ops::Op all_reduce(double bytes) {
  return ops::Collective{
      .kind = ops::CollectiveKind::all_reduce, .group = {8, 1}, .payload = Bytes{bytes}};
}

std::vector<ops::Op> calls(double size, const hw::Cluster& c) {
  std::vector<ops::Op> all{gemm(size, Dtype::bf16),
                           gemm(size, Dtype::fp8_block),
                           latent(size, 4096.0),
                           prefill(64.0 * size),
                           grouped_queries(size, 4096.0),
                           experts(size, false, Dtype::fp8_block),
                           experts(size, true, Dtype::fp8_block),
                           exchange(size, 8),
                           exchange(size, 64),
                           all_reduce(7168.0 * 2.0 * size)};
  if (c.device.peak_of(Math::fp4).value > 0.0) {
    all.push_back(gemm(size, Dtype::nvfp4));
    all.push_back(experts(size, false, Dtype::nvfp4));
  }
  return all;
}

Seconds total(const ops::Op& op, const hw::Cluster& c) { return time_of(op, c, {}).total; }

}  // namespace

TEST_CASE("a fitted form goes before the blend of its family and says so", "[timing][fitted]") {
  const hw::Cluster h100 = hw::load_cluster("h100-sxm");
  const OpTime fitted = time_of(gemm(4096.0, Dtype::bf16), h100, {});
  CHECK(fitted.fidelity == Fidelity::fitted);
  CHECK(fitted.evidence == hw::Evidence::measured);
  hw::Cluster bare = h100;
  bare.efficiency.forms = {};
  const OpTime blend = time_of(gemm(4096.0, Dtype::bf16), bare, {});
  CHECK(blend.fidelity == Fidelity::roofline);
  // two descriptions of one kernel: the blend has the measured plateau of the same tables
  CHECK(fitted.total.value == Approx(blend.total.value).epsilon(0.15));
  CHECK(fitted.cost == blend.cost);
}

TEST_CASE("at a measured shape the time is the measurement, far outside it is the form's",
          "[timing][fitted][ratios]") {
  const hw::Cluster bare = hw::load_cluster("h100-sxm");
  hw::Cluster c = bare;
  auto& form = c.efficiency.forms[static_cast<std::size_t>(hw::FormUse::gemm_bf16)];
  REQUIRE(form.has_value());
  form->launch_gap = Seconds{};
  // one shape was measured 30 % slower than the form says; it reaches one octave
  const auto position = [](double value) { return hw::ratio_position(value, 1.0); };
  const ops::Gemm shape = std::get<ops::Gemm>(gemm(4096.0, Dtype::bf16));
  form->ratios = {.scales = {1.0, 1.0, 1.0},
                  .points = {position(4096.0), position(static_cast<double>(shape.n)),
                             position(static_cast<double>(shape.k))},
                  .weights = {std::log(1.3)}};
  hw::Cluster plain = c;
  hw::limit(plain.efficiency.forms, hw::FidelityLimit::fitted);
  const OpTime here = time_of(gemm(4096.0, Dtype::bf16), c, {});
  CHECK(here.fidelity == Fidelity::measured);
  CHECK(here.form == hw::FormUse::gemm_bf16);
  CHECK(here.total / total(gemm(4096.0, Dtype::bf16), plain) == Approx(1.3).epsilon(1e-9));
  for (const double m : {1.0, 1024.0, 8193.0, 65536.0}) {
    const OpTime far = time_of(gemm(m, Dtype::bf16), c, {});
    CHECK(far.fidelity == Fidelity::fitted);
    CHECK(far.total == total(gemm(m, Dtype::bf16), plain));
  }
  double before = 1.0;
  for (double m = 2047.0; m < 8200.0; m += 1.0) {
    const double ratio = total(gemm(m, Dtype::bf16), c) / total(gemm(m, Dtype::bf16), plain);
    CHECK(std::abs(ratio - before) < 2e-3);
    before = ratio;
  }
}

TEST_CASE("a throughput exchange is timed by its form, for less when its routing is limited",
          "[timing][fitted]") {
  const hw::Cluster h100 = hw::load_cluster("h100-sxm");
  const auto ranks = GENERATE(std::int64_t{8}, std::int64_t{32});
  auto op = std::get<ops::ExpertExchange>(exchange(4096.0, ranks));
  op.low_latency = false;
  const OpTime open = time_of(ops::Op{op}, h100, {});
  CHECK(open.fidelity == Fidelity::fitted);
  CHECK(open.form == (ranks > 8 ? hw::FormUse::dispatch_far : hw::FormUse::dispatch));
  hw::Cluster bare = h100;
  bare.efficiency.forms = {};
  // two descriptions of one kernel, measured and published apart
  CHECK(open.total.value == Approx(time_of(ops::Op{op}, bare, {}).total.value).epsilon(0.35));
  op.n_group = 8;
  op.topk_group = 4;
  const OpTime limited = time_of(ops::Op{op}, h100, {});
  CHECK(limited.form == open.form);
  CHECK(limited.total < open.total);
  // the fabric binds across four nodes: the bytes that cross it are those of the nodes reached
  if (ranks == 32) {
    const double nodes =
        forms::distinct_bins(8, 4, 256, {8, 4}) / forms::distinct_groups(8, 4, 256);
    CHECK(limited.total / open.total == Approx(nodes).epsilon(0.05));
  }
}

TEST_CASE("no table holds a limited router on more than four nodes", "[timing][fitted]") {
  const hw::Cluster h100 = hw::load_cluster("h100-sxm");
  auto op = std::get<ops::ExpertExchange>(exchange(4096.0, 64));
  op.low_latency = false;
  CHECK(time_of(ops::Op{op}, h100, {}).fidelity == Fidelity::fitted);
  op.n_group = 8;
  op.topk_group = 4;
  CHECK(time_of(ops::Op{op}, h100, {}).fidelity == Fidelity::roofline);
}

TEST_CASE("a limit on fidelity takes ratios or forms away", "[timing][fitted][ratios]") {
  hw::Cluster c = hw::load_cluster("h100-sxm");
  auto& form = c.efficiency.forms[static_cast<std::size_t>(hw::FormUse::gemm_bf16)];
  form->ratios = {.scales = {1.0, 1.0, 1.0},
                  .points = {12.0, 12.0, 12.0},
                  .weights = {0.1},
                  .median_error = 2.0 * form->median_error};
  const auto limited = [&c](hw::FidelityLimit fidelity) {
    hw::FormTable forms = c.efficiency.forms;
    hw::limit(forms, fidelity);
    return forms[static_cast<std::size_t>(hw::FormUse::gemm_bf16)];
  };
  CHECK(limited(hw::FidelityLimit::measured)->ratios.size() == 1);
  CHECK(limited(hw::FidelityLimit::automatic)->ratios.size() == 0);  // errs more than the form
  form->ratios.median_error = 0.5 * form->median_error;
  CHECK(limited(hw::FidelityLimit::automatic)->ratios.size() == 1);
  CHECK(limited(hw::FidelityLimit::fitted)->ratios.size() == 0);
  CHECK_FALSE(limited(hw::FidelityLimit::roofline).has_value());
  hw::transfer(c.efficiency.forms, hw::Transfer::same_generation);
  CHECK(form->ratios.size() == 0);  // measured on another device
}

TEST_CASE("another vendor's device inherits no form", "[timing][fitted]") {
  const hw::Cluster mi300x = hw::load_cluster("mi300x");
  CHECK(time_of(gemm(64.0, Dtype::bf16), mi300x, {}).fidelity == Fidelity::roofline);
}

TEST_CASE("better hardware never slows a fitted call", "[timing][fitted][property]") {
  const hw::Cluster c = hw::load_cluster(fitted_machine());
  const auto size = GENERATE(1.0, 24.0, 128.0, 1000.0);
  hw::Cluster memory = c;
  memory.device.memory_bandwidth *= 1.5;
  hw::Cluster peaks = c;
  for (auto& peak : peaks.device.peak) peak *= 1.5;
  hw::Cluster links = c;
  for (auto& tier : links.tiers) {
    tier.bandwidth *= 1.5;
    tier.peer_bandwidth *= 1.5;
  }
  const double rounding = 1.0 + 1e-9;
  for (const ops::Op& op : calls(size, c)) {
    CAPTURE(c.id, size, ops::kind_name(op));
    const Seconds base = total(op, c);
    CHECK(base.value > 0.0);
    CHECK(total(op, memory) <= base * rounding);
    CHECK(total(op, peaks) <= base * rounding);
    CHECK(total(op, links) <= base * rounding);
  }
}

TEST_CASE("neighbouring shapes have neighbouring times", "[timing][fitted][property]") {
  // a larger call takes at most 1.3 times its neighbour plus what it has more to do, and at least
  // almost as long: inside a tile more rows may pad less
  const hw::Cluster c = hw::load_cluster(fitted_machine());
  const auto size = GENERATE(1.0, 8.0, 63.0, 64.0, 127.0, 128.0, 255.0, 256.0, 1023.0);
  const double step = size < 16.0 ? 1.0 : size / 16.0;
  const std::vector<ops::Op> before = calls(size, c);
  const std::vector<ops::Op> after = calls(size + step, c);
  const double more = (size + step) / size;
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(c.id, size, i, ops::kind_name(before[i]));
    const double ratio = total(after[i], c) / total(before[i], c);
    const double work = std::holds_alternative<ops::Attention>(before[i]) ? more * more : more;
    // DeepGEMM's tables step themselves: 7168 x 2048 on H100 takes 13.8 us for 256 rows and 26.5
    // for 257, when its grid starts a second wave (ai-dynamo/aiconfigurator, h100_sxm/gemm)
    const auto* product = std::get_if<ops::Gemm>(&before[i]);
    const bool steps = product != nullptr && product->weight == Dtype::fp8_block;
    CHECK(ratio < (steps ? 26.5 / 13.8 : std::max(1.3, 1.1 * work)));
    CHECK(ratio > 0.9);
  }
}

TEST_CASE("a longer context never makes a decode core faster", "[timing][fitted][property]") {
  const hw::Cluster c = hw::load_cluster(fitted_machine());
  const auto sequences = GENERATE(1.0, 16.0, 128.0);
  Seconds last;
  Seconds last_grouped;
  for (double context = 256.0; context <= 131072.0; context *= 2.0) {
    CAPTURE(c.id, sequences, context);
    const Seconds now = total(latent(sequences, context), c);
    const Seconds grouped = total(grouped_queries(sequences, context), c);
    CHECK(now > last);
    CHECK(grouped >= last_grouped * 0.97);  // pieces of the context are whole chunks
    last = now;
    last_grouped = grouped;
  }
}

TEST_CASE("more queries per sequence end at the arithmetic share of the core", "[timing][fitted]") {
  const hw::Cluster c = hw::load_cluster(GENERATE("h100-sxm", "h200", "b200"));
  auto op = std::get<ops::LatentAttention>(latent(128.0, 8192.0));
  const auto several = [&op, &c](double queries) {
    ops::LatentAttention more = op;
    more.query_tokens *= queries;
    more.pairs *= queries;
    return total(more, c);
  };
  const double share = c.efficiency.lookup(hw::Family::mla_decode, Math::bf16).compute;
  for (const double queries : {1.0, 2.0, 4.0}) {
    CAPTURE(c.id, queries);
    const Seconds least = ops::cost(op).flops * queries / (c.device.peak_of(Math::bf16) * share);
    CHECK(several(queries) >= least * 0.999999);
    CHECK(several(2.0 * queries) <= several(queries) * 2.0 * 1.01);
  }
}

TEST_CASE("beside communication compute keeps at most its time alone", "[timing][fitted]") {
  const hw::Cluster c = hw::load_cluster("h800");
  for (const ops::Op& op : {prefill(4096.0), gemm(4096.0, Dtype::fp8_block)}) {
    const double slower =
        time_of(op, c, {.sm_share = 108.0 / 132.0}).total / time_of(op, c, {}).total;
    CHECK(slower > 1.05);
    CHECK(slower <= 132.0 / 108.0 * 1.01);
  }
}

TEST_CASE("attention is slowed for as long as communication runs beside it", "[timing][fitted]") {
  const hw::Cluster c = hw::load_cluster("h800");
  const ops::Op core = prefill(16384.0);
  const auto at = [&](double beside) {
    return time_of(core, c, {.sm_share = 108.0 / 132.0, .beside = beside}).total;
  };
  CHECK(at(0.0) == time_of(core, c, {}).total);
  const double slower = at(1.0) / at(0.0);
  CHECK(slower > 1.1);  // the trace: 1237 us beside communication, 1105 us alone
  for (const double beside : {0.25, 0.5, 0.75}) {
    CHECK(at(beside) / at(0.0) == Approx(1.0 + beside * (slower - 1.0)).epsilon(1e-3));
  }
  // products keep off the SMs of communication all the time
  const ops::Op product = gemm(4096.0, Dtype::fp8_block);
  CHECK(time_of(product, c, {.sm_share = 108.0 / 132.0, .beside = 0.0}).total ==
        time_of(product, c, {.sm_share = 108.0 / 132.0, .beside = 1.0}).total);
}

TEST_CASE("experts timed whole contain what stands between their products", "[timing][fitted]") {
  const hw::Cluster b200 = hw::load_cluster("b200");
  const auto up = std::get<ops::GroupedGemm>(experts(128.0, false, Dtype::nvfp4));
  CHECK(times_experts_whole(up, b200));
  ops::GroupedGemm down = up;
  down.n = up.k;
  down.k = up.n / 2;
  down.gated_pair = false;
  // 3/3 of the layer: gate and up are two of its three products
  CHECK(total(ops::Op{up}, b200) / total(ops::Op{down}, b200) == Approx(2.0).epsilon(1e-9));
  CHECK_FALSE(times_experts_whole(std::get<ops::GroupedGemm>(experts(128, true, Dtype::fp8_block)),
                                  hw::load_cluster("h800")));
}
