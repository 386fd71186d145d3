#include "proof/extrapolate.hpp"

#include <cmath>

#include "catch.hpp"

namespace fathom::proof {
namespace {

using calib::LocalSample;

constexpr double kMoment = 0.03;  // what one minute differs from the next by, whatever the curve
constexpr double kEightInTen = 1.2816;

// FLOPs 2 m n k, weights 2 n k bytes and more.
LocalSample product(double rows, double seconds) {
  return {.id = "s", .ops = {ops::Gemm{.m = rows, .n = 512, .k = 512}}, .time = Seconds{seconds}};
}

ops::OpCost target(double times_flops, double times_bytes) {
  const ops::OpCost one = ops::cost(product(16, 1e-3).ops.front());
  return {.flops = times_flops * one.flops,
          .math = one.math,
          .weight_read = times_bytes * ops::traffic(one)};
}

std::size_t taken(const LocalSample& sample, const ops::OpCost& cost) {
  return allowed({sample}, cost).size();
}

hw::Cluster cluster(double sigma) {
  hw::Cluster out;
  for (auto& peak : out.device.peak) peak = FlopsPerSecond{1e12};
  out.device.memory_bandwidth = BytesPerSecond{1e10};
  for (auto& row : out.efficiency.table)
    for (hw::Efficiency& entry : row) entry.log_sigma = sigma;
  return out;
}

// 1 ms of memory time at 1e10 B/s.
ops::Op stream(ops::ElementwiseKind kind) {
  return ops::Elementwise{.kind = kind, .rows = 1.0, .read_bytes = 1e7};
}

double sigma_of(const Prediction& p) { return std::log(p.p90 / p.seconds) / kEightInTen; }

}  // namespace

TEST_CASE("a sample is eight times smaller than its target in FLOPs or in bytes", "[proof]") {
  const LocalSample sample = product(16, 1e-3);
  CHECK(taken(sample, target(8.0, 8.0)) == 1);
  CHECK(taken(sample, target(8.0, 1.0)) == 1);
  CHECK(taken(sample, target(1.0, 8.0)) == 1);
  CHECK(taken(sample, target(7.99, 7.99)) == 0);
  CHECK(taken(sample, target(1.0, 1.0)) == 0);
}

TEST_CASE("a target without arithmetic is compared by its bytes", "[proof]") {
  LocalSample sample = product(16, 1e-3);
  sample.ops = {stream(ops::ElementwiseKind::copy)};
  const ops::OpCost one = ops::cost(sample.ops.front());
  CHECK(taken(sample, {.weight_read = 8.0 * ops::traffic(one)}) == 1);
  CHECK(taken(sample, {.weight_read = 7.9 * ops::traffic(one)}) == 0);
}

TEST_CASE("a sample took 5 ms at most", "[proof]") {
  CHECK(taken(product(16, 5e-3), target(100.0, 100.0)) == 1);
  CHECK(taken(product(16, 5.001e-3), target(100.0, 100.0)) == 0);
}

TEST_CASE("the interval lies around the estimate, on both sides by the same factor", "[proof]") {
  const Prediction p = predict({stream(ops::ElementwiseKind::norm)}, cluster(0.1));
  CHECK(std::abs(p.seconds - 1e-3) < 1e-12);
  CHECK(p.p10 < p.seconds);
  CHECK(p.p90 > p.seconds);
  CHECK(std::abs(p.p10 * p.p90 / (p.seconds * p.seconds) - 1.0) < 1e-12);
}

TEST_CASE("calls of one family err together", "[proof]") {
  constexpr double kSigma = 0.1;
  const ops::Op one = stream(ops::ElementwiseKind::norm);
  const double expected = std::hypot(kMoment, kSigma);
  CHECK(std::abs(sigma_of(predict({one}, cluster(kSigma))) - expected) < 1e-9);
  CHECK(std::abs(sigma_of(predict({one, one, one}, cluster(kSigma))) - expected) < 1e-9);
}

TEST_CASE("families err independently", "[proof]") {
  constexpr double kSigma = 0.1;
  const Prediction p = predict(
      {stream(ops::ElementwiseKind::norm), stream(ops::ElementwiseKind::cast)}, cluster(kSigma));
  CHECK(std::abs(p.seconds - 2e-3) < 1e-12);
  // half of the time each: sqrt(2 (sigma / 2)^2) = sigma / sqrt(2)
  CHECK(std::abs(sigma_of(p) - std::hypot(kMoment, kSigma / std::sqrt(2.0))) < 1e-9);
}

TEST_CASE("a family that was not fitted is as uncertain as an assumption", "[proof]") {
  const ops::Op one = stream(ops::ElementwiseKind::norm);
  CHECK(sigma_of(predict({one}, cluster(0.0))) > sigma_of(predict({one}, cluster(0.2))));
}

TEST_CASE("errors and hits are counted part by part", "[proof]") {
  Proof proof;
  const auto add = [&](Part part, double predicted, double measured) {
    proof.comparisons.push_back({.id = "x",
                                 .part = part,
                                 .predicted_s = predicted,
                                 .p10_s = 0.9 * predicted,
                                 .p90_s = 1.1 * predicted,
                                 .measured_s = measured});
  };
  add(Part::kernel, 1.0, 1.0);   // off by 0, inside
  add(Part::kernel, 1.2, 1.0);   // + 20 %, outside: 1.0 < 1.08
  add(Part::kernel, 0.95, 1.0);  // - 5 %, inside: up to 1.045
  add(Part::layer, 3.0, 2.0);
  const auto parts = summaries(proof);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].count == 3);
  CHECK(std::abs(parts[0].median - 0.05) < 1e-12);
  CHECK(std::abs(parts[0].worst - 0.2) < 1e-12);
  CHECK(std::abs(parts[0].inside - 2.0 / 3.0) < 1e-12);
  CHECK(parts[1].inside == 0.0);
}

}  // namespace fathom::proof
