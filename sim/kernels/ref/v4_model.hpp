#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/ref/moe.hpp"
#include "kernels/ref/stream_mix.hpp"
#include "kernels/ref/v4_weights.hpp"

namespace fathom::kernels::ref {

/// A decoder of the DeepSeek-V4 form (V4 report, arXiv 2606.19348; inference/model.py,
/// Transformer): hc_mult residual streams, mixed before and after every attention and every MoE.
struct V4ModelSpec {
  V4AttentionSpec attention;  // of every layer; `rope` is filled in by v4_model
  V4RopeSettings rope;
  HyperConnectionSpec hc;
  MoeSpec moe;
  std::int64_t n_layers = 0;
  std::int64_t n_mtp_layers = 0;
};

template <class T>
struct V4Layer {
  V4AttentionSpec attention;
  V4AttentionWeights<T> attn;
  HyperConnectionWeights<T> hc_attn;
  Tensor<T> attn_norm;
  MoeWeights<T> ffn;
  HyperConnectionWeights<T> hc_ffn;
  Tensor<T> ffn_norm;
  Indices tid2eid;  // [vocab, choices]: experts by token id in hash layers, else empty
};

/// From the streams to what the vocabulary projection takes.
template <class T>
struct V4Head {
  HyperConnectionWeights<T> hc;
  Tensor<T> norm;
};

/// Multi-token prediction module: one more layer over the streams of the main model, with its own
/// head mixing; embedding and vocabulary projection are shared.
template <class T>
struct V4Mtp {
  Tensor<T> enorm;
  Tensor<T> hnorm;
  Tensor<T> e_proj;  // [dim, dim], of the next token's embedding
  Tensor<T> h_proj;  // [dim, dim], of every stream
  V4Layer<T> block;
  V4Head<T> head;
};

template <class T>
struct V4Model {
  V4ModelSpec spec;
  Tensor<T> embed;  // [vocab, dim]
  std::vector<V4Layer<T>> layers;
  V4Head<T> head;
  Tensor<T> lm_head;  // [vocab, dim]
  std::vector<V4Mtp<T>> mtp;
};

/// Integer tables by name, "layers.0.ffn.gate.tid2eid".
using NamedTables = std::map<std::string, Indices>;

/// Mixing weights named `prefix` + fn, base, scale.
template <class T>
HyperConnectionWeights<T> hyper_connection_weights(const NamedTensors<T>& named,
                                                   const std::string& prefix) {
  return {.fn = tensor_or_empty(named, prefix + "fn"),
          .base = tensor_or_empty(named, prefix + "base"),
          .scale = tensor_or_empty(named, prefix + "scale")};
}

/// One layer, `prefix` as "layers.3.".
template <class T>
V4Layer<T> v4_layer(const V4ModelSpec& spec, const NamedTensors<T>& named,
                    const NamedTables& tables, const std::string& prefix) {
  V4Layer<T> layer{.attention = spec.attention,
                   .attn = v4_attention_weights(named, prefix + "attn."),
                   .hc_attn = hyper_connection_weights(named, prefix + "hc_attn_"),
                   .attn_norm = tensor_or_empty(named, prefix + "attn_norm.weight"),
                   .ffn = moe_weights(named, prefix + "ffn."),
                   .hc_ffn = hyper_connection_weights(named, prefix + "hc_ffn_"),
                   .ffn_norm = tensor_or_empty(named, prefix + "ffn_norm.weight")};
  layer.attention.rope = v4_rope(spec.rope, layer.attn.compresses());
  const auto table = tables.find(prefix + "ffn.gate.tid2eid");
  if (table != tables.end()) layer.tid2eid = table->second;
  return layer;
}

template <class T>
V4Head<T> v4_head(const NamedTensors<T>& named, const std::string& prefix = "") {
  return {.hc = hyper_connection_weights(named, prefix + "hc_head_"),
          .norm = tensor_or_empty(named, prefix + "norm.weight")};
}

/// From a whole checkpoint: embed.weight, layers.N.*, hc_head_*, norm.weight, head.weight, mtp.N.*.
template <class T>
V4Model<T> v4_model(const V4ModelSpec& spec, const NamedTensors<T>& named,
                    const NamedTables& tables = {}) {
  V4Model<T> model{.spec = spec,
                   .embed = tensor_or_empty(named, "embed.weight"),
                   .head = v4_head(named),
                   .lm_head = tensor_or_empty(named, "head.weight")};
  for (std::int64_t i = 0; i < spec.n_layers; ++i) {
    model.layers.push_back(v4_layer(spec, named, tables, "layers." + std::to_string(i) + "."));
  }
  for (std::int64_t i = 0; i < spec.n_mtp_layers; ++i) {
    const std::string prefix = "mtp." + std::to_string(i) + ".";
    model.mtp.push_back({.enorm = tensor_or_empty(named, prefix + "enorm.weight"),
                         .hnorm = tensor_or_empty(named, prefix + "hnorm.weight"),
                         .e_proj = tensor_or_empty(named, prefix + "e_proj.weight"),
                         .h_proj = tensor_or_empty(named, prefix + "h_proj.weight"),
                         .block = v4_layer(spec, named, tables, prefix),
                         .head = v4_head(named, prefix)});
  }
  return model;
}

}  // namespace fathom::kernels::ref
