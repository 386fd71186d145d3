#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "study/evaluate.hpp"
#include "study/scenario.hpp"

namespace fathom::study {

/// A device's limits for one arithmetic: as on the data sheet, and at the shares that large shapes
/// of dense products reach.
struct Roof {
  Math math = Math::bf16;
  FlopsPerSecond peak;
  FlopsPerSecond achievable;
  FlopsPerByte ridge;  // of the data-sheet figures
};

/// One operator of one step on its device's roofline.
struct RooflinePoint {
  std::string form;    // "absorbed", "naive", "gqa-8"; empty: the model has one form only
  double batch = 0.0;  // sequences (prefill: prompts) per device
  std::string block;
  OperatorRow row;
  FlopsPerByte intensity;   // FLOP over all bytes through device memory; 0: no arithmetic counted
  FlopsPerSecond attained;  // FLOP over the estimated time of one call
  FlopsPerSecond roof;      // the data sheet's limit at this intensity
  bool core = false;        // an attention core
};

/// Whether a batch of a form can be kept in memory.
struct RooflineRun {
  std::string form;
  double batch = 0.0;
  Seconds latency;         // TPOT or TTFT; 0 when infeasible
  std::string infeasible;  // why it does not fit; empty: it does
};

struct OperatorRoofline {
  Scenario scenario;            // with the first batch
  std::vector<double> batches;  // per device, ascending
  double context_tokens = 0.0;
  std::vector<Roof> roofs;  // slowest arithmetic first
  BytesPerSecond achievable_bandwidth;
  std::vector<RooflineRun> runs;
  std::vector<RooflinePoint> points;  // by form, batch and place in the step
  std::vector<std::string> notes;
};

/// Every device operator of `scenario`'s step at each batch: in both forms for latent attention,
/// and with the cores of the same model under `other_attention` ("gqa-8"; empty: none) beside them.
/// InputError if the plan cannot run the model. `where` names the request in complaints.
OperatorRoofline operator_roofline(const Scenario& scenario, const std::vector<double>& batches,
                                   const std::string& other_attention, std::string_view where);

nlohmann::json to_json(const OperatorRoofline& roofline);

}  // namespace fathom::study
