#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hw/cluster.hpp"
#include "measure/run.hpp"
#include "report/document.hpp"
#include "timing/roofline.hpp"

namespace fathom::proof {

/// Where a kernel lies on one machine's roofline, in units that machines share.
struct Placement {
  double over_ridge = 0.0;  // intensity over the machine's ridge: above 1 arithmetic binds
  double share = 0.0;       // FLOP/s over the machine's peak
  double seconds = 0.0;
  timing::Bound bound = timing::Bound::memory;  // estimated machines: what the time model says
  bool compute_side() const { return over_ridge >= 1.0; }
};

/// One kernel: measured here, estimated on the other machines.
struct SideBySideRow {
  std::string id;
  std::string group;
  double intensity = 0.0;  // FLOP/B
  Placement here;
  std::vector<Placement> there;  // in the order of SideBySide::clusters
  bool agrees() const;           // every machine has it on the same side of its ridge
};

struct SideBySide {
  measure::Measurement measurement;
  std::vector<hw::Cluster> clusters;
  std::vector<SideBySideRow> rows;  // kernels with FLOPs that were measured
};

/// An MTP module of the DeepSeek-V3 form, small enough to be one kernel among others.
measure::KernelCase small_mtp_module();

/// The ridge here is the product ceiling over the read ceiling of the kernel's own rounds; on a
/// profile it is the dense peak of the kernel's arithmetic over the memory bandwidth.
SideBySide side_by_side(measure::Measurement measurement, std::vector<hw::Cluster> clusters);

nlohmann::json to_json(const SideBySide& comparison);
report::Document page(const SideBySide& comparison);

}  // namespace fathom::proof
