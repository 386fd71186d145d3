#include "execute/numerics.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace fathom::execute {
namespace {

void read_rope_scaling(JsonReader in, double max_positions, Numerics& n) {
  const std::string type = in.string_or("type", in.string_or("rope_type", "yarn"));
  if (type != "yarn") in.fail("type", fmt::format("'{}'; only yarn runs here", type));
  n.rope_factor = in.number_or("factor", 1.0, 1.0, 1e6);
  n.original_max_position_embeddings = in.number("original_max_position_embeddings", 1.0, 1e12);
  n.beta_fast = in.number_or("beta_fast", 32.0, 1e-6, 1e6);
  n.beta_slow = in.number_or("beta_slow", 1.0, 1e-6, 1e6);
  n.mscale = in.number_or("mscale_all_dim", in.number_or("mscale", 1.0, 0.0, 1e3), 0.0, 1e3);
  n.yarn = max_positions > n.original_max_position_embeddings;
}

}  // namespace

Numerics read_numerics(const nlohmann::json& config, const std::string& where) {
  JsonReader in{config, where};
  Numerics n;
  n.rms_norm_eps = in.number_or("rms_norm_eps", n.rms_norm_eps, 0.0, 1.0);
  n.routed_scaling_factor = in.number_or("routed_scaling_factor", 1.0, 0.0, 1e6);
  n.norm_topk_prob = in.boolean_or("norm_topk_prob", true);
  n.best_of_group = in.string_or("topk_method", "") == "group_limited_greedy";
  n.swiglu_limit = in.number_or("swiglu_limit", 0.0, 0.0, 1e6);
  n.hc_eps = in.number_or("hc_eps", n.hc_eps, 0.0, 1.0);
  n.hc_sinkhorn_iters = in.integer_or("hc_sinkhorn_iters", n.hc_sinkhorn_iters, 1, 1000);
  n.rope_theta = in.number_or("rope_theta", n.rope_theta, 1.0, 1e12);
  n.compress_rope_theta = in.number_or("compress_rope_theta", n.rope_theta, 1.0, 1e12);
  const double max_positions = in.number_or("max_position_embeddings", 0.0, 0.0, 1e12);
  if (in.has("rope_scaling")) read_rope_scaling(in.object("rope_scaling"), max_positions, n);
  return n;  // the rest is read by model::parse_hf_config, strictly
}

}  // namespace fathom::execute
