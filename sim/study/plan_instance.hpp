#pragma once

#include <array>
#include <string>
#include <vector>

#include "study/plan_bounds.hpp"
#include "study/plan_goals.hpp"

namespace fathom::study {

/// One plan in one precision on one machine, prepared once: its candidates and their bounds.
struct Instance {
  std::size_t hardware = 0;
  std::size_t precision = 0;
  mapping::Plan plan;  // overlap off
  std::vector<mapping::RankClass> classes;
  std::vector<Bytes> weights;
  std::vector<Bytes> weights_mtp;
  Candidates candidates;
  std::vector<Optimum> decode_bounds;  // one per candidate; empty in an exhaustive search
  std::vector<Optimum> prefill_bounds;
  std::vector<std::string> notes;
};

/// What is left of an instance after the search has looked at it on its own.
struct InstanceSummary {
  std::vector<PhasePoint> decode;   // not dominated in TPOT and capacity
  std::vector<PhasePoint> prefill;  // not dominated in wait and capacity
  std::size_t evaluated = 0;        // points
  Winners together;                 // aggregated clusters that meet the targets
};

/// What is known of a machine when an instance is looked at.
struct Incumbents {
  std::vector<Staircases> decode;   // by precision
  std::vector<Staircases> prefill;  // by precision
  std::vector<std::int64_t>
      sizes;    // devices of the smallest aggregated cluster of each plan, sorted
  Reach goals;  // of aggregated clusters; devices: the last size that is kept
};

/// Takes a summary in. `kept`: aggregated clusters of different plans that an answer lists.
void learn(const InstanceSummary& summary, std::size_t precision, std::size_t kept,
           Incumbents& known);

/// Gives `model` an instance's plan.
void assume(const Instance& instance, infer::StepModel& model);

/// Lists and bounds an instance's candidates. `request` has the instance's precision; `bounds` is
/// null in an exhaustive search.
void prepare(const PlanRequest& request, infer::StepModel& model, BoundTable* bounds,
             Instance& instance);

/// Evaluates the candidates that `known` does not rule out; all of them when it is null.
InstanceSummary summarise(const PlanRequest& request, const Instance& instance,
                          infer::StepModel& model, const Incumbents* known);

/// How promising an instance is, lower first: capacity of decode within the target and at any
/// speed, speed, capacity of prefill.
std::array<double, 4> promise(const PlanRequest& request, const Instance& instance);

}  // namespace fathom::study
