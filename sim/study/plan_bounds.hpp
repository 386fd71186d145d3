#pragma once

#include <array>
#include <map>
#include <optional>

#include "infer/step_bound.hpp"
#include "study/plan_points.hpp"

namespace fathom::study {

/// What no real point of a candidate beats: a lower bound on its latencies and an upper bound on
/// what it serves.
struct Optimum {
  Seconds latency;
  Seconds cycle;
  double requests_per_s = 0.0;
};

/// Bounds for plans that share the machine, the formats, tp and cp: what these have in common is
/// computed once per shape.
class BoundTable {
 public:
  /// `model` is a plan with the common tp and cp; its buffers are used and its plan is changed.
  BoundTable(const PlanRequest& request, infer::StepModel& model)
      : request_(request), model_(model) {}

  Optimum decode(const mapping::Plan& plan, const Candidate& candidate);
  Optimum prefill(const mapping::Plan& plan, const Candidate& candidate);

 private:
  Seconds least(const mapping::Plan& plan, const model::StepShape& step, std::int64_t pieces);

  using Key = std::array<double, 6>;        // of a shape
  using ExpertKey = std::array<double, 5>;  // of how experts are spread
  struct Entry {
    std::optional<infer::OwnWork> own;
    std::map<ExpertKey, infer::LaneTimes> with_experts;
  };
  const PlanRequest& request_;
  infer::StepModel& model_;
  std::map<Key, Entry> known_;
  model::StepShape step_;
  model::StepShape local_;
};

/// The candidate's plan with its overlap and kernels.
mapping::Plan plan_of(mapping::Plan plan, const Candidate& candidate);

/// An optimum as sizing wants it. The figures that no sizing asks for stay empty.
PhasePoint optimistic_point(const mapping::Plan& plan, const Candidate& candidate,
                            const Optimum& optimum);

/// The best of two in every figure at once: what bounds one bounds either.
void widen(PhasePoint& best, const PhasePoint& other);

}  // namespace fathom::study
