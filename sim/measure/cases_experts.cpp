#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "core/rng.hpp"
#include "kernels/cpu/experts.hpp"
#include "measure/cases.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"

namespace fathom::measure {
namespace {

using kernels::cpu::Bf16;
using kernels::cpu::Buffer;
using namespace kernels::cpu;

struct Matrices {
  Buffer<Bf16> w1, w2, w3;  // gate, down, up
};

struct ExpertsData {
  ExpertsShape shape;
  Buffer<Bf16> x;
  Buffer<float> y;
  PackedExperts weights;
  std::vector<Matrices> plain;  // of the experts that the checked token goes to
  std::vector<std::int32_t> indices;
  std::vector<float> choice_weights;
  ExpertsWorkspace workspace;

  bool routed() const { return shape.experts > 1; }
  ExpertsCall call() const {
    return {.x = x.data(),
            .tokens = shape.tokens,
            .x_stride = shape.dim,
            .weights = &weights,
            .indices = routed() ? indices.data() : nullptr,
            .choice_weights = routed() ? choice_weights.data() : nullptr,
            .choices = shape.choices,
            .y = const_cast<float*>(y.data()),
            .y_stride = shape.dim};
  }
};

Matrices draw_matrices(const ExpertsShape& s, std::uint64_t seed) {
  Matrices m{Buffer<Bf16>{s.inter * s.dim}, Buffer<Bf16>{s.dim * s.inter},
             Buffer<Bf16>{s.inter * s.dim}};
  fill_random(m.w1.span(), 2.0F / std::sqrt(static_cast<float>(s.dim)), seed);
  fill_random(m.w2.span(), 1.0F / std::sqrt(static_cast<float>(s.inter)), seed + 1);
  fill_random(m.w3.span(), 1.0F / std::sqrt(static_cast<float>(s.dim)), seed + 2);
  return m;
}

std::uint64_t expert_seed(std::uint64_t seed, std::int64_t expert) {
  return seed + 100 + 3 * static_cast<std::uint64_t>(expert);
}

std::shared_ptr<ExpertsData> make_data(const ExpertsShape& s, std::uint64_t routing_seed,
                                       const Bench& bench) {
  auto d = std::make_shared<ExpertsData>();
  d->shape = s;
  d->x = Buffer<Bf16>{s.tokens * s.dim};
  d->y = Buffer<float>{s.tokens * s.dim};
  fill_random(d->x.span(), 1.0F, bench.seed);
  for (float& value : d->y.span()) value = std::numeric_limits<float>::quiet_NaN();
  d->weights.dim = s.dim;
  d->weights.inter = s.inter;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    const Matrices m = draw_matrices(s, expert_seed(bench.seed, e));
    d->weights.experts.push_back(
        pack_expert(m.w1.data(), m.w2.data(), m.w3.data(), s.dim, s.inter));
  }
  if (d->routed()) d->indices = draw_routing(s, routing_seed);
  d->choice_weights.assign(d->indices.size(), 1.0F / static_cast<float>(s.choices));
  return d;
}

// silu(gate x) * up x in double, rounded to bf16 as the kernel stores it.
std::vector<double> hidden_of(const ExpertsShape& s, const Matrices& m, const Bf16* x) {
  std::vector<double> hidden;
  for (std::int64_t i = 0; i < s.inter; ++i) {
    double gate = 0.0;
    double up = 0.0;
    for (std::int64_t j = 0; j < s.dim; ++j) {
      const double value = to_float(x[j]);
      gate += value * static_cast<double>(to_float(m.w1[i * s.dim + j]));
      up += value * static_cast<double>(to_float(m.w3[i * s.dim + j]));
    }
    hidden.push_back(gate / (1.0 + std::exp(-gate)) * up);
  }
  return hidden;
}

// One token, some of its outputs: enough to notice a wrong expert, order or weight.
double error_of(const ExpertsData& d, std::uint64_t seed) {
  const ExpertsShape& s = d.shape;
  const std::int64_t token = s.tokens / 2;
  const std::vector<std::int64_t> outputs = spread(s.dim, 64);
  std::vector<double> want(outputs.size());
  const std::int64_t choices = d.routed() ? s.choices : 1;
  for (std::int64_t c = 0; c < choices; ++c) {
    const auto at = static_cast<std::size_t>(token * s.choices + c);
    const std::int64_t expert = d.routed() ? d.indices[at] : 0;
    const double weight = d.routed() ? static_cast<double>(d.choice_weights[at]) : 1.0;
    const Matrices m = draw_matrices(s, expert_seed(seed, expert));
    const std::vector<double> hidden = hidden_of(s, m, d.x.data() + token * s.dim);
    for (std::size_t o = 0; o < outputs.size(); ++o)
      for (std::int64_t i = 0; i < s.inter; ++i)
        want[o] += weight * hidden[static_cast<std::size_t>(i)] *
                   static_cast<double>(to_float(m.w2[outputs[o] * s.inter + i]));
  }
  SampledError error;
  for (std::size_t o = 0; o < outputs.size(); ++o)
    error.add(static_cast<double>(d.y[token * s.dim + outputs[o]]), want[o]);
  return error.value();
}

std::vector<Region> cold_regions(const PackedExperts& weights) {
  std::vector<Region> out;
  for (const PackedExpert& expert : weights.experts) {
    out.push_back({expert.gate_up.tiles.data(), expert.gate_up.tiles.bytes()});
    out.push_back({expert.down.tiles.data(), expert.down.tiles.bytes()});
  }
  return out;
}

std::int64_t touched(const std::vector<std::int32_t>& indices) {
  std::vector<std::int32_t> seen = indices;
  std::sort(seen.begin(), seen.end());
  return std::unique(seen.begin(), seen.end()) - seen.begin();
}

ops::Elementwise activation(double rows, std::int64_t inter) {
  return {.kind = ops::ElementwiseKind::activation,
          .rows = rows,
          .read_bytes = 4.0 * static_cast<double>(inter),
          .write_bytes = 2.0 * static_cast<double>(inter)};
}

ops::Elementwise permute(double rows, const ExpertsShape& s) {
  const double width = 2.0 * static_cast<double>(s.dim);
  return {.kind = ops::ElementwiseKind::permute,
          .rows = rows,
          .read_bytes = width,
          .write_bytes = width,
          .repeated_bytes = width * (1.0 - 1.0 / static_cast<double>(s.choices))};
}

// What model/blocks/ffn.cpp lists for the layer, with the experts that this routing really touches.
std::vector<ops::Op> operators(const ExpertsShape& s, std::uint64_t routing_seed) {
  if (s.experts == 1) {
    const auto rows = static_cast<double>(s.tokens);
    return {ops::Gemm{.m = rows, .n = 2 * s.inter, .k = s.dim}, activation(rows, s.inter),
            ops::Gemm{.m = rows, .n = s.dim, .k = s.inter}};
  }
  const auto rows = static_cast<double>(s.tokens * s.choices);
  const auto used = static_cast<double>(touched(draw_routing(s, routing_seed)));
  const auto product = [&](std::int64_t n, std::int64_t k, bool pair) {
    return ops::GroupedGemm{.rows = rows,
                            .experts = static_cast<double>(s.experts),
                            .touched_experts = used,
                            .experts_per_token = static_cast<double>(s.choices),
                            .n = n,
                            .k = k,
                            .gated_pair = pair,
                            .masked = !s.prefill};
  };
  std::vector<ops::Op> out;
  if (s.prefill) out.emplace_back(permute(rows, s));
  out.emplace_back(product(2 * s.inter, s.dim, true));
  out.emplace_back(activation(rows, s.inter));
  out.emplace_back(product(s.dim, s.inter, false));
  if (s.prefill) out.emplace_back(permute(rows, s));
  return out;
}

hw::Family family_of(const ExpertsShape& s) {
  if (s.experts == 1) return hw::Family::gemm;
  return s.prefill ? hw::Family::grouped_gemm : hw::Family::grouped_gemm_decode;
}

}  // namespace

