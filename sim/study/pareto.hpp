#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace fathom::study {

/// What to keep small, in order of importance for ties. A quantity to keep large enters negated.
using Objectives = std::array<double, 3>;

/// a is nowhere worse than b and somewhere better.
bool dominates(const Objectives& a, const Objectives& b);

/// Indices of the points that no other point dominates, in lexicographic order of their objectives;
/// of equal points the first. A point with a NaN is never on the front.
std::vector<std::size_t> pareto_front(std::span<const Objectives> points);

}  // namespace fathom::study
