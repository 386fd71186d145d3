#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/indexer.hpp"
#include "measure/cases.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"

namespace fathom::measure {
namespace {

namespace cpu = kernels::cpu;
using cpu::Bf16;
using cpu::Buffer;

struct IndexerData {
  IndexerShape shape;
  Buffer<Bf16> q, keys;
  Buffer<float> weights, scores;
  std::vector<cpu::KvSpan> spans;
  std::unique_ptr<cpu::Indexer> kernel;
  std::vector<cpu::TopKeys> top;
  std::vector<std::span<const std::int64_t>> chosen;  // of each token, in `top`
};

std::shared_ptr<IndexerData> make_data(const IndexerShape& s, const Bench& bench) {
  auto d = std::make_shared<IndexerData>();
  const std::int64_t tokens = s.sequences * s.query_tokens;
  d->shape = s;
  d->q = Buffer<Bf16>{tokens * s.heads * s.head_dim};
  d->keys = Buffer<Bf16>{s.sequences * s.keys * s.head_dim};
  d->weights = Buffer<float>{tokens * s.heads};
  d->scores = Buffer<float>{tokens * s.keys};
  fill_random(d->q.span(), 1.0F, bench.seed);
  fill_random(d->keys.span(), 1.0F, bench.seed + 1);
  fill_random(d->weights.span(), 1.0F, bench.seed + 2);
  for (float& score : d->scores.span()) score = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t i = 0; i < s.sequences; ++i)
    d->spans.push_back({.keys = d->keys.data() + i * s.keys * s.head_dim, .rows = s.keys});
  d->kernel = std::make_unique<cpu::Indexer>(
      cpu::IndexerShape{.heads = s.heads, .head_dim = s.head_dim}, bench.isa, bench.pool.size());
  for (std::int64_t t = 0; t < tokens; ++t) d->top.emplace_back(s.topk);
  d->chosen.resize(d->top.size());
  return d;
}

// Scores of every sequence, then the choice of each token.
void run_indexer(IndexerData& d, cpu::ThreadPool& pool) {
  const IndexerShape& s = d.shape;
  for (std::int64_t i = 0; i < s.sequences; ++i) {
    const std::int64_t token = i * s.query_tokens;
    d.kernel->run({.q = d.q.data() + token * s.heads * s.head_dim,
                   .weights = d.weights.data() + token * s.heads,
                   .tokens = s.query_tokens},
                  {&d.spans[static_cast<std::size_t>(i)], 1}, d.scores.data() + token * s.keys,
                  pool);
  }
  pool.run([&](int worker) {
    const cpu::Range mine =
        cpu::part_of(static_cast<std::int64_t>(d.top.size()), 1, worker, pool.size());
    for (std::int64_t t = mine.begin; t < mine.end; ++t)
      d.chosen[static_cast<std::size_t>(t)] = d.top[static_cast<std::size_t>(t)].select(
          {d.scores.data() + t * s.keys, static_cast<std::size_t>(s.keys)});
  });
}

double number(Bf16 value) { return static_cast<double>(cpu::to_float(value)); }

// The chosen keys, best first, have the largest scores there are.
bool chose_best(std::span<const float> scores, std::span<const std::int64_t> chosen,
                std::int64_t topk) {
  std::vector<float> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>{});
  const auto count = static_cast<std::size_t>(std::min<std::int64_t>(topk, std::ssize(scores)));
  if (chosen.size() < count) return false;
  for (std::size_t i = 0; i < count; ++i)
    if (chosen[i] < 0 || scores[static_cast<std::size_t>(chosen[i])] != sorted[i]) return false;
  return true;
}

// The newest token of the last sequence sees every key.
double error_of(const IndexerData& d) {
  const IndexerShape& s = d.shape;
  const std::int64_t token = s.sequences * s.query_tokens - 1;
  const Bf16* keys = d.keys.data() + (s.sequences - 1) * s.keys * s.head_dim;
  SampledError error;
  for (const std::int64_t key : spread(s.keys, 64)) {
    double sum = 0.0;
    for (std::int64_t h = 0; h < s.heads; ++h) {
      double product = 0.0;
      for (std::int64_t i = 0; i < s.head_dim; ++i)
        product += number(d.q[(token * s.heads + h) * s.head_dim + i]) *
                   number(keys[key * s.head_dim + i]);
      sum += static_cast<double>(d.weights[token * s.heads + h]) * std::max(product, 0.0);
    }
    error.add(static_cast<double>(d.scores[token * s.keys + key]), sum);
  }
  const std::span scores{d.scores.data() + token * s.keys, static_cast<std::size_t>(s.keys)};
  if (!chose_best(scores, d.chosen[static_cast<std::size_t>(token)], s.topk)) return INFINITY;
  return error.value();
}

// As model/blocks/mla.cpp lists them.
std::vector<ops::Op> operators(const IndexerShape& s) {
  const auto sequences = static_cast<double>(s.sequences);
  const double pairs = sequences * ops::causal_pairs(static_cast<double>(s.query_tokens),
                                                     static_cast<double>(s.keys - s.query_tokens));
  return {ops::Indexer{.heads = s.heads,
                       .head_dim = s.head_dim,
                       .query_tokens = sequences * static_cast<double>(s.query_tokens),
                       .keys = sequences * static_cast<double>(s.keys),
                       .pairs = pairs,
                       .key_bytes = Bytes{2.0 * static_cast<double>(s.head_dim)},
                       .math = Math::bf16},
          ops::Elementwise{.kind = ops::ElementwiseKind::misc, .rows = pairs, .read_bytes = 4.0}};
}

}  // namespace

KernelCase indexer_case(const IndexerShape& s) {
  KernelCase out;
  out.group = "indexer";
  out.id = fmt::format("indexer/h={}/d={}/top={}/b={}/q={}/l={}", s.heads, s.head_dim, s.topk,
                       s.sequences, s.query_tokens, s.keys);
  out.family = hw::Family::indexer;
  out.ops = operators(s);
  out.error_bound = 1e-4;  // fp32 sums
  out.prepare = [s](const Bench& bench) {
    const auto d = make_data(s, bench);
    return Runnable{.run = [d, pool = &bench.pool] { run_indexer(*d, *pool); },
                    .error = [d] { return error_of(*d); },
                    .cold = {{d->keys.data(), d->keys.bytes()}}};
  };
  return out;
}

}  // namespace fathom::measure
