#include "collectives/token_exchange.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include "core/rng.hpp"

namespace fathom::collectives {
namespace {

using kernels::cpu::Bf16;
using kernels::cpu::to_bf16;
using kernels::cpu::to_float;

// Whole numbers from -15 to 15 that tell rank, token and column apart. Times up to 16 experts they
// still fit the 8 significant bits of a bf16, so every sum below is exact.
float element(int rank, std::int64_t token, std::int64_t column) {
  const auto mixed = static_cast<std::uint64_t>(rank) * 0x9e3779b97f4a7c15U +
                     static_cast<std::uint64_t>(token) * 0xbf58476d1ce4e5b9U +
                     static_cast<std::uint64_t>(column) * 0x94d049bb133111ebU;
  return static_cast<float>((mixed >> 33U) % 31U) - 15.0F;
}

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

void fill_not_a_number(std::span<Bf16> out) {
  std::ranges::fill(out, to_bf16(std::numeric_limits<float>::quiet_NaN()));
}

int sum(const std::vector<int>& counts) { return std::accumulate(counts.begin(), counts.end(), 0); }

void scale(const Bf16* in, float factor, std::int64_t count, Bf16* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_bf16(factor * to_float(in[i]));
}

void add(const Bf16* in, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += to_float(in[i]);
}

}  // namespace

Routing draw_routing(const TokenShape& s, int ranks, int rank, std::uint64_t seed) {
  Rng rng{seed * 1'000'003U + static_cast<std::uint64_t>(rank)};
  std::vector<std::int64_t> experts(size(s.experts));
  std::iota(experts.begin(), experts.end(), 0);
  std::vector<std::vector<std::int32_t>> tokens(size(ranks)), held(size(ranks));
  for (std::int64_t token = 0; token < s.tokens; ++token) {
    rng.choose(std::span{experts}, size(s.choices));
    std::vector<std::int32_t> on(size(ranks));
    for (std::int64_t i = 0; i < s.choices; ++i) ++on[size(experts[size(i)] * ranks / s.experts)];
    for (std::size_t r = 0; r < on.size(); ++r) {
      if (on[r] == 0) continue;
      tokens[r].push_back(static_cast<std::int32_t>(token));
      held[r].push_back(on[r]);
    }
  }
  Routing out;
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    out.token.insert(out.token.end(), tokens[r].begin(), tokens[r].end());
    out.experts.insert(out.experts.end(), held[r].begin(), held[r].end());
    out.rows.push_back(static_cast<int>(tokens[r].size()));
  }
  return out;
}

std::vector<Arrival> arrivals(const TokenShape& shape, int ranks, int rank, std::uint64_t seed) {
  std::vector<Arrival> out;
  for (int source = 0; source < ranks; ++source) {
    const Routing theirs = draw_routing(shape, ranks, source, seed);
    const auto first =
        size(std::accumulate(theirs.rows.begin(), theirs.rows.begin() + rank, INT64_C(0)));
    for (std::size_t i = first; i < first + size(theirs.rows[size(rank)]); ++i)
      out.push_back({source, theirs.token[i], theirs.experts[i]});
  }
  return out;
}

TokenExchange::TokenExchange(const TokenShape& shape, Communicator& ranks, std::uint64_t seed)
    : shape_(shape),
      ranks_(ranks),
      routing_(draw_routing(shape, ranks.ranks(), ranks.rank(), seed)),
      arrivals_(arrivals(shape, ranks.ranks(), ranks.rank(), seed)),
      tokens_(shape.tokens * shape.hidden),
      sent_(static_cast<std::int64_t>(routing_.token.size()) * shape.hidden),
      received_(static_cast<std::int64_t>(arrivals_.size()) * shape.hidden),
      partial_(static_cast<std::int64_t>(arrivals_.size()) * shape.hidden),
      returned_(static_cast<std::int64_t>(routing_.token.size()) * shape.hidden),
      out_(shape.tokens * shape.hidden),
      sums_(size(shape.tokens * shape.hidden)) {
  for (std::int64_t token = 0; token < shape.tokens; ++token)
    for (std::int64_t column = 0; column < shape.hidden; ++column)
      tokens_[token * shape.hidden + column] = to_bf16(element(ranks.rank(), token, column));
}

void TokenExchange::dispatch() {
  for (std::size_t row = 0; row < routing_.token.size(); ++row)
    std::copy_n(tokens_.data() + routing_.token[row] * shape_.hidden, shape_.hidden,
                sent_.data() + static_cast<std::int64_t>(row) * shape_.hidden);
  received_rows_ = ranks_.exchange_counts(routing_.rows);
  ranks_.exchange_rows({sent_.data(), routing_.rows, received_.data(), received_rows_},
                       shape_.hidden);
}

void TokenExchange::run_experts() {
  std::int64_t row = 0;
  for (const Arrival& a : arrivals_) {
    scale(received_.data() + row, static_cast<float>(a.experts), shape_.hidden,
          partial_.data() + row);
    row += shape_.hidden;
  }
}

void TokenExchange::combine() {
  ranks_.exchange_rows({partial_.data(), received_rows_, returned_.data(), routing_.rows},
                       shape_.hidden);
  std::ranges::fill(sums_, 0.0F);
  for (std::size_t row = 0; row < routing_.token.size(); ++row)
    add(returned_.data() + static_cast<std::int64_t>(row) * shape_.hidden, shape_.hidden,
        sums_.data() + routing_.token[row] * shape_.hidden);
  to_bf16(sums_, out_.data());
}

void TokenExchange::poison() {
  fill_not_a_number(received_.span());
  fill_not_a_number(returned_.span());
  fill_not_a_number(out_.span());
}

std::int64_t TokenExchange::wrong_rows() const {
  if (static_cast<std::size_t>(sum(received_rows_)) != arrivals_.size()) return 1;
  std::int64_t wrong = 0;
  std::int64_t row = 0;
  for (const Arrival& a : arrivals_) {
    for (std::int64_t column = 0; column < shape_.hidden; ++column)
      if (to_float(received_[row + column]) != element(a.source, a.token, column)) ++wrong;
    row += shape_.hidden;
  }
  return wrong;
}

std::int64_t TokenExchange::wrong_sums() const {
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < shape_.tokens * shape_.hidden; ++i)
    if (to_float(out_[i]) != static_cast<float>(shape_.choices) * to_float(tokens_[i])) ++wrong;
  return wrong;
}

}  // namespace fathom::collectives
