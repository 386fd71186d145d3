#include "execute/v4_form.hpp"

namespace fathom::execute {

using namespace kernels::ref;

V4ModelSpec v4_spec(const model::ArchSpec& arch, const Numerics& n) {
  V4ModelSpec spec{.n_layers = static_cast<std::int64_t>(arch.layers.size()),
                   .n_mtp_layers = arch.mtp_kind == model::MtpKind::none ? 0 : 1};
  for (const model::LayerSpec& layer : arch.kinds) {
    const auto& a = std::get<model::CompressedSpec>(layer.attention);
    spec.attention.n_heads = a.num_attention_heads;
    spec.attention.head_dim = a.head_dim;
    spec.attention.rope_head_dim = a.qk_rope_head_dim;
    spec.attention.o_groups = a.o_groups;
    spec.attention.window_size = a.sliding_window;
    if (a.indexer.index_topk > 0) {
      spec.attention.index_n_heads = a.indexer.index_n_heads;
      spec.attention.index_head_dim = a.indexer.index_head_dim;
      spec.attention.index_topk = a.indexer.index_topk;
    }
  }
  spec.attention.norm_eps = n.rms_norm_eps;
  spec.rope = {.rope_head_dim = spec.attention.rope_head_dim,
               .rope_theta = n.rope_theta,
               .compress_rope_theta = n.compress_rope_theta,
               .original_seq_len = static_cast<std::int64_t>(n.original_max_position_embeddings),
               .rope_factor = n.rope_factor,
               .beta_fast = n.beta_fast,
               .beta_slow = n.beta_slow};
  spec.hc.hc_mult = arch.hc_mult;
  spec.hc.hc_sinkhorn_iters = n.hc_sinkhorn_iters;
  spec.hc.hc_eps = n.hc_eps;
  spec.hc.norm_eps = n.rms_norm_eps;
  const model::MoeSpec& moe = arch.kinds.front().moe;
  spec.moe.gate = {.num_experts_per_tok = moe.num_experts_per_tok,
                   .score = ScoreFunction::sqrt_softplus,
                   .renormalise = Renormalise::always,
                   .routed_scaling_factor = n.routed_scaling_factor};
  spec.moe.swiglu_limit = n.swiglu_limit;
  spec.moe.weight_at = WeightAt::hidden;
  return spec;
}

}  // namespace fathom::execute