std::vector<std::int32_t> draw_routing(const ExpertsShape& s, std::uint64_t seed) {
  Rng rng{seed};
  const auto experts = static_cast<std::size_t>(s.experts);
  std::vector<std::int32_t> rank(experts);  // which expert is the i-th most popular
  std::iota(rank.begin(), rank.end(), 0);
  rng.choose(std::span{rank}, experts);
  std::vector<std::pair<double, std::int32_t>> keys(experts);
  std::vector<std::int32_t> out;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    // The k largest of u^(1/p) are a draw without repetition with probabilities p (Efraimidis and
    // Spirakis 2006); in logarithms log(u) / p.
    for (std::size_t i = 0; i < experts; ++i) {
      const double popularity = std::pow(static_cast<double>(i + 1), -s.zipf);
      keys[i] = {std::log(1.0 - rng.uniform()) / popularity, rank[i]};
    }
    std::partial_sort(keys.begin(), keys.begin() + s.choices, keys.end(), std::greater<>{});
    for (std::int64_t c = 0; c < s.choices; ++c)
      out.push_back(keys[static_cast<std::size_t>(c)].second);
  }
  return out;
}

KernelCase experts_case(const ExpertsShape& s, std::uint64_t routing_seed) {
  KernelCase out;
  out.group = s.experts == 1 ? "feed_forward" : "experts";
  out.id = s.experts == 1
               ? fmt::format("feed_forward/{}x{}/m={}", s.dim, s.inter, s.tokens)
               : fmt::format("experts/{}of{}/{}x{}/m={}{}{}", s.choices, s.experts, s.dim, s.inter,
                             s.tokens, s.zipf > 0.0 ? fmt::format("/zipf={:g}", s.zipf) : "",
                             s.prefill ? "/prefill" : "");
  out.family = family_of(s);
  out.ops = operators(s, routing_seed);
  out.error_bound = kBf16Output;  // hidden is rounded to bf16 between the products
  out.prepare = [s, routing_seed](const Bench& bench) {
    const auto d = make_data(s, routing_seed, bench);
    return Runnable{.run = [d, isa = bench.isa,
                            pool = &bench.pool] { experts(d->call(), d->workspace, isa, *pool); },
                    .error = [d, seed = bench.seed] { return error_of(*d, seed); },
                    .cold = cold_regions(d->weights)};
  };
  return out;
}

}  // namespace fathom::measure
