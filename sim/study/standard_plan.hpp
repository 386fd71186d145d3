#pragma once

#include <optional>
#include <vector>

#include "hw/cluster.hpp"
#include "mapping/plan.hpp"
#include "model/arch_spec.hpp"
#include "model/lower.hpp"

namespace fathom::study {

/// How a model is usually cut when nobody says, smallest first. Mixture of experts: attention is
/// data parallel and whole experts are spread over the same ranks (DP n, EP n), as DeepSeek deploys
/// V3. Dense: tensor parallel inside a node, then pipeline stages of whole nodes. Only plans that
/// mapping::infeasible() accepts.
std::vector<mapping::Plan> standard_plans(const model::ArchSpec& arch, const hw::Cluster& cluster);

/// How many sequences of `context_tokens` one replica keeps in memory beside weights and the
/// activations of a decode step over all of them; 0 when not even one fits.
double sequences_that_fit(const model::ArchSpec& arch, const hw::Cluster& cluster,
                          const mapping::Plan& plan, const model::LowerOptions& options,
                          double context_tokens);

/// The first standard plan whose replicas hold at least one sequence of `context_tokens`.
std::optional<mapping::Plan> smallest_plan(const model::ArchSpec& arch, const hw::Cluster& cluster,
                                           const model::LowerOptions& options,
                                           double context_tokens);

}  // namespace fathom::study
