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
  std::size_t precision = 0;  // index into precisions(request)
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
  std::size_t precision = 0;
};

/// A point that fits in memory, before anybody asks for its time.
struct Candidate {
  bool overlap = false;
  mapping::AllToAll all_to_all = mapping::AllToAll::automatic;
  std::int64_t draft_tokens = 0;  // decode
  double chunk_tokens = 0.0;      // prefill
  double batch = 0.0;             // per replica
};

/// Everything one plan can do: with and without two-batch overlap, all kernels, drafts, chunks and
/// batches.
struct Candidates {
  std::vector<Candidate> decode;
  std::vector<Candidate> prefill;
  std::vector<Refusal> refused;
};

/// The plans to try on a machine, in the order of tp, pp, cp, dp, ep, redundant experts; overlap
/// off. Combinations that mapping::infeasible() refuses are among them.
std::vector<mapping::Plan> candidate_plans(const PlanRequest& request);

/// The same with each plan's expert_load sampled from the request's load source, if it has one.
std::vector<mapping::Plan> loaded_plans(const PlanRequest& request, const hw::Cluster& cluster);

/// Nothing, or why the plan runs neither phase.
std::optional<Refusal> refusal_of(const PlanRequest& request, const hw::Cluster& cluster,
                                  const mapping::Plan& plan);

/// Of a plan that is not refused, prepared as `model` (whose overlap and kernels this changes).
/// Batches run geometrically (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 … per replica, four to an
/// octave) to what the memory holds, the last of decode being exactly that.
Candidates candidates_of(const PlanRequest& request, infer::StepModel& model);

/// The candidate's point, with the full model; nothing if it does not fit after all.
std::optional<PhasePoint> evaluate_point(const PlanRequest& request, infer::StepModel& model,
                                         const Candidate& candidate, model::Phase phase);

/// Gives `model` a candidate's overlap and kernels.
void assume(const Candidate& candidate, infer::StepModel& model);

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
