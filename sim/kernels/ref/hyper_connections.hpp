#pragma once

#include <cstdint>

#include "kernels/ref/stream_mix.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

/// Weighted sum of the streams: streams [tokens, n, d], weights [tokens, n] -> [tokens, d].
template <class T>
Tensor<T> hc_weighted_sum(const Tensor<T>& streams, const Tensor<T>& weights) {
  const std::int64_t n = streams.dim(1);
  const std::int64_t d = streams.dim(2);
  FATHOM_EXPECT(weights.size() == streams.dim(0) * n, "one weight per token and stream");
  Tensor<T> out{Shape{streams.dim(0), d}};
  for (std::int64_t t = 0; t < streams.dim(0); ++t) {
    for (std::int64_t c = 0; c < d; ++c) {
      Sum<T> sum{0};
      for (std::int64_t i = 0; i < n; ++i) {
        sum += static_cast<Sum<T>>(weights[t * n + i]) *
               static_cast<Sum<T>>(streams[(t * n + i) * d + c]);
      }
      out[t * d + c] = static_cast<T>(sum);
    }
  }
  return out;
}

/// out[j] = post[j] x + sum_i comb[i, j] streams[i]: the sublayer's output x [tokens, d] joins the
/// mixed streams [tokens, n, d].
template <class T>
Tensor<T> hc_post(const Tensor<T>& x, const Tensor<T>& streams, const StreamMix<T>& mix) {
  const OpScope scope{"hc_post"};
  const std::int64_t n = streams.dim(1);
  const std::int64_t d = streams.dim(2);
  FATHOM_EXPECT(x.size() == streams.dim(0) * d, "a sublayer's output has one row per token");
  Tensor<T> out{streams.shape};
  for (std::int64_t row = 0; row < streams.dim(0) * n; ++row) {
    const std::int64_t t = row / n;
    const std::int64_t j = row % n;
    for (std::int64_t c = 0; c < d; ++c) {
      Sum<T> sum = static_cast<Sum<T>>(mix.post[row]) * static_cast<Sum<T>>(x[t * d + c]);
      for (std::int64_t i = 0; i < n; ++i) {
        sum += static_cast<Sum<T>>(mix.comb[(t * n + i) * n + j]) *
               static_cast<Sum<T>>(streams[(t * n + i) * d + c]);
      }
      out[row * d + c] = static_cast<T>(sum);
    }
  }
  return out;
}

/// A sublayer's input and how its output is to be mixed back.
template <class T>
struct SublayerInput {
  Tensor<T> mixes;  // [tokens, n (n + 2)]
  StreamMix<T> mix;
  Tensor<T> y;  // [tokens, d]
};

/// streams [tokens, n, d] -> what the sublayer works on.
template <class T>
SublayerInput<T> hc_pre(const HyperConnectionSpec& spec, const HyperConnectionWeights<T>& w,
                        const Tensor<T>& streams) {
  SublayerInput<T> in;
  {
    const OpScope scope{"hc_mix"};
    in.mixes = hc_mixes(streams, w.fn, spec.norm_eps);
  }
  const OpScope scope{"hc_pre"};
  in.mix = hc_split(spec, in.mixes, w);
  in.y = hc_weighted_sum(streams, in.mix.pre);
  return in;
}

/// streams [tokens, n, d] -> [tokens, d]: one last weighted sum, before the final norm.
template <class T>
Tensor<T> hc_head(const HyperConnectionSpec& spec, const HyperConnectionWeights<T>& w,
                  const Tensor<T>& streams) {
  const OpScope scope{"hc_head"};
  const Tensor<T> mixes = hc_mixes(streams, w.fn, spec.norm_eps);
  return hc_weighted_sum(streams, hc_head_mix(spec, mixes, w));
}

}  // namespace fathom::kernels::ref
