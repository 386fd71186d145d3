#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hw/efficiency.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "measure/stopwatch.hpp"
#include "ops/op.hpp"

namespace fathom::measure {

/// What a kernel is prepared for and runs on.
struct Bench {
  kernels::cpu::Isa isa;
  kernels::cpu::ThreadPool& pool;
  std::uint64_t seed = 1;
};

/// A prepared kernel: its data live in the closures.
struct Runnable {
  std::function<void()> run;
  /// Relative Frobenius error of the last run against a reference in double precision, on as many
  /// outputs as that takes a moment; outputs are poisoned before.
  std::function<double()> error;
  std::vector<Region> cold;  // dropped from the caches before each timed call
};

/// Another implementation of the same work, timed in the same rounds.
struct Baseline {
  std::string name;     // "oneDNN bf16"
  std::string version;  // "2.6.3"
  std::function<void()> run;
};

/// One kernel on one shape, executable and analytic: `ops` are what it does as the estimator counts
/// it, so measured and predicted time are about the same work.
struct KernelCase {
  std::string id;     // "linear/7168x1536/m=16": unique in a suite
  std::string group;  // "linear": what --only selects
  hw::Family family;  // whose efficiency its time speaks about
  std::vector<ops::Op> ops;
  double error_bound = 0.0;  // stated accuracy of the kernel; above it nothing is timed
  std::function<Runnable(const Bench&)> prepare;
  std::function<std::vector<Baseline>(const Bench&)> baselines;  // may be empty
};

/// Cost of all operators of a case.
ops::OpCost cost(const KernelCase& kernel);

}  // namespace fathom::measure
