#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "infer/serving_point.hpp"
#include "study/plan_request.hpp"

namespace fathom::study {

/// One way to run one phase on one instance.
struct PhasePoint {
  mapping::Plan plan;
  std::int64_t draft_tokens = 0;
  double chunk_tokens = 0.0;
  double batch = 0.0;           // of the instance: sequences (decode), prompts per step (prefill)
  double requests_per_s = 0.0;  // of an instance that does nothing else
  infer::InferEstimate estimate;
};

/// Why a plan cannot run a phase at all.
struct Refusal {
  enum class Cause : std::uint8_t { indivisible, machine, memory };
  mapping::Plan plan;
  std::string phase;  // "decode", "prefill" or "both"
  Cause cause = Cause::indivisible;
  std::string reason;
};

/// Everything one plan can do: with and without two-batch overlap, all drafts, chunks and batches.
struct PlanPoints {
  std::vector<PhasePoint> decode;
  std::vector<PhasePoint> prefill;
  std::vector<Refusal> refused;
  std::vector<std::string> notes;
};

/// The plans to try on a machine, in the order of tp, pp, dp, ep; overlap off. Combinations that
/// mapping::infeasible() refuses are among them.
std::vector<mapping::Plan> candidate_plans(const PlanRequest& request);

/// The same with each plan's expert_load sampled from the request's load source, if it has one.
std::vector<mapping::Plan> loaded_plans(const PlanRequest& request, const hw::Cluster& cluster);

/// Batches run geometrically (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 … per replica, four to an
/// octave) to what the memory holds, the last one being exactly that.
PlanPoints evaluate_plan(const PlanRequest& request, const hw::Cluster& cluster,
                         const mapping::Plan& plan);

/// The next batch per replica after `batch`.
double next_batch(double batch);

/// The request's plan ready for queries; overlap is set by assigning plan.two_batch_overlap.
infer::StepModel step_model(const PlanRequest& request, const hw::Cluster& cluster,
                            const mapping::Plan& plan, std::vector<std::string>* notes = nullptr);

/// What a point asks of infer.
infer::DecodeQuery decode_query(const PlanRequest& request, double sequences, std::int64_t drafts);
infer::PrefillQuery prefill_query(const PlanRequest& request, double prompts, double chunk);

/// Memory of the tightest rank when one instance decodes and prefills in turn: the cache of running
/// sequences and of prompts in work, activations of the larger step.
mapping::MemoryFootprint shared_memory(const PlanRequest& request, const infer::StepModel& model,
                                       const PhasePoint& decode, const PhasePoint& prefill);

}  // namespace fathom::study
