#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fathom::execute {

/// What a model's arithmetic needs beyond its dimensions (model::ArchSpec leaves out whatever moves
/// no bytes). Hugging Face field names; defaults are those of DeepSeek's modelling code.
struct Numerics {
  double rms_norm_eps = 1e-6;
  double routed_scaling_factor = 1.0;
  bool norm_topk_prob = true;
  bool best_of_group = false;  // topk_method "group_limited_greedy": a group counts as its best
  double swiglu_limit = 0.0;   // 0: unclamped
  double hc_eps = 1e-6;
  std::int64_t hc_sinkhorn_iters = 20;

  double rope_theta = 10000.0;
  double compress_rope_theta = 10000.0;  // layers of V4 that compress
  bool yarn = false;
  double rope_factor = 1.0;
  double original_max_position_embeddings = 0.0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double mscale = 1.0;  // of the softmax scale (mscale_all_dim)
};

/// Reads them from a config.json (or the "config" of one of our models/*.json). YaRN counts as on
/// when `max_position_embeddings` exceeds the original length, as in DeepSeek's inference code.
/// InputError for values out of range and for rope types without a kernel here.
Numerics read_numerics(const nlohmann::json& config, const std::string& where);

}  // namespace fathom::execute
