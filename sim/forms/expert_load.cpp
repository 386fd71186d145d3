#include "forms/expert_load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/portable_math.hpp"
#include "core/rng.hpp"
#include "forms/blend.hpp"

namespace fathom::forms {
namespace {

constexpr int kDraws = 12;
constexpr std::uint64_t kSeed = 12345;

// One or two tokens cannot be skewed: every one takes topk different experts.
bool is_even(const LoadKey& key) { return key.exponent <= 0.0 || key.tokens <= 2; }

// An even split: fractional rows per expert, or one row each on as many experts as there are pairs.
RankLoad even_load(const LoadKey& key) {
  const auto local = static_cast<double>(std::max<std::int64_t>(1, key.experts / key.ranks));
  const double each = static_cast<double>(key.tokens * key.topk) / static_cast<double>(key.experts);
  const bool full = each >= 1.0;
  const double active = full ? local : std::max(1.0, std::round(each * local));
  const double rows = full ? each : 1.0;
  return {.active_experts = active,
          .rows = active * rows,
          .rows_16 = active * 16.0 * blocks(rows, 16.0),
          .rows_64 = active * 64.0 * blocks(rows, 64.0),
          .rows_128 = active * 128.0 * blocks(rows, 128.0)};
}

// Quantile u of the density x^-a on [low, high].
double power_quantile(double a, double low, double high, double u) {
  if (std::abs(a - 1.0) < 1e-9) return low * portable::pow(high / low, u);
  const double from = portable::pow(low, 1.0 - a);
  return portable::pow((portable::pow(high, 1.0 - a) - from) * u + from, 1.0 / (1.0 - a));
}

// Rounding leaves a few pairs too many or too few: the busiest experts take them, one each.
void repair(ExpertRows& rows, double pairs, double tokens) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rows[a] > rows[b]; });
  double missing = pairs - std::accumulate(rows.begin(), rows.end(), 0.0);
  for (std::size_t i = 0; std::abs(missing) > 0.5; i = (i + 1) % rows.size()) {
    double& row = rows[order[i]];
    const double step = missing > 0.0 ? 1.0 : -1.0;
    if (row + step < 0.0 || row + step > tokens) continue;
    row += step;
    missing -= step;
  }
}

}  // namespace

RankLoad summarize(std::span<const double> rows) {
  RankLoad load;
  for (const double row : rows) {
    load.active_experts += row > 0.0 ? 1.0 : 0.0;
    load.rows += row;
    load.rows_16 += 16.0 * blocks(row, 16.0);
    load.rows_64 += 64.0 * blocks(row, 64.0);
    load.rows_128 += 128.0 * blocks(row, 128.0);
  }
  return load;
}

std::vector<double> draw_popularity(const LoadKey& key, Rng& rng) {
  const bool crowded = key.tokens * key.topk > key.experts;
  const double low = crowded ? 1.0 : 0.01;
  const double high = crowded ? std::max(1.01, 0.8 * static_cast<double>(key.tokens)) : 2.0;
  std::vector<double> out(static_cast<std::size_t>(key.experts));
  for (double& x : out) x = power_quantile(key.exponent, low, high, rng.uniform());
  return out;
}

std::vector<ExpertRows> draw_loads(const LoadKey& key) {
  FATHOM_EXPECT(key.topk <= key.experts && key.topk > 0, "a token takes at most all experts");
  const auto tokens = static_cast<double>(key.tokens);
  const double pairs = tokens * static_cast<double>(key.topk);
  Rng rng{kSeed};
  std::vector<ExpertRows> draws(kDraws);
  for (ExpertRows& rows : draws) {
    rows = draw_popularity(key, rng);
    const double sum = std::accumulate(rows.begin(), rows.end(), 0.0);
    for (double& row : rows) row = std::min(tokens, std::round(row / sum * pairs));
    repair(rows, pairs, tokens);
  }
  return draws;
}

namespace {

// The rank with the most rows, the first of equals.
std::span<const double> busiest(const ExpertRows& rows, std::size_t local) {
  std::span<const double> best;
  double most = -1.0;
  for (std::size_t begin = 0; begin + local <= rows.size(); begin += local) {
    const auto rank = std::span(rows).subspan(begin, local);
    const double sum = std::accumulate(rank.begin(), rank.end(), 0.0);
    if (sum > most) {
      most = sum;
      best = rank;
    }
  }
  return best;
}

RankLoad mean(const std::vector<ExpertRows>& draws, std::size_t local) {
  RankLoad sum;
  for (const ExpertRows& rows : draws) {
    const RankLoad one = summarize(busiest(rows, local));
    sum.active_experts += one.active_experts;
    sum.rows += one.rows;
    sum.rows_16 += one.rows_16;
    sum.rows_64 += one.rows_64;
    sum.rows_128 += one.rows_128;
  }
  const auto n = static_cast<double>(draws.size());
  return {sum.active_experts / n, sum.rows / n, sum.rows_16 / n, sum.rows_64 / n, sum.rows_128 / n};
}

}  // namespace

const RankLoad& ExpertLoads::most_loaded(const LoadKey& key) {
  const auto known = ranks_.find(key);
  if (known != ranks_.end()) return known->second;
  if (is_even(key)) return ranks_.emplace(key, even_load(key)).first->second;
  LoadKey layer = key;
  layer.ranks = 1;
  auto drawn = draws_.find(layer);
  if (drawn == draws_.end()) drawn = draws_.emplace(layer, draw_loads(layer)).first;
  const auto local = static_cast<std::size_t>(std::max<std::int64_t>(1, key.experts / key.ranks));
  return ranks_.emplace(key, mean(drawn->second, local)).first->second;
}

}  // namespace fathom::forms
