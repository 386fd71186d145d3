#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/ref/linear.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

// DeepSeek-V4 compresses blocks of `ratio` positions into one key-value entry: a softmax over the
// positions of a block, channel by channel, weighs their projections (V4 report, arXiv 2606.19348;
// inference/model.py, Compressor). Where blocks overlap, an entry also pools the block before: the
// projections are twice as wide, their first half serves the next entry, the second half the own.

/// Weights of one compressor; width is head_dim, or 2 head_dim where blocks overlap.
template <class T>
struct CompressorWeights {
  Tensor<T> wkv;          // [width, dim]
  Tensor<T> wgate;        // [width, dim]
  Tensor<T> ape;          // [ratio, width]: added to the gate by position within the block
  Tensor<T> norm_weight;  // [head_dim]

  std::int64_t ratio() const { return ape.dim(0); }
  std::int64_t head_dim() const { return norm_weight.size(); }
  bool overlaps() const { return ape.dim(1) == 2 * head_dim(); }
};

/// What a compressor remembers of a sequence: projections and gates of the block being filled and,
/// where blocks overlap, of the block before it (first `ratio` slots).
template <class T>
struct CompressorState {
  Tensor<T> kv;     // [slots, width], 0 where nothing came yet
  Tensor<T> score;  // [slots, width], -infinity where nothing came yet
  bool operator==(const CompressorState&) const = default;
};

template <class T>
CompressorState<T> empty_state(const CompressorWeights<T>& w) {
  const Shape shape{(w.overlaps() ? 2 : 1) * w.ratio(), w.ape.dim(1)};
  CompressorState<T> state{.kv = Tensor<T>{shape}, .score = Tensor<T>{shape}};
  for (T& v : state.score.data) v = T(-std::numeric_limits<double>::infinity());
  return state;
}

/// Softmax-weighted sum over the slots, per channel, into entry [head_dim]. With overlap the slots
/// of the previous block give their first half, those of the current one their second.
template <class T>
void pool(const CompressorWeights<T>& w, const CompressorState<T>& state, std::span<T> entry) {
  const std::int64_t slots = state.kv.dim(0);
  const std::int64_t width = state.kv.dim(1);
  std::vector<T> weights(static_cast<std::size_t>(slots));
  for (std::size_t c = 0; c < entry.size(); ++c) {
    const auto at = [&](std::int64_t slot) {
      const bool second_half = w.overlaps() && slot >= w.ratio();
      return slot * width + static_cast<std::int64_t>(c) + (second_half ? w.head_dim() : 0);
    };
    for (std::int64_t s = 0; s < slots; ++s) {
      weights[static_cast<std::size_t>(s)] = state.score[at(s)];
    }
    softmax<T>(weights);
    Sum<T> sum{0};
    for (std::int64_t s = 0; s < slots; ++s) {
      sum += static_cast<Sum<T>>(weights[static_cast<std::size_t>(s)]) *
             static_cast<Sum<T>>(state.kv[at(s)]);
    }
    entry[c] = static_cast<T>(sum);
  }
}

/// Projections of new tokens, both [tokens, width].
template <class T>
struct CompressorInput {
  Tensor<T> kv;     // x wkv^T
  Tensor<T> score;  // x wgate^T
};

/// Puts token `t` of the input, at `position` of the sequence, into its slot.
template <class T>
void push(const CompressorWeights<T>& w, const CompressorInput<T>& in, std::int64_t t,
          std::int64_t position, CompressorState<T>& state) {
  const std::int64_t width = state.kv.dim(1);
  const std::int64_t place = position % w.ratio();
  const std::int64_t slot = place + (w.overlaps() ? w.ratio() : 0);
  for (std::int64_t c = 0; c < width; ++c) {
    state.kv[slot * width + c] = in.kv[t * width + c];
    state.score[slot * width + c] = in.score[t * width + c] + w.ape[place * width + c];
  }
}

/// The current block becomes the previous one. Its slots keep their values until overwritten.
template <class T>
void next_block(CompressorState<T>& state) {
  const auto half = static_cast<std::ptrdiff_t>(state.kv.size() / 2);
  std::copy_n(state.kv.data.begin() + half, half, state.kv.data.begin());
  std::copy_n(state.score.data.begin() + half, half, state.score.data.begin());
}

/// After a prompt only what an incomplete block needs is kept: `filled` slots of the current block.
template <class T>
void forget_rest(const CompressorWeights<T>& w, std::int64_t filled, CompressorState<T>& state) {
  const std::int64_t first = state.kv.dim(0) - w.ratio() + filled;
  const CompressorState<T> empty = empty_state(w);
  for (std::int64_t i = first * state.kv.dim(1); i < state.kv.size(); ++i) {
    state.kv[i] = empty.kv[i];
    state.score[i] = empty.score[i];
  }
}

/// Feeds tokens from position `start_pos` on; the pooled entries [blocks, head_dim] of the blocks
/// they complete, not yet normalised. start_pos 0 is a prompt and expects an empty state.
template <class T>
Tensor<T> compress(const CompressorWeights<T>& w, const CompressorInput<T>& in,
                   std::int64_t start_pos, CompressorState<T>& state) {
  FATHOM_EXPECT(in.kv.dim(1) == w.ape.dim(1) && in.score.shape == in.kv.shape,
                "compressor input of another width than its state");
  const OpScope scope{"compressor.pool"};
  const std::int64_t end_pos = start_pos + in.kv.dim(0);
  Tensor<T> entries{Shape{end_pos / w.ratio() - start_pos / w.ratio(), w.head_dim()}};
  for (std::int64_t position = start_pos; position < end_pos; ++position) {
    push(w, in, position - start_pos, position, state);
    if ((position + 1) % w.ratio() != 0) continue;
    pool<T>(w, state, entries.row(position / w.ratio() - start_pos / w.ratio()));
    if (w.overlaps()) next_block(state);
  }
  if (start_pos == 0) forget_rest(w, end_pos % w.ratio(), state);
  return entries;
}

}  // namespace fathom::kernels::ref
