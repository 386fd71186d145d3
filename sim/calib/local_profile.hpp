#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "calib/local_fit.hpp"
#include "measure/machine.hpp"
#include "measure/paired.hpp"

namespace fathom::calib {

/// The machine at hand as a device: its ceilings, the share of them that kernels reach, and the
/// samples behind that.
struct LocalCalibration {
  measure::Machine machine;
  kernels::cpu::Isa isa = kernels::cpu::Isa::portable;
  int threads = 1;
  FlopsPerSecond compute_ceiling;  // medians over all rounds
  BytesPerSecond memory_ceiling;
  double compute_spread = 0.0;  // (p90 - p10) / median over the cases: how steady the machine was
  double memory_spread = 0.0;
  double slow_share = 0.0;  // of the rounds whose L2-fed rate lay below two thirds of the best
  bool complete = true;     // false: interrupted, some cases are missing
  std::vector<LocalSample> samples;
  std::vector<LocalEntry> entries;
  hw::Cluster start;    // before anything was fitted: all efficiencies assumed
  hw::Cluster cluster;  // ready for use
};

/// Cases without a round that counted are left out.
std::vector<LocalSample> samples_of(const std::vector<measure::CaseResult>& results);

/// Fits every family. InputError when hardly anything was measured.
LocalCalibration calibrate_local(const std::vector<measure::CaseResult>& results,
                                 const measure::Machine& machine);

/// A hardware profile (hwprofile/1) with the efficiencies inline and samples, residuals and the
/// machine for the record: what `--hardware local` loads.
nlohmann::json profile_json(const LocalCalibration& calibration);

/// "machine slow for 30 % of the rounds", … : what a reader must know before trusting the figures.
std::vector<std::string> warnings(const LocalCalibration& calibration);

}  // namespace fathom::calib
