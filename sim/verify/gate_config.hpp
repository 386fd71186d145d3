#pragma once

#include <array>
#include <string_view>

#include "core/json_reader.hpp"
#include "kernels/ref/gate.hpp"

namespace fathom::verify {

/// The score function that a config names under `key`.
inline kernels::ref::ScoreFunction score_function(JsonReader& in, std::string_view key) {
  using kernels::ref::ScoreFunction;
  constexpr std::array<std::string_view, 3> kNames{"softmax", "sigmoid", "sqrtsoftplus"};
  constexpr std::array kFunctions{ScoreFunction::softmax, ScoreFunction::sigmoid,
                                  ScoreFunction::sqrt_softplus};
  return kFunctions.at(in.choice(key, kNames));
}

/// The router of a config with the field names of DeepSeek's inference/model.py (ModelArgs).
inline kernels::ref::GateSpec gate_spec(JsonReader& in) {
  return {.num_experts_per_tok = in.integer("n_activated_experts", 1),
          .n_group = in.integer_or("n_expert_groups", 1, 1),
          .topk_group = in.integer_or("n_limited_groups", 1, 1),
          .score = score_function(in, "score_func"),
          .routed_scaling_factor = in.number_or("route_scale", 1.0, 0.0, 1e9)};
}

}  // namespace fathom::verify
