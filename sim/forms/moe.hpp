#pragma once

#include <array>
#include <vector>

#include "forms/expert_load.hpp"
#include "forms/form.hpp"

namespace fathom::forms {

/// Routed experts of one layer on one GPU: permute, gate and up, SwiGLU, down, un-permute.
struct MoeShape {
  double tokens = 0.0;  // of the whole expert-parallel group
  double hidden = 0.0;
  double inter = 0.0;  // columns of one expert on this GPU
  double local_experts = 0.0;
  RankLoad load;
};

/// The columns of the form "moe", in order.
std::array<double, 9> columns(const MoeShape& shape);

/// moe, infersim_grouped.
std::vector<Form> moe_forms();

}  // namespace fathom::forms
