#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

// Acceptance of drafted tokens by rejection sampling: Leviathan, Kalman, Matias (arXiv 2211.17192),
// algorithm 1, with the guards of deepseek-ai/DeepSpec eval/base_evaluator.py.

/// Below this temperature the target is taken greedily.
inline constexpr double kGreedyTemperature = 1e-5;
/// Floor of a draft probability under the acceptance ratio, and of the mass of a residual.
inline constexpr double kProbabilityFloor = 1e-8;

/// What the target model samples from: softmax(logits / temperature), or all mass on the largest
/// logit near temperature zero. logits [..., vocab].
template <class T>
Tensor<T> target_distribution(const Tensor<T>& logits, const T& temperature) {
  Tensor<T> p{logits.shape};
  const bool greedy = temperature < static_cast<T>(kGreedyTemperature);
  for (std::int64_t r = 0; r < logits.rows(); ++r) {
    if (greedy) {
      p.row(r)[static_cast<std::size_t>(argmax<T>(logits.row(r)))] = T{1};
      continue;
    }
    std::ranges::transform(logits.row(r), p.row(r).begin(),
                           [&](const T& logit) { return logit / temperature; });
    softmax<T>(p.row(r));
  }
  return p;
}

/// First token whose cumulative probability exceeds `u` in [0, 1); the last one when rounding
/// leaves the total below u.
template <class T>
std::int64_t sample(std::span<const T> probabilities, const T& u) {
  Sum<T> cumulative{0};
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    cumulative += static_cast<Sum<T>>(probabilities[i]);
    if (cumulative > static_cast<Sum<T>>(u)) return static_cast<std::int64_t>(i);
  }
  return static_cast<std::int64_t>(probabilities.size()) - 1;
}

/// normalise(max(p - q, 0)): what is left of the target once the draft's share is taken. p itself
/// when nothing is left.
template <class T>
std::vector<T> residual(std::span<const T> p, std::span<const T> q) {
  std::vector<T> left;
  Sum<T> mass{0};
  for (std::size_t i = 0; i < p.size(); ++i) {
    left.push_back(std::max<T>(p[i] - q[i], T{0}));
    mass += static_cast<Sum<T>>(left.back());
  }
  if (!(mass > static_cast<Sum<T>>(kProbabilityFloor))) return {p.begin(), p.end()};
  for (T& v : left) v = static_cast<T>(static_cast<Sum<T>>(v) / mass);
  return left;
}

/// One verification of K drafted tokens.
template <class T>
struct DraftCheck {
  Tensor<T> target_probs;            // p [K + 1, vocab]
  Tensor<T> draft_probs;             // q [K, vocab]
  std::vector<std::int64_t> drafts;  // [K]
  std::vector<T> accept_draws;       // [K], uniform in [0, 1)
  T sample_draw{0};                  // uniform in [0, 1)
};

/// What one verification yields: the accepted prefix and one token of the target's own.
template <class T>
struct DraftVerdict {
  std::int64_t accepted = 0;
  std::int64_t next_token = 0;
  std::vector<T> sampled_from;  // distribution of next_token
};

/// Accepts draft i while u_i < min(1, p_i / q_i). The next token comes from the residual at the
/// first rejection, or from p_K when all K are accepted.
template <class T>
DraftVerdict<T> verify_drafts(const DraftCheck<T>& check) {
  const auto count = static_cast<std::int64_t>(check.drafts.size());
  DraftVerdict<T> out;
  for (; out.accepted < count; ++out.accepted) {
    const auto i = static_cast<std::size_t>(out.accepted);
    const auto token = static_cast<std::size_t>(check.drafts[i]);
    FATHOM_EXPECT(token < check.target_probs.row(0).size(), "draft outside of the vocabulary");
    const T q =
        std::max<T>(check.draft_probs.row(out.accepted)[token], static_cast<T>(kProbabilityFloor));
    const T ratio = std::min<T>(T{1}, check.target_probs.row(out.accepted)[token] / q);
    if (!(check.accept_draws[i] < ratio)) break;
  }
  const auto p = check.target_probs.row(out.accepted);
  out.sampled_from = out.accepted == count ? std::vector<T>(p.begin(), p.end())
                                           : residual<T>(p, check.draft_probs.row(out.accepted));
  out.next_token = sample<T>(out.sampled_from, check.sample_draw);
  return out;
}

/// Accepts drafts while they are the target's largest logit: logits [K + 1, vocab], drafts [K].
template <class T>
DraftVerdict<T> verify_greedy(const Tensor<T>& logits, std::span<const std::int64_t> drafts) {
  const Tensor<T> p = target_distribution<T>(logits, T{0});
  DraftVerdict<T> out;
  out.next_token = argmax<T>(logits.row(0));
  while (out.accepted < static_cast<std::int64_t>(drafts.size()) &&
         drafts[static_cast<std::size_t>(out.accepted)] == out.next_token) {
    out.next_token = argmax<T>(logits.row(++out.accepted));
  }
  out.sampled_from.assign(p.row(out.accepted).begin(), p.row(out.accepted).end());
  return out;
}

/// Probability that a token drawn from q is accepted: sum of min(p, q) (the paper's theorem 3.5).
template <class T>
T acceptance_probability(std::span<const T> p, std::span<const T> q) {
  Sum<T> sum{0};
  for (std::size_t i = 0; i < p.size(); ++i) sum += static_cast<Sum<T>>(std::min<T>(p[i], q[i]));
  return static_cast<T>(sum);
}

}  // namespace fathom::kernels::ref
