#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/ref/contiguous_cache.hpp"
#include "kernels/ref/index_select.hpp"
#include "kernels/ref/mla_attention.hpp"
#include "kernels/ref/moe.hpp"
#include "kernels/ref/named_linear.hpp"
#include "kernels/ref/rope_frequencies.hpp"

namespace fathom::kernels::ref {

/// A decoder of the DeepSeek-V2, V3 and V3.2 form (DeepSeek-V3 inference/model.py, Transformer):
/// embedding, layers of [norm, MLA, add, norm, FFN or MoE, add], norm, head. All tensors below are
/// of one sequence: [tokens, dim].
struct DeepseekSpec {
  MlaSpec mla;
  IndexerSpec indexer;  // topk = 0: attention to everything
  MoeSpec moe;
  RopeSpec rope;
  std::int64_t n_layers = 0;
  std::int64_t n_dense_layers = 0;  // first_k_dense_replace
  double norm_eps = 1e-6;
};

template <class T>
struct DeepseekLayer {
  Tensor<T> attn_norm;
  MlaWeights<T> attn;
  IndexerWeights<T> indexer;  // empty without DSA
  Tensor<T> ffn_norm;
  MlpWeights<T> dense;  // one of the two is empty
  MoeWeights<T> moe;
};

template <class T>
struct DeepseekModel {
  DeepseekSpec spec;
  Tensor<T> inv_freq;
  Tensor<T> embed;  // [vocab, dim]
  std::vector<DeepseekLayer<T>> layers;
  Tensor<T> norm;
  Tensor<T> head;  // [vocab, dim]
};

/// What one layer keeps of one sequence.
template <class T>
struct DeepseekLayerCache {
  ContiguousCache<T> latent;      // rows [latent | k_pe]
  ContiguousCache<T> index_keys;  // rows of index_head_dim, empty without DSA

