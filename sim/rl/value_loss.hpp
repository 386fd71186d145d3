#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rl/masked.hpp"

namespace fathom::rl {

/// What the critic is trained on, all [batch, length].
template <class T>
struct ValueBatch {
  Tensor<T> predictions;  // of the critic in training
  Tensor<T> old_values;   // when the batch was sampled
  Tensor<T> returns;
  Tensor<T> mask;
};

template <class T>
struct ValueLoss {
  T loss{0};
  T clip_fraction{0};  // of tokens
};

/// Half the mean squared error of the worse of the prediction and the prediction held within
/// `range` of the old value (volcengine/verl core_algos.py, compute_value_loss).
template <class T>
ValueLoss<T> value_loss(const ValueBatch<T>& batch, double range) {
  const auto reach = static_cast<T>(range);
  Tensor<T> loss{batch.mask.shape};
  Tensor<T> clipped{batch.mask.shape};
  for (std::int64_t i = 0; i < loss.size(); ++i) {
    const T& old = batch.old_values[i];
    const T held = std::clamp<T>(batch.predictions[i], old - reach, old + reach);
    const T error = batch.predictions[i] - batch.returns[i];
    const T held_error = held - batch.returns[i];
    loss[i] = std::max<T>(error * error, held_error * held_error);
    clipped[i] = held_error * held_error > error * error ? T{1} : T{0};
  }
  return {aggregate(loss, batch.mask, Aggregation::token_mean) * static_cast<T>(0.5),
          masked_mean(clipped, batch.mask)};
}

/// Entropy of softmax(logits) per token: logits [batch, length, vocab] -> [batch, length].
template <class T>
Tensor<T> entropy_from_logits(const Tensor<T>& logits) {
  using std::exp;
  using std::log;
  Tensor<T> out{{logits.shape.begin(), logits.shape.end() - 1}};
  for (std::int64_t r = 0; r < logits.rows(); ++r) {
    const auto row = logits.row(r);
    const T top = *std::max_element(row.begin(), row.end());
    Sum<T> mass{0};
    Sum<T> weighted{0};
    for (const T& logit : row) {
      const auto weight = static_cast<Sum<T>>(exp(logit - top));
      mass += weight;
      weighted += weight * static_cast<Sum<T>>(logit - top);
    }
    out[r] = static_cast<T>(log(mass) - weighted / mass);
  }
  return out;
}

}  // namespace fathom::rl
