#pragma once

#include <map>
#include <string>

#include "kernels/ref/mlp.hpp"
#include "kernels/ref/v4_spec.hpp"

namespace fathom::kernels::ref {

template <class T>
using NamedTensors = std::map<std::string, Tensor<T>>;

/// Compressor weights named `prefix` + wkv.weight, ...; empty where the layer has none.
template <class T>
CompressorWeights<T> compressor_weights(const NamedTensors<T>& named, const std::string& prefix) {
  return {.wkv = tensor_or_empty(named, prefix + "wkv.weight"),
          .wgate = tensor_or_empty(named, prefix + "wgate.weight"),
          .ape = tensor_or_empty(named, prefix + "ape"),
          .norm_weight = tensor_or_empty(named, prefix + "norm.weight")};
}

/// Weights of a layer by the names of inference/model.py behind `prefix` ("layers.3.attn." or "").
template <class T>
V4AttentionWeights<T> v4_attention_weights(const NamedTensors<T>& named,
                                           const std::string& prefix = "") {
  const auto get = [&](const char* name) { return tensor_or_empty(named, prefix + name); };
  return {.wq_a = get("wq_a.weight"),
          .q_norm = get("q_norm.weight"),
          .wq_b = get("wq_b.weight"),
          .wkv = get("wkv.weight"),
          .kv_norm = get("kv_norm.weight"),
          .attn_sink = get("attn_sink"),
          .wo_a = get("wo_a.weight"),
          .wo_b = get("wo_b.weight"),
          .compressor = compressor_weights(named, prefix + "compressor."),
          .indexer = {.wq_b = get("indexer.wq_b.weight"),
                      .weights_proj = get("indexer.weights_proj.weight"),
                      .compressor = compressor_weights(named, prefix + "indexer.compressor.")}};
}

}  // namespace fathom::kernels::ref
