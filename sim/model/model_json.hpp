#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "model/hf_config.hpp"

namespace fathom::model {

/// Everything `fathom model --format json` says about one model: name, params, checkpoint,
/// kv_cache, decode FLOPs per token at `contexts`, training FLOPs per token at 4096, layers and
/// attention kinds, what is not modelled, sources.
nlohmann::json model_json(const Model& model, const std::vector<std::int64_t>& contexts);

}  // namespace fathom::model
