#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "kernels/ref/activation.hpp"
#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// How a router turns logits into affinities (HF `scoring_func`): DeepSeek-V2 softmax, V3 sigmoid,
/// V4 sqrt(softplus). `normalised_sigmoid` is sigmoid / its sum over all experts: what V3's balance
/// loss sees (V3 report, arXiv 2412.19437, equation 19).
enum class ScoreFunction { softmax, sigmoid, sqrt_softplus, normalised_sigmoid };

/// One token's logits to affinities, in place: row [experts].
template <class T>
void router_scores(ScoreFunction function, std::span<T> row) {
  using std::sqrt;
  if (function == ScoreFunction::softmax) return softmax<T>(row);
  Sum<T> sum{0};
  for (T& s : row) {
    s = function == ScoreFunction::sqrt_softplus ? static_cast<T>(sqrt(softplus(s))) : sigmoid(s);
    sum += static_cast<Sum<T>>(s);
  }
  if (function != ScoreFunction::normalised_sigmoid) return;
  for (T& s : row) s = static_cast<T>(static_cast<Sum<T>>(s) / sum);
}

/// Affinities of all tokens: logits [tokens, experts] -> the same shape.
template <class T>
Tensor<T> router_scores(ScoreFunction function, Tensor<T> logits) {
  for (std::int64_t t = 0; t < logits.rows(); ++t) router_scores<T>(function, logits.row(t));
  return logits;
}

/// d score / d logit of an affinity that depends on its own logit alone.
template <class T>
T score_slope(ScoreFunction function, const T& logit, const T& score) {
  if (function == ScoreFunction::sigmoid) return score * (T{1} - score);
  const T inner = logit > T{20} ? T{1} : sigmoid(logit);  // softplus is linear there
  return inner / (T{2} * score);
}

/// d loss / d logits of one token from `upstream` = d loss / d scores, all [experts]. Functions
/// that divide by a sum couple the experts: p_i (g_i - sum_j g_j p_j), and the sigmoid's own 1 -
/// sigma_i.
template <class T>
std::vector<T> scores_backward(ScoreFunction function, std::span<const T> logits,
                               std::span<const T> scores, std::span<const T> upstream) {
  const bool coupled =
      function == ScoreFunction::softmax || function == ScoreFunction::normalised_sigmoid;
  const T mean = coupled ? dot<T>(upstream, scores) : T{0};
  std::vector<T> grad(logits.size());
  for (std::size_t e = 0; e < grad.size(); ++e) {
    if (!coupled) {
      grad[e] = upstream[e] * score_slope<T>(function, logits[e], scores[e]);
      continue;
    }
    grad[e] = scores[e] * (upstream[e] - mean);
    if (function == ScoreFunction::normalised_sigmoid) grad[e] *= T{1} - sigmoid(logits[e]);
  }
  return grad;
}

/// The same for all tokens: [tokens, experts] each.
template <class T>
Tensor<T> scores_backward(ScoreFunction function, const Tensor<T>& logits, const Tensor<T>& scores,
                          const Tensor<T>& upstream) {
  Tensor<T> grad{logits.shape};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    const auto row = scores_backward<T>(function, logits.row(t), scores.row(t), upstream.row(t));
    std::ranges::copy(row, grad.row(t).begin());
  }
  return grad;
}

}  // namespace fathom::kernels::ref
