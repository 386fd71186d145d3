#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/rng.hpp"

namespace fathom::forms {

/// Routing of one MoE layer over an expert-parallel group.
struct LoadKey {
  std::int64_t tokens = 0;  // of the whole group
  std::int64_t experts = 0;
  std::int64_t topk = 0;
  std::int64_t ranks = 1;
  double exponent = 0.0;  // of the bounded power law of expert popularity; 0: balanced
  auto operator<=>(const LoadKey&) const = default;
};

/// What the most loaded rank computes, averaged over draws.
struct RankLoad {
  double active_experts = 0.0;
  double rows = 0.0;     // (token, expert) pairs
  double rows_16 = 0.0;  // rows when each expert's are padded to a multiple of 16, 64, 128
  double rows_64 = 0.0;
  double rows_128 = 0.0;
  bool operator==(const RankLoad&) const = default;
};

/// Rows per expert of one draw; they sum to tokens x topk, none above `tokens`.
using ExpertRows = std::vector<double>;

/// One popularity per expert, on any scale: the bounded power law x^-a of aiconfigurator's
/// benchmark, on [1, 0.8 tokens], or [0.01, 2] while experts outnumber the pairs.
std::vector<double> draw_popularity(const LoadKey& key, Rng& rng);

/// Draws of the whole layer from one seed that never changes.
std::vector<ExpertRows> draw_loads(const LoadKey& key);

RankLoad summarize(std::span<const double> rows);

/// Loads by key. Drawing 12 x 256 experts costs a millisecond, and tables repeat their keys.
class ExpertLoads {
 public:
  const RankLoad& most_loaded(const LoadKey& key);

 private:
  std::map<LoadKey, std::vector<ExpertRows>> draws_;  // ranks = 1 in the key
  std::map<LoadKey, RankLoad> ranks_;
};

}  // namespace fathom::forms
