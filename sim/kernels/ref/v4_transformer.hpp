#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ref/hyper_connections.hpp"
#include "kernels/ref/v4_attention.hpp"
#include "kernels/ref/v4_model.hpp"

namespace fathom::kernels::ref {

/// New tokens of one sequence: ids [tokens] at positions from start_pos on.
struct V4Tokens {
  const Indices& ids;
  std::int64_t start_pos = 0;
};

/// What one layer did to new tokens.
template <class T>
struct V4LayerTrace {
  SublayerInput<T> attn_in;  // before the norm
  Tensor<T> attn_out;        // [tokens, dim]
  Tensor<T> middle;          // [tokens, hc_mult, dim]
  SublayerInput<T> ffn_in;
  GateResult<T> gate;
  Tensor<T> ffn_out;
  Tensor<T> out;  // [tokens, hc_mult, dim]
};

/// Experts that the layer's table names for the tokens, empty where routing is learned.
template <class T>
Indices hash_experts(const V4Layer<T>& layer, const Indices& ids) {
  return layer.tid2eid.empty() ? Indices{} : embedding(ids, layer.tid2eid);
}

/// One layer on streams [tokens, hc_mult, dim]: mix in, norm, attention, mix back; the same around
/// the MoE.
template <class T>
V4LayerTrace<T> v4_layer_step(const V4ModelSpec& spec, const V4Layer<T>& layer,
                              const V4Tokens& tokens, const Tensor<T>& streams,
                              V4LayerCache<T>& cache) {
  const double eps = spec.attention.norm_eps;
  V4LayerTrace<T> trace;
  trace.attn_in = hc_pre(spec.hc, layer.hc_attn, streams);
  trace.attn_out =
      v4_attention(layer.attention, layer.attn, rms_norm(trace.attn_in.y, layer.attn_norm, eps),
                   tokens.start_pos, cache);
  trace.middle = hc_post(trace.attn_out, streams, trace.attn_in.mix);
  trace.ffn_in = hc_pre(spec.hc, layer.hc_ffn, trace.middle);
  MoeResult<T> routed = moe(spec.moe, layer.ffn, rms_norm(trace.ffn_in.y, layer.ffn_norm, eps),
                            hash_experts(layer, tokens.ids));
  trace.gate = std::move(routed.gate);
  trace.ffn_out = std::move(routed.out);
  trace.out = hc_post(trace.ffn_out, trace.middle, trace.ffn_in.mix);
  return trace;
}

/// Streams [tokens, hc_mult, dim] that all begin as x [tokens, dim].
template <class T>
Tensor<T> repeated(const Tensor<T>& x, std::int64_t hc_mult) {
  Tensor<T> streams{Shape{x.dim(0), hc_mult, x.dim(1)}};
  for (std::int64_t r = 0; r < streams.rows(); ++r) {
    std::ranges::copy(x.row(r / hc_mult), streams.row(r).begin());
  }
  return streams;
}

/// What new tokens of one sequence went through.
template <class T>
struct V4Trace {
  std::vector<V4LayerTrace<T>> layers;
  Tensor<T> streams;  // [tokens, hc_mult, dim] after the last layer: for the head and for MTP
};

/// Runs the tokens through all layers; `caches`, one per layer, begin empty (default-constructed).
template <class T>
V4Trace<T> v4_forward(const V4Model<T>& model, const V4Tokens& tokens,
                      std::vector<V4LayerCache<T>>& caches) {
  FATHOM_EXPECT(caches.size() == model.layers.size(), "a model needs one cache per layer");
  V4Trace<T> trace;
  trace.streams = repeated(embedding(tokens.ids, model.embed), model.spec.hc.hc_mult);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    trace.layers.push_back(
        v4_layer_step(model.spec, model.layers[i], tokens, trace.streams, caches[i]));
    trace.streams = trace.layers.back().out;
  }
  return trace;
}

/// Logits [tokens, vocab] of streams [tokens, hc_mult, dim]; `head` is the model's or an MTP
/// module's.
template <class T>
Tensor<T> v4_logits(const V4Model<T>& model, const V4Head<T>& head, const Tensor<T>& streams) {
  const Tensor<T> hidden = hc_head(model.spec.hc, head.hc, streams);
  const double eps = model.spec.attention.norm_eps;
  return linear("lm_head", rms_norm(hidden, head.norm, eps), model.lm_head);
}

/// Streams of an MTP module: `next` names the token after each position, `streams` [tokens,
/// hc_mult, dim] are the main model's (or the previous module's). The two projections are added,
/// unlike in V3 (inference/model.py, MTPBlock.forward).
template <class T>
Tensor<T> v4_mtp(const V4Model<T>& model, const V4Mtp<T>& mtp, const V4Tokens& next,
                 const Tensor<T>& streams, V4LayerCache<T>& cache) {
  const double eps = model.spec.attention.norm_eps;
  const std::int64_t hc_mult = model.spec.hc.hc_mult;
  const Tensor<T> embedded = rms_norm(embedding(next.ids, model.embed), mtp.enorm, eps);
  const Tensor<T> e = linear("mtp.e_proj", embedded, mtp.e_proj);
  const Tensor<T> h = linear("mtp.h_proj", rms_norm(streams, mtp.hnorm, eps), mtp.h_proj);
  return v4_layer_step(model.spec, mtp.block, next, add(h, repeated(e, hc_mult)), cache).out;
}

}  // namespace fathom::kernels::ref
