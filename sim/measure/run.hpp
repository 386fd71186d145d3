#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "measure/machine.hpp"
#include "measure/paired.hpp"
#include "measure/suites.hpp"
#include "report/document.hpp"

namespace fathom::measure {

struct RunOptions {
  Suite suite = Suite::quick;
  std::vector<KernelCase> also;   // cases beside the suite's
  std::vector<std::string> only;  // groups, or parts of an id
  kernels::cpu::Isa isa = kernels::cpu::Isa::portable;
  int threads = 1;
  std::uint64_t seed = 1;
  PairedOptions paired;
  bool ceilings = true;       // the table of the machine's ceilings too
  bool baselines = true;      // libraries in the same rounds
  double memory_share = 0.5;  // of what is available, for the largest case
  /// Share of the cases done and the one to come.
  std::function<void(double share, const std::string& next)> progress;
};

/// Everything a run found out, with where and how.
struct Measurement {
  Machine machine;
  kernels::cpu::Isa isa = kernels::cpu::Isa::portable;
  int threads = 1;
  std::string suite;
  std::uint64_t seed = 1;
  std::vector<std::string> libraries;
  std::vector<CeilingRow> ceilings;
  std::vector<CaseResult> results;
  std::vector<std::string> left_out;  // too large for the memory at hand
  bool complete = true;               // false: stopped before the end; what is there is whole
};

Measurement run(const RunOptions& options, std::stop_token stop = {});

/// DRAM bursts walk a buffer this large: three times L3, a fourth of what is available at most.
std::int64_t dram_buffer_bytes(const Machine& machine);

nlohmann::json to_json(const Measurement& measurement);
report::Document page(const Measurement& measurement);

}  // namespace fathom::measure
