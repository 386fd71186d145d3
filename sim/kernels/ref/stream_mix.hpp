#pragma once

#include <cstdint>

#include "kernels/ref/activation.hpp"
#include "kernels/ref/linear.hpp"
#include "kernels/ref/norm.hpp"
#include "kernels/ref/sinkhorn.hpp"

namespace fathom::kernels::ref {

/// Constants of manifold-constrained hyper-connections (mHC): DeepSeek-V4 report, arXiv 2606.19348;
/// reference in deepseek-ai/TileKernels, tile_kernels/torch/mhc.py.
struct HyperConnectionSpec {
  std::int64_t hc_mult = 4;  // residual streams, n
  std::int64_t hc_sinkhorn_iters = 20;
  double hc_eps = 1e-6;    // added to `pre`, to the softmax and to every Sinkhorn denominator
  double norm_eps = 1e-6;  // inside the root mean square over all streams
  double post_mult = 2.0;  // `post` ranges over (0, post_mult)
  bool operator==(const HyperConnectionSpec&) const = default;
};

/// Learned part of one sublayer's mixing: mixes = (fn · streams) / rms, then mixes * scale + base.
template <class T>
struct HyperConnectionWeights {
  Tensor<T> fn;     // [n (n + 2), n d]; for the head [n, n d]
  Tensor<T> base;   // [n (n + 2)]; for the head [n]
  Tensor<T> scale;  // [3]: of pre, post, comb; for the head [1]
};

/// How the streams of every token enter and leave a sublayer.
template <class T>
struct StreamMix {
  Tensor<T> pre;          // [tokens, n]: weight of each stream in the sublayer's input
  Tensor<T> post;         // [tokens, n]: share of the sublayer's output in each stream
  Tensor<T> comb_logits;  // [tokens, n, n]
  Tensor<T> comb;         // [tokens, n, n], doubly stochastic: [from stream, to stream]
};

/// streams [tokens, n, d], fn [k, n d] -> [tokens, k]: one projection of all streams together over
/// their joint root mean square (an RMSNorm without weight, applied after the product).
template <class T>
Tensor<T> hc_mixes(const Tensor<T>& streams, const Tensor<T>& fn, double norm_eps) {
  const std::int64_t width = streams.dim(1) * streams.dim(2);
  Tensor<T> mixes = linear(streams.reshaped({streams.dim(0), width}), fn);
  for (std::int64_t t = 0; t < streams.dim(0); ++t) {
    const T scale = inverse_rms<T>(streams.slice(t), norm_eps);
    for (T& v : mixes.row(t)) v *= scale;
  }
  return mixes;
}

/// sigmoid(mixes * scale + base) over columns [first, first + count) of mixes [tokens, k].
template <class T>
struct SigmoidMix {
  const Tensor<T>& mixes;
  const Tensor<T>& base;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

template <class T>
Tensor<T> sigmoid_mix(const SigmoidMix<T>& m, const T& scale) {
  Tensor<T> out{Shape{m.mixes.dim(0), m.count}};
  for (std::int64_t t = 0; t < m.mixes.dim(0); ++t) {
    for (std::int64_t i = 0; i < m.count; ++i) {
      const std::int64_t column = m.first + i;
      const T logit = m.mixes[t * m.mixes.dim(1) + column] * scale + m.base[column];
      out[t * m.count + i] = sigmoid(logit);
    }
  }
  return out;
}

/// mixes [tokens, n (n + 2)] = [n pre | n post | n x n comb] -> the three mixing weights.
template <class T>
StreamMix<T> hc_split(const HyperConnectionSpec& spec, const Tensor<T>& mixes,
                      const HyperConnectionWeights<T>& w) {
  const std::int64_t n = spec.hc_mult;
  FATHOM_EXPECT(mixes.dim(1) == n * (n + 2) && w.base.size() == n * (n + 2) && w.scale.size() == 3,
                "hc_split: mixes, base or scale of another width than n (n + 2), n (n + 2), 3");
  StreamMix<T> mix{.pre = sigmoid_mix<T>({mixes, w.base, 0, n}, w.scale[0]),
                   .post = sigmoid_mix<T>({mixes, w.base, n, n}, w.scale[1]),
                   .comb_logits = Tensor<T>{Shape{mixes.dim(0), n, n}}};
  for (T& v : mix.pre.data) v += T(spec.hc_eps);
  for (T& v : mix.post.data) v *= T(spec.post_mult);
  for (std::int64_t t = 0; t < mixes.dim(0); ++t) {
    for (std::int64_t i = 0; i < n * n; ++i) {
      const std::int64_t column = 2 * n + i;
      mix.comb_logits[t * n * n + i] =
          mixes[t * mixes.dim(1) + column] * w.scale[2] + w.base[column];
    }
  }
  mix.comb = sinkhorn_normalise(mix.comb_logits, spec.hc_sinkhorn_iters, spec.hc_eps);
  return mix;
}

/// Weights of the streams in the model's output: sigmoid + eps of the first n columns of mixes
/// [tokens, n or more] -> [tokens, n].
template <class T>
Tensor<T> hc_head_mix(const HyperConnectionSpec& spec, const Tensor<T>& mixes,
                      const HyperConnectionWeights<T>& w) {
  FATHOM_EXPECT(mixes.dim(1) >= spec.hc_mult && w.base.size() >= spec.hc_mult && !w.scale.empty(),
                "hc_head: mixes or base are narrower than hc_mult");
  Tensor<T> weights = sigmoid_mix<T>({mixes, w.base, 0, spec.hc_mult}, w.scale[0]);
  for (T& v : weights.data) v += T(spec.hc_eps);
  return weights;
}

}  // namespace fathom::kernels::ref
