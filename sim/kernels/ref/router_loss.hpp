#pragma once

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/ref/aux_loss.hpp"

namespace fathom::kernels::ref {

/// Devices of the communication loss: `devices` in all, `most` (M) that one token may use.
struct DeviceLimit {
  std::int64_t devices = 1;
  std::int64_t most = 1;
};

/// Communication balance loss (V2 report, equation 29): alpha * sum_d f''_d P''_d, with f''_d =
/// D / (M T) times the tokens sent to device d and P'' the sum of P over its experts.
template <class T>
LossAndGradient<T> communication_balance_loss(const Tensor<T>& scores, const Indices& indices,
                                              const DeviceLimit& limit, double alpha) {
  const std::int64_t experts = scores.dim(-1);
  FATHOM_EXPECT(experts % limit.devices == 0, "devices with unequal numbers of experts");
  const std::int64_t own = experts / limit.devices;
  std::vector<std::int64_t> sent(static_cast<std::size_t>(limit.devices));
  for (std::int64_t t = 0; t < indices.rows(); ++t) {
    std::set<std::int64_t> devices;
    for (const std::int64_t e : indices.row(t)) devices.insert(e / own);
    for (const std::int64_t d : devices) ++sent[static_cast<std::size_t>(d)];
  }
  const auto balanced = static_cast<double>(limit.most * indices.rows());
  Tensor<T> c{Shape{1, experts}};
  for (std::int64_t e = 0; e < experts; ++e) {
    c[e] = static_cast<T>(
        static_cast<double>(limit.devices * sent[static_cast<std::size_t>(e / own)]) / balanced);
  }
  return mean_score_loss(scores, c, alpha);
}

/// log of the sum of exponentials of a row.
template <class T>
T log_sum_exp(std::span<const T> row) {
  using std::exp;
  using std::log;
  const T top = *std::max_element(row.begin(), row.end());
  Sum<T> sum{0};
  for (const T& x : row) sum += static_cast<Sum<T>>(exp(x - top));
  return top + static_cast<T>(log(sum));
}

/// Router z-loss (ST-MoE, arXiv 2202.08906, equation 5): alpha * mean over tokens of
/// logsumexp(logits)^2, which keeps logits small. The gradient is by logits [tokens, experts]:
/// 2 alpha / T * logsumexp * softmax.
template <class T>
LossAndGradient<T> z_loss(const Tensor<T>& logits, double alpha, const TokenGroups& groups = {}) {
  LossAndGradient<T> out{.gradient = Tensor<T>{logits.shape}};
  std::int64_t tokens = 0;
  for (const std::int64_t n : counted_tokens(groups, logits.rows())) tokens += n;
  const T share = static_cast<T>(alpha / static_cast<double>(std::max<std::int64_t>(tokens, 1)));
  Sum<T> loss{0};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    if (!groups.counts(t)) continue;
    const T lse = log_sum_exp<T>(logits.row(t));
    multiply_add<T>(loss, share * lse, lse);
    const auto grad = out.gradient.row(t);
    std::ranges::copy(logits.row(t), grad.begin());
    softmax<T>(grad);
    for (T& g : grad) g *= T{2} * share * lse;
  }
  out.loss = static_cast<T>(loss);
  return out;
}

/// Importance loss (Shazeer et al. 2017, arXiv 1701.06538, equation 7): alpha * CV^2 of the
/// experts' summed gate values, gates [tokens, experts]. The variance is the population's.
template <class T>
LossAndGradient<T> importance_loss(const Tensor<T>& gates, double alpha) {
  const std::int64_t experts = gates.dim(-1);
  const T count = static_cast<T>(experts);
  std::vector<T> importance(static_cast<std::size_t>(experts));
  for (std::int64_t i = 0; i < gates.size(); ++i) {
    importance[static_cast<std::size_t>(i % experts)] += gates[i];
  }
  T mean{0};
  T square{0};
  for (const T& v : importance) {
    mean += v / count;
    square += v * v / count;
  }
  // CV^2 = E[v^2] / mean^2 - 1
  LossAndGradient<T> out{.gradient = Tensor<T>{gates.shape}};
  const T scale = static_cast<T>(alpha);
  out.loss = scale * (square / (mean * mean) - T{1});
  for (std::int64_t i = 0; i < gates.size(); ++i) {
    const T& v = importance[static_cast<std::size_t>(i % experts)];
    out.gradient[i] = T{2} * scale / (count * mean * mean) * (v - square / mean);
  }
  return out;
}

}  // namespace fathom::kernels::ref
