#pragma once

#include <cstdint>
#include <span>

#include "model/hf_config.hpp"
#include "report/document.hpp"

namespace fathom::report {

/// One model: parameters by component, activated under three conventions, checkpoint, KV cache and
/// FLOPs per token at `contexts`.
Document model_page(const model::Model& model, std::span<const std::int64_t> contexts);

/// One row per model, in the given order.
Document model_list(std::span<const model::Model> models);

}  // namespace fathom::report
