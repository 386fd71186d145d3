#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hw/cluster.hpp"
#include "mapping/map.hpp"
#include "mapping/memory.hpp"
#include "model/lower.hpp"
#include "timing/time_graph.hpp"

namespace fathom::infer {

/// The CPU that drives a step. Rarely published, so zero unless given.
struct HostCosts {
  Seconds per_step;    // scheduling and sampling that the device waits for
  Seconds per_launch;  // without CUDA graphs: launches run ahead of the device until they cannot
  bool operator==(const HostCosts&) const = default;
};

/// A model cut by a plan on a machine, ready to be asked for the time of any step: everything that
/// does not depend on the shape is prepared once. Copy one per thread: evaluate() writes into its
/// buffers and allocates nothing after the first call of a phase. What make_step_model() put in
/// stays as it is, but for plan.two_batch_overlap and host.
struct StepModel {
  model::ArchSpec arch;
  hw::Cluster cluster;
  mapping::Plan plan;
  model::LowerOptions options;
  HostCosts host;
  std::vector<mapping::RankClass> classes;
  std::vector<Bytes> weights;      // per class, without MTP modules
  std::vector<Bytes> weights_mtp;  // with them

  // storage reused between calls; graph, mapped and timed hold the last evaluated step
  model::StepShape local;
  model::OpGraph graph;
  mapping::MappedGraph mapped;
  timing::TimedGraph timed;
  timing::Remembered remembered;
  std::vector<timing::StageProgram>
      programs;  // per rank class, for the current phase and draft count
  model::Phase prepared_phase = model::Phase::decode;
  std::int64_t prepared_drafts = -1;
};

/// The plan must be feasible (mapping::infeasible). Number formats that the device cannot multiply
/// fall back to BF16 arithmetic on the stored format; `notes` says so.
StepModel make_step_model(model::ArchSpec arch, hw::Cluster cluster, const mapping::Plan& plan,
                          model::LowerOptions options, std::vector<std::string>* notes = nullptr);

/// What one step of the whole instance costs.
struct StepTime {
  timing::StepEstimate step;   // of the slowest pipeline stage
  Seconds latency;             // first stage in to last stage out
  Seconds cycle;               // time between two steps' completions when the pipeline is full
  Seconds pipeline_transfer;   // activations between stages, part of latency
  double micro_batches = 1.0;  // in flight over the pipeline
  bool operator==(const StepTime&) const = default;
};

/// `step` is the whole instance's step (all data-parallel replicas). Under pipeline parallelism a
/// decode batch is dealt in pp pieces that follow each other through the stages, a prefill step
/// passes as one.
StepTime evaluate(StepModel& model, const model::StepShape& step);

}  // namespace fathom::infer
