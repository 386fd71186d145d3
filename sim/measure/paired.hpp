#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "measure/ceilings.hpp"
#include "measure/kernel_case.hpp"

namespace fathom::measure {

struct PairedOptions {
  int rounds = 20;           // kept ones
  double seconds = 3.0;      // enough rounds or not, unless fewer than five: then up to three times
  double shortest = 300e-6;  // a reading is as many calls as fill this
};

struct BaselineResult {
  std::string name;
  std::string version;
  Summary time_s;
  Summary speedup;  // its time over ours, round by round
};

/// A round is: ceilings, kernel, ceilings, baselines; the order turns around every round. A round
/// is dropped when the ceilings before and after differ by more than a fourth, or when threads
/// waited for a CPU.
struct CaseResult {
  std::string id;
  std::string group;
  hw::Family family = hw::Family::gemm;
  std::vector<ops::Op> ops;
  ops::OpCost cost;
  kernels::cpu::Isa isa = kernels::cpu::Isa::portable;
  int threads = 1;
  bool cold = false;  // operands dropped from the caches before each call
  double error = 0.0;
  int calls = 1;  // per reading
  std::int64_t dropped = 0;
  Summary time_s;            // of one call
  Summary compute_ceiling;   // FLOP/s, of the rounds kept
  Summary register_ceiling;  // FLOP/s
  Summary memory_ceiling;    // B/s
  Summary of_compute;        // FLOP/s over the round's ceiling
  Summary of_registers;
  Summary of_memory;    // B/s over the round's ceiling
  Summary of_roofline;  // the slower of the two bounds over the time
  std::vector<BaselineResult> baselines;
  std::string note;  // why it is not comparable, or empty
};

/// BugError when the kernel is less accurate than it states. A stop request ends it after the round
/// in progress; what has been read by then is returned.
CaseResult measure_case(const KernelCase& kernel, const Bench& bench, CeilingProbe& ceilings,
                        const PairedOptions& options, std::stop_token stop = {});

nlohmann::json to_json(const CaseResult& result);

}  // namespace fathom::measure
