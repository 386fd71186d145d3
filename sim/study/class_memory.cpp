#include "study/class_memory.hpp"

namespace fathom::study {
namespace {

// The longest a sequence gets while this step's promises hold: what serving_point checks.
struct Longest {
  double operator()(const infer::DecodeQuery& q) const {
    return q.context_tokens + 1.0 + static_cast<double>(q.draft_tokens) + q.reserve_tokens;
  }
  double operator()(const infer::PrefillQuery& q) const { return q.prompt_tokens; }
};

}  // namespace

std::vector<mapping::MemoryFootprint> class_memory(const Scenario& scenario, const Answer& answer) {
  std::vector<mapping::MemoryFootprint> rows;
  const auto* estimate = std::get_if<infer::InferEstimate>(&answer.outcome);
  if (estimate == nullptr) return rows;
  const infer::StepModel& m = answer.model;
  const auto* decode = std::get_if<infer::DecodeQuery>(&scenario.workload);
  const bool mtp = decode != nullptr && decode->draft_tokens > 0;
  for (std::size_t i = 0; i < m.classes.size(); ++i) {
    const mapping::MemoryQuery query{.sequences = estimate->memory.sequences,
                                     .context_tokens = std::visit(Longest{}, scenario.workload),
                                     .step_tokens = model::tokens(m.local),
                                     .mtp = mtp,
                                     .weights = mtp ? m.weights_mtp[i] : m.weights[i]};
    rows.push_back(
        mapping::footprint(m.arch, m.plan, m.options.precision, m.cluster, m.classes[i], query));
  }
  return rows;
}

}  // namespace fathom::study
