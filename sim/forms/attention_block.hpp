#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Whole attention blocks, projections included: mla_context_module, mla_generation_module,
/// dsa_context_module, dsa_generation_module, dsv4_{csa,hca}_{context,generation}.
std::vector<Form> attention_block_forms();

}  // namespace fathom::forms
