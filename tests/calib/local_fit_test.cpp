#include <algorithm>

#include "catch.hpp"
#include "local_samples.hpp"

namespace fathom::calib {
namespace {

using hw::Efficiency;
using hw::Family;
using synthetic::set;

const Efficiency kProduct{.compute = 0.62,
                          .memory = 0.71,
                          .overhead = Seconds{6e-6},
                          .blend = 4.0,
                          .cache_rate = BytesPerSecond{50e9}};
const Efficiency kNorm{.memory = 0.6,
                       .overhead = Seconds{3e-6},
                       .cache = Bytes{2.0 * 1024.0 * 1024.0},
                       .cache_rate = BytesPerSecond{90e9}};

double off(double got, double want) { return std::abs(got / want - 1.0); }

hw::Cluster product_machine() {
  hw::Cluster out = synthetic::machine();
  set(out, Family::gemm, kProduct);
  return out;
}

}  // namespace

TEST_CASE("a fit finds the shares that products were made with", "[calib][local]") {
  const auto samples =
      synthetic::measure(synthetic::products(), Family::gemm, product_machine(), 0.02);
  hw::Cluster cluster = synthetic::machine();
  const auto entries = fit_local(samples, cluster);
  REQUIRE(entries.size() == 1);
  const Efficiency& found = entries.front().efficiency;
  // 2 % of noise on sixteen samples, of which each parameter rules a few
  CHECK(off(found.compute, kProduct.compute) < 0.04);
  CHECK(off(found.memory, kProduct.memory) < 0.04);
  CHECK(off(found.overhead.value, kProduct.overhead.value) < 0.1);
  CHECK(found.evidence == hw::Evidence::measured);
  CHECK(found == cluster.efficiency.lookup(Family::gemm, Math::bf16));
}

TEST_CASE("a fit finds bandwidth, cache rate and fixed cost of pointwise kernels",
          "[calib][local]") {
  hw::Cluster truth = synthetic::machine();
  set(truth, Family::norm, kNorm);
  const auto samples = synthetic::measure(synthetic::norms(), Family::norm, truth, 0.02);
  hw::Cluster cluster = synthetic::machine();
  const auto entries = fit_local(samples, cluster);
  REQUIRE(entries.size() == 1);
  const Efficiency& found = entries.front().efficiency;
  CHECK(off(found.memory, kNorm.memory) < 0.04);
  CHECK(off(found.cache_rate.value, kNorm.cache_rate.value) < 0.1);
  CHECK(off(found.overhead.value, kNorm.overhead.value) < 0.1);
  CHECK(found.cache == cluster.device.l2);
}

TEST_CASE("a sample left out is predicted within the noise", "[calib][local]") {
  const auto samples =
      synthetic::measure(synthetic::products(), Family::gemm, product_machine(), 0.02);
  hw::Cluster cluster = synthetic::machine();
  const LocalEntry entry = fit_local(samples, cluster).front();
  REQUIRE(entry.samples == 16);
  REQUIRE(entry.residuals.size() == 16);
  // its own 2 %, and as much again from the samples that stand in for it
  for (const double residual : entry.residuals) CHECK(std::abs(residual) < 0.05);
  // left out, a sample is never closer than when it was part of the fit, all of them together
  CHECK(entry.in_sample.median <= entry.leave_one_out.median);
}

TEST_CASE("a sample that does not belong is off by what it is off, and moves others little",
          "[calib][local]") {
  auto samples = synthetic::measure(synthetic::products(), Family::gemm, product_machine(), 0.0);
  const std::size_t odd = 9;
  samples[odd].time = 2.0 * samples[odd].time;  // predicted half of that: ln(1/2)
  hw::Cluster cluster = synthetic::machine();
  const LocalEntry entry = fit_local(samples, cluster).front();
  CHECK(std::abs(entry.residuals[odd] - std::log(0.5)) < 0.05);
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (i != odd) CHECK(std::abs(entry.residuals[i]) < 0.25 * std::log(2.0));
}

TEST_CASE("noisier samples give a wider interval, never one below what a machine repeats",
          "[calib][local][property]") {
  double last = 0.0;
  for (const double noise : {0.0, 0.1, 0.3}) {
    hw::Cluster cluster = synthetic::machine();
    const auto samples =
        synthetic::measure(synthetic::products(), Family::gemm, product_machine(), noise);
    const double sigma = fit_local(samples, cluster).front().efficiency.log_sigma;
    CHECK(sigma >= 0.05);
    CHECK(sigma >= last);
    last = sigma;
  }
}

TEST_CASE("a family with fewer than three samples is left alone", "[calib][local]") {
  auto samples = synthetic::measure(synthetic::products(), Family::gemm, product_machine(), 0.0);
  samples.resize(2);
  hw::Cluster cluster = synthetic::machine();
  CHECK(fit_local(samples, cluster).empty());
  CHECK(cluster == synthetic::machine());
}

TEST_CASE("the ceilings of the rounds take the place of the device's", "[calib][local]") {
  const hw::Cluster now =
      as_measured(synthetic::machine(), FlopsPerSecond{3e11}, BytesPerSecond{7e9});
  CHECK(now.device.peak_of(Math::bf16) == FlopsPerSecond{3e11});
  CHECK(now.device.memory_bandwidth == BytesPerSecond{7e9});
  CHECK(now.device.peak_of(Math::fp8) == FlopsPerSecond{});  // what is missing stays missing
}

TEST_CASE("operators one after the other take the sum of their times", "[calib][local]") {
  const hw::Cluster cluster = product_machine();
  const auto ops = synthetic::products();
  double sum = 0.0;
  for (const ops::Op& op : ops) sum += time_of(std::span{&op, 1}, cluster).value;
  CHECK(off(time_of(ops, cluster).value, sum) < 1e-12);
}

TEST_CASE("time grows with the bytes, without a step where the cache ends",
          "[calib][local][property]") {
  hw::Cluster cluster = synthetic::machine();
  Efficiency entry = kNorm;
  entry.cache_rate = BytesPerSecond{GENERATE(10e9, 24e9, 90e9, 400e9)};  // 24: the memory's rate
  set(cluster, Family::norm, entry);
  double last = 0.0;
  for (double bytes = 1e3; bytes < 1e8; bytes *= 1.01) {
    const ops::Op op =
        ops::Elementwise{.kind = ops::ElementwiseKind::norm, .rows = 1.0, .read_bytes = bytes};
    const double time = time_of(std::span{&op, 1}, cluster).value;
    REQUIRE(time > last);
    // 1 % more bytes at whatever rate cost at most as much as the slower of the two takes for them
    const double slowest = std::min(entry.cache_rate.value, 40e9 * entry.memory);
    if (last > 0.0) REQUIRE(time - last <= 1.0001 * (bytes - bytes / 1.01) / slowest);
    last = time;
  }
}

}  // namespace fathom::calib
