#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Causal attention of new tokens over themselves and what is cached: context_mla (non-absorbed),
/// context_attention, infersim_prefill.
std::vector<Form> context_attention_forms();

}  // namespace fathom::forms
