#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "calib/local_profile.hpp"
#include "proof/targets.hpp"
#include "report/document.hpp"

namespace fathom::proof {

struct ProofOptions {
  kernels::cpu::Isa isa = kernels::cpu::Isa::portable;
  int threads = 1;
  std::uint64_t seed = 1;
  bool quick = false;
  std::vector<std::string> only;   // parts of a target's id
  double calibrate_seconds = 1.0;  // per micro-shape
  double target_seconds = 5.0;     // per target, preparation apart
  double memory_share = 0.5;       // of what is available
  std::function<void(double share, const std::string& next)> progress;
};

/// One target: what small shapes said it would take, and what it took.
struct Comparison {
  std::string id;
  Part part = Part::kernel;
  double predicted_s = 0.0;  // with the ceilings of the target's own rounds
  double p10_s = 0.0;
  double p90_s = 0.0;
  double predicted_then_s = 0.0;  // with the ceilings of the time of calibration
  double measured_s = 0.0;
  double spread = 0.0;           // of the readings, relative
  double compute_ceiling = 0.0;  // of the target's rounds, FLOP/s
  double memory_ceiling = 0.0;   // B/s
  std::int64_t rounds = 0;
  std::int64_t samples = 0;  // micro-shapes that the prediction may rest on
  double error() const { return predicted_s / measured_s - 1.0; }
  bool inside() const { return measured_s >= p10_s && measured_s <= p90_s; }
};

struct PartSummary {
  Part part = Part::kernel;
  std::int64_t count = 0;
  double median = 0.0;  // of |error|
  double p90 = 0.0;
  double worst = 0.0;
  double inside = 0.0;  // share
};

struct Proof {
  calib::LocalCalibration calibration;
  std::vector<Comparison> comparisons;
  std::vector<std::string> skipped;  // target: why
  bool complete = true;
};

/// Micro-shapes at most this long take part, and of those the ones at least this many times smaller
/// than the target, in FLOPs or in bytes.
inline constexpr double kLongestSample = 5e-3;
inline constexpr double kTimesSmaller = 8.0;

/// Samples that a prediction of `target` may rest on.
std::vector<calib::LocalSample> allowed(const std::vector<calib::LocalSample>& samples,
                                        const ops::OpCost& target);

/// Time of `ops` on a calibrated cluster with its 80 % interval: families err independently, calls
/// of one family together; a family that was not fitted counts with the error of an assumption.
struct Prediction {
  double seconds = 0.0;
  double p10 = 0.0;
  double p90 = 0.0;
};
Prediction predict(const std::vector<ops::Op>& ops, const hw::Cluster& cluster);

Proof prove(const ProofOptions& options, std::stop_token stop = {});
std::vector<PartSummary> summaries(const Proof& proof);

nlohmann::json to_json(const Proof& proof);
report::Document page(const Proof& proof);

}  // namespace fathom::proof
