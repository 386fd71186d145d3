#pragma once

#include <algorithm>
#include <vector>

#include "core/json_reader.hpp"
#include "kernels/ref/contiguous_cache.hpp"
#include "kernels/ref/mla.hpp"
#include "kernels/ref/rope_frequencies.hpp"
#include "verify/golden_case.hpp"

namespace fathom::verify {

/// Rotary frequencies of a config of the DeepSeek-V3 inference code: YaRN exactly if the context is
/// longer than the trained one (inference/model.py, precompute_freqs_cis). Keys that a case leaves
/// out have the defaults of ModelArgs there.
inline kernels::ref::RopeSpec read_deepseek_rope(JsonReader& in) {
  const double longest = in.number("max_seq_len", 1.0, 1e12);
  const double original = in.number_or("original_seq_len", 4096.0, 0.0, 1e12);
  kernels::ref::RopeSpec rope{.dim = in.integer("qk_rope_head_dim", 2),
                              .theta = in.number_or("rope_theta", 10000.0, 1.0, 1e12)};
  if (longest > original) {
    rope.scaling = kernels::ref::YarnRope{.factor = in.number_or("rope_factor", 40.0, 1e-9, 1e9),
                                          .original_max_position_embeddings = original,
                                          .beta_fast = in.number_or("beta_fast", 32.0, 0.0, 1e9),
                                          .beta_slow = in.number_or("beta_slow", 1.0, 0.0, 1e9)};
  }
  return rope;
}

/// MLA of the same configs; `rope` decides whether the softmax scale carries YaRN's temperature.
inline kernels::ref::MlaSpec read_mla(JsonReader& in, const kernels::ref::RopeSpec& rope) {
  kernels::ref::MlaSpec mla{.heads = in.integer("n_heads", 1),
                            .q_lora_rank = in.integer_or("q_lora_rank", 0),
                            .kv_lora_rank = in.integer("kv_lora_rank", 1),
                            .qk_nope_head_dim = in.integer("qk_nope_head_dim", 1),
                            .qk_rope_head_dim = in.integer("qk_rope_head_dim", 2),
                            .v_head_dim = in.integer("v_head_dim", 1),
                            .norm_eps = in.number_or("norm_eps", 1e-6, 0.0, 1.0)};
  const auto* yarn = std::get_if<kernels::ref::YarnRope>(&rope.scaling);
  mla.softmax_scale =
      kernels::ref::yarn_softmax_scale(mla.qk_head_dim(), yarn == nullptr ? 1.0 : yarn->factor,
                                       in.number_or("mscale", 1.0, 0.0, 1e9));
  return mla;
}

/// Tensors of equal shape under a new first dimension.
template <class T>
kernels::Tensor<T> stacked(const std::vector<kernels::Tensor<T>>& parts) {
  FATHOM_EXPECT(!parts.empty(), "nothing to stack");
  kernels::Shape shape = parts.front().shape;
  shape.insert(shape.begin(), static_cast<std::int64_t>(parts.size()));
  kernels::Tensor<T> out;
  for (const auto& part : parts) {
    FATHOM_EXPECT(part.shape == parts.front().shape, "stacked tensors differ in shape");
    out.data.insert(out.data.end(), part.data.begin(), part.data.end());
  }
  return std::move(out).reshaped(shape);
}

/// stacked(f(0), ..., f(count - 1)).
template <class F>
auto stacked_over(std::size_t count, const F& f) {
  std::vector<decltype(f(std::size_t{0}))> parts;
  for (std::size_t i = 0; i < count; ++i) parts.push_back(f(i));
  return stacked(parts);
}

/// What one sequence is fed: `x_prefill` [batch, tokens, dim] in one call, then `x_decode` [steps,
/// batch, tokens, dim], if the case has it, in one call per step.
template <class T>
std::vector<kernels::Tensor<T>> calls_of_sequence(const GoldenCase& golden, std::int64_t sequence) {
  std::vector<kernels::Tensor<T>> calls{kernels::slice_of(golden.input<T>("x_prefill"), sequence)};
  if (!golden.has_input("x_decode")) return calls;
  const kernels::Tensor<T> decode = golden.input<T>("x_decode");
  for (std::int64_t step = 0; step < decode.dim(0); ++step) {
    calls.push_back(kernels::slice_of(kernels::slice_of(decode, step), sequence));
  }
  return calls;
}

/// Columns [first, first + count) of all cached rows.
template <class T>
kernels::Tensor<T> cached_columns(const kernels::ref::ContiguousCache<T>& cache, std::int64_t first,
                                  std::int64_t count) {
  kernels::Tensor<T> out{{cache.length(), count}};
  for (std::int64_t t = 0; t < cache.length(); ++t) {
    const auto row = cache.row(t).subspan(static_cast<std::size_t>(first), out.row(t).size());
    std::ranges::copy(row, out.row(t).begin());
  }
  return out;
}

}  // namespace fathom::verify
