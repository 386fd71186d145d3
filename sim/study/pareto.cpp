#include "study/pareto.hpp"

#include <algorithm>
#include <cmath>

namespace fathom::study {

bool dominates(const Objectives& a, const Objectives& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

std::vector<std::size_t> pareto_front(std::span<const Objectives> points) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::ranges::none_of(points[i], [](double x) { return std::isnan(x); })) order.push_back(i);
  }
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  // In lexicographic order whatever dominates a point comes before it, and if that is itself
  // dominated, so is the point by the front: comparing with the front alone is enough.
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    const bool beaten = std::ranges::any_of(front, [&](std::size_t f) {
      return points[f] == points[i] || dominates(points[f], points[i]);
    });
    if (!beaten) front.push_back(i);
  }
  return front;
}

}  // namespace fathom::study
