#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Decode attention over a cache, split along the context: generation_mla (absorbed),
/// generation_attention, infersim_mla_decode, infersim_mha_decode.
std::vector<Form> generation_attention_forms();

}  // namespace fathom::forms
