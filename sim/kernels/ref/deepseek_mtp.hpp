#pragma once

#include "kernels/ref/deepseek.hpp"

namespace fathom::kernels::ref {

/// A multi-token prediction module (DeepSeek-V3 report, arXiv 2412.19437, section 2.2): one more
/// layer that sees the hidden state of token t and the embedding of token t + 1 and predicts token
/// t + 2. Embedding and head are those of the main model.
template <class T>
struct MtpModule {
  Tensor<T> enorm;
  Tensor<T> hnorm;
  Tensor<T> eh_proj;  // [dim, 2 dim]
  DeepseekLayer<T> block;
  Tensor<T> norm;  // before the shared head
};

template <class T>
struct MtpTrace {
  Tensor<T> prenorm;  // [tokens, dim] after the block
  Tensor<T>
      recycled;  // the same normed: input of the head, and the hidden state for the next depth
};

/// `ids` [tokens]: the token after each position; hidden [tokens, dim]: the main model's state
/// there after its final norm. The embedding comes first in the concatenation, and is zero at
/// position 0, where no earlier token predicted it (vLLM deepseek_mtp.py; the report writes the
/// hidden state first).
template <class T>
MtpTrace<T> mtp_step(const DeepseekModel<T>& model, const MtpModule<T>& mtp, const Indices& ids,
                     const Tensor<T>& hidden, std::int64_t first_position,
                     DeepseekLayerCache<T>& cache, MlaForm form) {
  const DeepseekSpec& spec = model.spec;
  Tensor<T> embedded = embedding(ids, model.embed);
  if (first_position == 0) std::ranges::fill(embedded.row(0), T(0));
  const Tensor<T> e = rms_norm(std::move(embedded), mtp.enorm, spec.norm_eps);
  const Tensor<T> h = rms_norm(hidden, mtp.hnorm, spec.norm_eps);
  Tensor<T> both{{ids.size(), 2 * e.dim(-1)}};
  for (std::int64_t t = 0; t < ids.size(); ++t) {
    const auto end = std::ranges::copy(e.row(t), both.row(t).begin()).out;
    std::ranges::copy(h.row(t), end);
  }
  const RopeTables<T> tables = rope_tables(model.inv_freq, first_position, ids.size());
  const Tensor<T> x = linear("mtp.eh_proj", both, mtp.eh_proj);
  MtpTrace<T> trace;
  trace.prenorm = deepseek_layer_step(spec, mtp.block, x, tables, cache, form).out;
  trace.recycled = rms_norm(trace.prenorm, mtp.norm, spec.norm_eps);
  return trace;
}

/// Cross-entropy of logits [tokens, vocab] against the tokens they should predict, mean over tokens
/// (equation 24; the training loss adds lambda / depth times the sum over depths).
template <class T>
T cross_entropy(const Tensor<T>& logits, const Indices& targets) {
  using std::exp;
  using std::log;
  Sum<T> total{0};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    const auto row = logits.row(t);
    const T top = *std::max_element(row.begin(), row.end());
    Sum<T> sum{0};
    for (const T& v : row) sum += static_cast<Sum<T>>(exp(v - top));
    const T target = row[static_cast<std::size_t>(targets[t])];
    total += log(sum) - static_cast<Sum<T>>(target - top);
  }
  return static_cast<T>(total / Sum<T>(static_cast<double>(logits.rows())));
}

/// The MTP part of the training loss: lambda / D * sum over depths (equation 25).
template <class T>
T mtp_loss(std::span<const T> depth_losses, double lambda) {
  Sum<T> sum{0};
  for (const T& loss : depth_losses) sum += static_cast<Sum<T>>(loss);
  const auto depths = static_cast<double>(depth_losses.size());
  return static_cast<T>(sum * Sum<T>(lambda / depths));
}

/// Drafts of parallel heads (Medusa-like; Gloeckle et al., arXiv 2404.19737): head k maps the same
/// hidden state to the logits of token t + 1 + k. For comparison: no head sees what an earlier one
/// drafted. hidden [tokens, dim], heads [depths, vocab, dim] -> [depths, tokens, vocab].
template <class T>
Tensor<T> parallel_heads(const Tensor<T>& hidden, const Tensor<T>& heads) {
  Tensor<T> out{{heads.dim(0), hidden.dim(0), heads.dim(1)}};
  for (std::int64_t k = 0; k < heads.dim(0); ++k) {
    const Tensor<T> logits = linear(hidden, slice_of(heads, k));
    std::ranges::copy(logits.data, out.slice(k).begin());
  }
  return out;
}

}  // namespace fathom::kernels::ref
