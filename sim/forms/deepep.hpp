#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Distinct groups among `groups` that topk of `experts` experts, evenly spread, hit on average.
double distinct_groups(double topk, double groups, double experts);

/// A router that takes its topk experts from topk_group of n_group groups, groups and experts being
/// equally likely (n_group = 1: no limit).
struct GroupLimit {
  double n_group = 1.0;
  double topk_group = 1.0;
};

/// Distinct bins of `experts` / `bins` consecutive experts that one token hits on average.
double distinct_bins(double topk, double bins, double experts, GroupLimit limit);

/// Nodes above which the normal kernels' forms have a fabric share of their own.
inline constexpr double kNarrowNodes = 4.0;

/// DeepEP's all-to-all, low-latency and normal kernels, dispatch and combine, one node or several.
/// A shape of the normal kernels may go on with the distinct ranks and the distinct nodes that a
/// token reaches; without them the router is free.
std::vector<Form> deepep_forms();

}  // namespace fathom::forms