  explicit DeepseekLayerCache(const DeepseekSpec& spec)
      : latent(spec.mla.latent_row()), index_keys(spec.indexer.row_width()) {}
  /// Forgets what came after the first `length` positions (rejected drafts).
  void truncate(std::int64_t length) {
    latent.truncate(length);
    index_keys.truncate(std::min(length, index_keys.length()));
  }
};

template <class T>
std::vector<DeepseekLayerCache<T>> deepseek_cache(const DeepseekSpec& spec) {
  return {static_cast<std::size_t>(spec.n_layers), DeepseekLayerCache<T>{spec}};
}

/// The entries of `named` below `prefix`, without it.
template <class T>
std::map<std::string, Tensor<T>> below(const std::map<std::string, Tensor<T>>& named,
                                       const std::string& prefix) {
  std::map<std::string, Tensor<T>> out;
  for (auto it = named.lower_bound(prefix); it != named.end() && it->first.starts_with(prefix);
       ++it) {
    out[it->first.substr(prefix.size())] = it->second;
  }
  return out;
}

/// `named` holds the tensors of one layer, as in "attn.wq_a.weight", "ffn.gate.weight".
template <class T>
DeepseekLayer<T> deepseek_layer(const std::map<std::string, Tensor<T>>& named) {
  const auto attn = below(named, std::string{"attn."});
  return {.attn_norm = tensor_or_empty(named, "attn_norm.weight"),
          .attn = mla_weights(attn),
          .indexer = indexer_weights(below(attn, std::string{"indexer."})),
          .ffn_norm = tensor_or_empty(named, "ffn_norm.weight"),
          .dense = mlp_weights(named, "ffn."),
          .moe = moe_weights(named, "ffn.")};
}

/// From a whole checkpoint: embed.weight, layers.N.*, norm.weight, head.weight.
template <class T>
DeepseekModel<T> deepseek_model(const DeepseekSpec& spec,
                                const std::map<std::string, Tensor<T>>& named) {
  DeepseekModel<T> model{.spec = spec,
                         .inv_freq = inv_freq<T>(spec.rope),
                         .embed = tensor_or_empty(named, "embed.weight"),
                         .norm = tensor_or_empty(named, "norm.weight"),
                         .head = tensor_or_empty(named, "head.weight")};
  for (std::int64_t i = 0; i < spec.n_layers; ++i) {
    model.layers.push_back(deepseek_layer(below(named, "layers." + std::to_string(i) + ".")));
  }
  return model;
}

/// What one layer did to new tokens.
template <class T>
struct DeepseekLayerTrace {
  Tensor<T> attn_out;  // before the residual addition
  Tensor<T> ffn_out;
  Tensor<T> out;
  GateResult<T> gate;  // empty in dense layers
};

/// Attention of the layer, sparse where the model has an indexer.
template <class T>
Tensor<T> deepseek_attention(const DeepseekSpec& spec, const DeepseekLayer<T>& layer,
                             const Tensor<T>& x, const RopeTables<T>& tables,
                             DeepseekLayerCache<T>& cache, MlaForm form) {
  const MlaProjection<T> p = mla_project(spec.mla, layer.attn, x, tables);
  append_latents(p, cache.latent);
  if (spec.indexer.topk == 0) {
    return mla_attend(spec.mla, layer.attn, p, cache.latent, {.form = form}).out;
  }
  const auto index = indexer_project(spec.indexer, layer.indexer, p.q_latent, x, tables);
  append_index_keys(spec.indexer, index, cache.index_keys);
  const Tensor<T> scores = indexer_scores(spec.indexer, index, cache.index_keys);
  const KeySelection selected = select_keys(scores, spec.indexer.topk);
  return mla_attend(spec.mla, layer.attn, p, cache.latent,
                    {.form = form, .allowed = &selected.allowed})
      .out;
}

/// x [tokens, dim]; the tokens become the newest positions of `cache`.
template <class T>
DeepseekLayerTrace<T> deepseek_layer_step(const DeepseekSpec& spec, const DeepseekLayer<T>& layer,
                                          const Tensor<T>& x, const RopeTables<T>& tables,
                                          DeepseekLayerCache<T>& cache, MlaForm form) {
  DeepseekLayerTrace<T> trace;
  trace.attn_out = deepseek_attention(spec, layer, rms_norm(x, layer.attn_norm, spec.norm_eps),
                                      tables, cache, form);
  const Tensor<T> middle = add(x, trace.attn_out);
  const Tensor<T> normed = rms_norm(middle, layer.ffn_norm, spec.norm_eps);
  if (layer.dense.empty()) {
    MoeResult<T> routed = moe(spec.moe, layer.moe, normed);
    trace.ffn_out = std::move(routed.out);
    trace.gate = std::move(routed.gate);
  } else {
    trace.ffn_out = mlp(layer.dense, normed);
  }
  trace.out = add(middle, trace.ffn_out);
  return trace;
}

/// What new tokens of one sequence went through.
template <class T>
struct DeepseekTrace {
  std::vector<DeepseekLayerTrace<T>> layers;
  Tensor<T> normed;  // [tokens, dim] after the final norm: what the head and an MTP module take
};

/// Runs `ids` [tokens] at the positions from first_position on; they become the newest of `caches`.
template <class T>
DeepseekTrace<T> deepseek_step(const DeepseekModel<T>& model, const Indices& ids,
                               std::int64_t first_position,
                               std::vector<DeepseekLayerCache<T>>& caches, MlaForm form) {
  const RopeTables<T> tables = rope_tables(model.inv_freq, first_position, ids.size());
  DeepseekTrace<T> trace;
  Tensor<T> x = embedding(ids, model.embed);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    trace.layers.push_back(
        deepseek_layer_step(model.spec, model.layers[i], x, tables, caches[i], form));
    x = trace.layers.back().out;
  }
  trace.normed = rms_norm(x, model.norm, model.spec.norm_eps);
  return trace;
}

/// Logits [tokens, vocab] of normed hidden states.
template <class T>
Tensor<T> deepseek_logits(const DeepseekModel<T>& model, const Tensor<T>& normed) {
  return linear("lm_head", normed, model.head);
}

}  // namespace fathom::kernels::ref
