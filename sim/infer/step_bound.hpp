#pragma once

#include <vector>

#include "infer/step_model.hpp"

namespace fathom::infer {

/// The part of a step that does not depend on how experts are spread: what attention, projections
/// and tensor-parallel collectives of all layers take for one micro-batch of a shape. It is the
/// same for every plan with the same tp and cp, so a search computes it once for many plans.
struct OwnWork {
  Seconds chain;    // kernels and collectives in line; shared experts, which may hide, left out
  Seconds compute;  // kernels alone, shared experts too
  struct Product {
    model::OpNode node;  // of routed experts, before it is cut
    double calls = 0.0;  // layers that run it
  };
  std::vector<Product> experts;
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

/// No step of `plan` with this work passes all stages in less: kernels do not share the SMs, and
/// what one micro-batch does is a chain. Embedding, head, MTP modules, the way to the experts and
/// back, and everything whose time depends on what runs beside it count nothing.
Seconds least_latency(const OwnWork& own, const mapping::Plan& plan, const hw::Cluster& cluster,
                      double sm_share);

}  // namespace fathom::infer
