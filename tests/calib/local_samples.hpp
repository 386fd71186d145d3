#pragma once
// A machine whose efficiencies a test chooses, and what measuring on it would give.

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "calib/local_fit.hpp"

namespace fathom::calib::synthetic {

/// 1 TFLOP/s, 40 GB/s, 2 MiB of L2; efficiencies as default-constructed.
inline hw::Cluster machine() {
  hw::Cluster out;
  for (const Math math : {Math::bf16, Math::fp32})
    out.device.peak[static_cast<std::size_t>(math)] = FlopsPerSecond{1e12};
  out.device.memory_bandwidth = BytesPerSecond{40e9};
  out.device.l2 = Bytes{2.0 * 1024.0 * 1024.0};
  return out;
}

inline void set(hw::Cluster& cluster, hw::Family family, const hw::Efficiency& entry) {
  cluster.efficiency.table[static_cast<std::size_t>(family)].fill(entry);
}

/// Bound by memory, by arithmetic and by the fixed cost, at a fifth of a millisecond at most.
inline std::vector<ops::Op> products() {
  std::vector<ops::Op> out;
  for (const std::int64_t width : {64, 512, 1024, 2048})
    for (const double rows : {1.0, 16.0, 128.0, 512.0})
      out.emplace_back(ops::Gemm{.m = rows, .n = width, .k = width});
  return out;
}

/// Norms of 2 KiB to 64 MiB: within the cache and beyond it.
inline std::vector<ops::Op> norms() {
  std::vector<ops::Op> out;
  for (double rows = 1.0; rows <= 32'768.0; rows *= 4.0)
    for (const double width : {512.0, 1024.0})
      out.emplace_back(ops::Elementwise{.kind = ops::ElementwiseKind::norm,
                                        .rows = rows,
                                        .read_bytes = 2.0 * width,
                                        .write_bytes = 2.0 * width});
  return out;
}

/// Each operator as a sample on a machine whose ceilings move by a third from round to round, read
/// with a uniform error of `noise`.
inline std::vector<LocalSample> measure(const std::vector<ops::Op>& ops, hw::Family family,
                                        const hw::Cluster& truth, double noise) {
  std::mt19937_64 engine{17};
  const auto uniform = [&] { return static_cast<double>(engine() >> 11U) * 0x1p-53; };
  std::vector<LocalSample> out;
  for (const ops::Op& op : ops) {
    LocalSample s{.id = std::to_string(out.size()), .family = family, .ops = {op}};
    s.compute_ceiling = (1.0 - uniform() / 3.0) * truth.device.peak_of(Math::bf16);
    s.memory_ceiling = (1.0 - uniform() / 3.0) * truth.device.memory_bandwidth;
    s.time = (1.0 + noise * (2.0 * uniform() - 1.0)) *
             time_of(s.ops, as_measured(truth, s.compute_ceiling, s.memory_ceiling));
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace fathom::calib::synthetic
