#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/fnv.hpp"
#include "execute/pass_output.hpp"
#include "execute/work.hpp"
#include "kernels/ref/linear.hpp"

namespace fathom::execute {

struct GenerateRequest {
  std::vector<std::int64_t> prompt;
  std::int64_t new_tokens = 16;
  std::int64_t draft_tokens = 0;  // 0: plain greedy decoding
};

/// One sequence, decoded greedily.
struct Generation {
  std::vector<std::int64_t> tokens;       // new ones only
  std::uint64_t logits_hash = 0;          // of the float32 bits of every row that chose a token
  std::vector<std::int64_t> step_tokens;  // tokens that each decode step gave: 1 + accepted drafts
  std::int64_t positions = 0;             // in the cache at the end
  std::int64_t held_main = 0;             // elements cached
  std::int64_t held_mtp = 0;
  bool operator==(const Generation&) const = default;
};

/// Mean tokens a decode step gave: 1 without speculation, at most 1 + draft_tokens.
double acceptance_length(const Generation& generation);

/// FNV-1a over the float32 bits of logits. The library functions behind exp and sin may differ in
/// the last bit between machines, and so may the hash.
template <class T>
std::uint64_t hash_logits(std::uint64_t hash, std::span<const T> row) {
  for (const T& logit : row) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(logit));
    for (int shift = 0; shift < 32; shift += 8) {
      hash = fnv1a(hash, static_cast<std::uint8_t>(bits >> shift));
    }
  }
  return hash;
}

/// Prefill, then greedy decoding, with drafts of the MTP module verified by the main model when
/// `draft_tokens` > 0: a draft counts when it is what the model itself says next, so the tokens are
/// those of plain decoding. One module is used for every depth, fed with its own hidden state.
template <class Form>
class Generator {
 public:
  Generator(const Form& form, const GenerateRequest& request, WorkLedger& ledger)
      : form_(form), request_(request), ledger_(ledger), state_(form.empty_state()) {}

  Generation run() {
    const std::int64_t prompt = size(request_.prompt);
    ledger_.begin({Pass::prefill, prompt, 0});
    const auto first = form_.forward(ids(request_.prompt), 0, state_, LogitRows::last);
    out_.logits_hash = kFnvStart;
    std::int64_t next = choose(first.logits, 0);
    if (request_.draft_tokens > 0) {
      std::vector<std::int64_t> shifted(request_.prompt.begin() + 1, request_.prompt.end());
      shifted.push_back(next);
      propose(shifted, first.hidden, 0);
    }
    std::int64_t position = prompt;
    while (size(out_.tokens) < request_.new_tokens) {
      const std::int64_t got = step(position);
      out_.step_tokens.push_back(got);
      position += got;
    }
    out_.positions = position;
    out_.held_main = form_.held_main(state_);
    out_.held_mtp = form_.held_mtp(state_);
    return std::move(out_);
  }

 private:
  static std::int64_t size(const std::vector<std::int64_t>& v) {
    return static_cast<std::int64_t>(v.size());
  }
  static kernels::Indices ids(const std::vector<std::int64_t>& v) { return {{size(v)}, v}; }

  template <class T>
  std::int64_t choose(const kernels::Tensor<T>& logits, std::int64_t row) {
    out_.logits_hash = hash_logits<T>(out_.logits_hash, logits.row(row));
    out_.tokens.push_back(kernels::ref::argmax<T>(logits.row(row)));
    return out_.tokens.back();
  }

  // Feeds the newest token and its drafts; keeps what the model agrees with. Returns how many new
  // tokens that gave.
  std::int64_t step(std::int64_t position) {
    std::vector<std::int64_t> fed{out_.tokens.back()};
    const std::int64_t wanted = request_.new_tokens - size(out_.tokens);
    fed.insert(fed.end(), drafts_.begin(), drafts_.end());
    ledger_.begin({Pass::decode, size(fed), position});
    const auto verified = form_.verify(ids(fed), position, state_);
    std::vector<std::int64_t> next;
    for (std::size_t row = 0; row < fed.size(); ++row) {
      next.push_back(choose(verified.output.logits, static_cast<std::int64_t>(row)));
      const bool drafted = row < drafts_.size() && drafts_[row] == next.back();
      if (!drafted || size(next) == wanted) break;
    }
    form_.keep(verified, position + size(next), state_);
    if (request_.draft_tokens > 0) {
      propose(next, slices(verified.output.hidden, 0, size(next)), position);
    }
    return size(next);
  }

  // Drafts the tokens after `next`, which follow the positions from `first` on.
  template <class T>
  void propose(const std::vector<std::int64_t>& next, const kernels::Tensor<T>& hidden,
               std::int64_t first) {
    ledger_.begin({Pass::mtp, size(next), first});
    auto output = form_.draft(ids(next), hidden, first, state_);
    drafts_.assign(1, kernels::ref::argmax<T>(output.logits.row(0)));
    if (request_.draft_tokens == 1) return;
    auto speculative = state_;  // deeper drafts leave no trace in the cache
    std::int64_t position = first + size(next);
    while (size(drafts_) < request_.draft_tokens) {
      ledger_.begin({Pass::mtp, 1, position});
      const auto newest = slices(output.hidden, output.hidden.dim(0) - 1, 1);
      output = form_.draft(ids({drafts_.back()}), newest, position++, speculative);
      drafts_.push_back(kernels::ref::argmax<T>(output.logits.row(0)));
    }
  }

  const Form& form_;
  const GenerateRequest& request_;
  WorkLedger& ledger_;
  typename Form::State state_;
  std::vector<std::int64_t> drafts_;
  Generation out_;
};

}  // namespace fathom::execute
