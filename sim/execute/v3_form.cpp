#include "execute/v3_form.hpp"

namespace fathom::execute {
namespace {

using namespace kernels::ref;

GateSpec gate_spec(const model::MoeSpec& moe, const Numerics& n) {
  GateSpec gate{.num_experts_per_tok = moe.num_experts_per_tok,
                .n_group = moe.n_group,
                .topk_group = moe.topk_group,
                .routed_scaling_factor = n.routed_scaling_factor};
  switch (moe.scoring_func) {
    case model::GateScore::softmax:
      gate.score = ScoreFunction::softmax;
      // V2's router: a group counts as its best expert, others are worth zero
      if (n.best_of_group) gate.group_score = GroupScore::best;
      if (n.best_of_group) gate.excluded = Excluded::zero;
      break;
    case model::GateScore::sigmoid:
      gate.score = ScoreFunction::sigmoid;
      break;
    case model::GateScore::sqrtsoftplus:
      gate.score = ScoreFunction::sqrt_softplus;
      break;
  }
  gate.renormalise = n.norm_topk_prob ? Renormalise::always : Renormalise::never;
  return gate;
}

}  // namespace

DeepseekSpec deepseek_spec(const model::ArchSpec& arch, const Numerics& n) {
  const auto& mla = std::get<model::MlaSpec>(arch.kinds.front().attention);
  DeepseekSpec spec{.n_layers = static_cast<std::int64_t>(arch.layers.size()),
                    .norm_eps = n.rms_norm_eps};
  spec.rope = {.dim = mla.qk_rope_head_dim, .theta = n.rope_theta};
  if (n.yarn) {
    spec.rope.scaling =
        YarnRope{.factor = n.rope_factor,
                 .original_max_position_embeddings = n.original_max_position_embeddings,
                 .beta_fast = n.beta_fast,
                 .beta_slow = n.beta_slow};
  }
  spec.mla = {.heads = mla.num_attention_heads,
              .q_lora_rank = mla.q_lora_rank,
              .kv_lora_rank = mla.kv_lora_rank,
              .qk_nope_head_dim = mla.qk_nope_head_dim,
              .qk_rope_head_dim = mla.qk_rope_head_dim,
              .v_head_dim = mla.v_head_dim,
              .norm_eps = n.rms_norm_eps};
  spec.mla.softmax_scale =
      yarn_softmax_scale(spec.mla.qk_head_dim(), n.yarn ? n.rope_factor : 1.0, n.mscale);
  spec.indexer = {.heads = mla.indexer.index_n_heads,
                  .head_dim = mla.indexer.index_head_dim,
                  .topk = mla.indexer.index_topk,
                  .norm_eps = n.rms_norm_eps};
  for (const int kind : arch.layers) {
    const model::LayerSpec& layer = arch.kinds[static_cast<std::size_t>(kind)];
    if (layer.moe.n_routed_experts > 0) spec.moe.gate = gate_spec(layer.moe, n);
    if (layer.moe.n_routed_experts == 0) ++spec.n_dense_layers;
  }
  return spec;
}

}  // namespace fathom::execute
