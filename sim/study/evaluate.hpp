#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "infer/serving_point.hpp"
#include "study/scenario.hpp"

namespace fathom::study {

/// A scenario's answer together with the graphs it came from, for tables and `fathom explain`.
struct Answer {
  infer::InferOutcome outcome;
  infer::StepModel
      model;  // its graph, mapped and timed hold the (last) step; empty when the plan is infeasible
  std::vector<std::string> notes;
};

Answer evaluate(const Scenario& scenario);
/// The same for a scenario that differs from the answer's in figures of its efficiencies, in the
/// expert load and in the workload alone: most of what evaluate() prepares is kept. The cluster is
/// lent to the model meanwhile. An answer that was infeasible by its plan stays so.
void evaluate_again(Scenario& scenario, Answer& answer);

/// One operator of the answer's step, for tables: per rank and step.
struct OperatorRow {
  std::string block;
  std::string name;
  std::string kind;
  double calls = 0.0;  // per step, micro-batches included
  ops::OpCost cost;    // of one call
  timing::TimedNode node;
  Bytes wire_bytes;    // communication, one call
  double share = 0.0;  // of the summed operator time
};
std::vector<OperatorRow> operator_rows(const Answer& answer);

/// Which MLA form the step used ("naive", "absorbed"), or empty.
std::string mla_form(const Answer& answer);

}  // namespace fathom::study
