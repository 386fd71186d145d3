#pragma once

#include <array>
#include <vector>

#include "infer/step_model.hpp"

namespace fathom::infer {

/// Time on each lane, and of one micro-batch's kernels and transfers in line.
struct LaneTimes {
  Seconds chain;
  std::array<Seconds, mapping::kLaneCount> lanes{};
};

/// The part of a step that does not depend on how experts are spread: what attention, projections
/// and tensor-parallel collectives of all layers take for one micro-batch of a shape. It is the
/// same for every plan with the same tp and cp, so a search computes it once for many plans.
struct OwnWork {
  LaneTimes times;             // shared experts, which may hide, are on a lane but not in line
  model::OpGraph experts;      // one block per kind of layer: its rows, and its routed experts
  std::vector<double> layers;  // of each block
  model::Phase phase = model::Phase::decode;
};

/// Where a search asks for a bound: a rank's micro-batch, and the share of SMs that it computes on.
struct BoundQuery {
  const model::StepShape& local;  // mapping::local_step()
  double sm_share = 1.0;
};

/// SMs left by the throughput all-to-all of an overlapped step, as the estimate will have it.
double sm_share(const mapping::Plan& plan, model::Phase phase, const hw::Cluster& cluster);

/// The tp and cp of `model`'s plan count, nothing else of it. Writes into `model`'s buffers.
OwnWork own_work(StepModel& model, const BoundQuery& query);

/// The same with the routed experts of `model`'s plan, and the way to them and back. Neither its pp
/// nor its overlap matter.
LaneTimes with_experts(const OwnWork& own, const StepModel& model, double sm_share);

/// No step with this work passes all stages in less: lanes run one thing at a time, and what one of
/// the `micro_batches` does is a chain. Embedding, head, MTP modules, pointwise kernels of routed
/// experts and everything whose time depends on what runs beside it count nothing.
Seconds least_latency(const LaneTimes& times, std::int64_t micro_batches);

}  // namespace fathom::infer
