#include <fmt/format.h>

#include <limits>
#include <memory>

#include "kernels/cpu/linear.hpp"
#include "measure/baselines.hpp"
#include "measure/cases.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"

namespace fathom::measure {
namespace {

using kernels::cpu::Bf16;
using kernels::cpu::Buffer;
using namespace kernels::cpu;

struct LinearShape {
  std::int64_t rows, n, k, heads;
};

// Everything one case runs on. Weights are kept unpacked for the few outputs that are checked.
struct LinearData {
  LinearShape shape;
  Buffer<Bf16> x;  // [rows, heads, k]
  Buffer<Bf16> y;  // [rows, heads, n]
  std::vector<PackedLinear> weights;
  std::vector<std::int64_t> columns;        // checked outputs of every head
  std::vector<std::vector<float>> checked;  // [heads x columns][k]
  std::vector<LinearWorkspace> workspaces;

  LinearCall call() const {
    return {.x = x.data(),
            .rows = shape.rows,
            .x_stride = shape.heads * shape.k,
            .w = weights.data(),
            .y_bf16 = const_cast<Bf16*>(y.data()),
            .y_stride = shape.heads * shape.n};
  }
};

void pack(LinearData& d, std::uint64_t seed) {
  Buffer<Bf16> w{d.shape.n * d.shape.k};
  const float scale = 1.0F / std::sqrt(static_cast<float>(d.shape.k));
  for (std::int64_t h = 0; h < d.shape.heads; ++h) {
    fill_random(w.span(), scale, seed + 2 + static_cast<std::uint64_t>(h));
    d.weights.push_back(pack_linear(w.data(), d.shape.n, d.shape.k));
    for (const std::int64_t column : d.columns) {
      std::vector<float> row;
      for (std::int64_t i = 0; i < d.shape.k; ++i)
        row.push_back(to_float(w[column * d.shape.k + i]));
      d.checked.push_back(std::move(row));
    }
  }
}

std::shared_ptr<LinearData> make_data(const LinearShape& shape, const Bench& bench) {
  auto d = std::make_shared<LinearData>();
  d->shape = shape;
  d->x = Buffer<Bf16>{shape.rows * shape.heads * shape.k};
  d->y = Buffer<Bf16>{shape.rows * shape.heads * shape.n};
  fill_random(d->x.span(), 1.0F, bench.seed);
  for (Bf16& value : d->y.span()) value = to_bf16(std::numeric_limits<float>::quiet_NaN());
  d->columns = spread(shape.n, shape.heads > 1 ? 2 : 8);
  pack(*d, bench.seed);
  for (int i = 0; i < bench.pool.size(); ++i) d->workspaces.emplace_back(bench.pool.size());
  return d;
}

double error_of(const LinearData& d) {
  SampledError error;
  const LinearShape& s = d.shape;
  for (const std::int64_t row : spread(s.rows, 8))
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::size_t c = 0; c < d.columns.size(); ++c) {
        const auto& w = d.checked[static_cast<std::size_t>(h) * d.columns.size() + c];
        double sum = 0.0;
        for (std::int64_t i = 0; i < s.k; ++i)
          sum += static_cast<double>(to_float(d.x[(row * s.heads + h) * s.k + i])) *
                 static_cast<double>(w[static_cast<std::size_t>(i)]);
        error.add(to_float(d.y[(row * s.heads + h) * s.n + d.columns[c]]), sum);
      }
  return error.value();
}

std::vector<Region> cold_regions(const std::vector<PackedLinear>& weights) {
  std::vector<Region> out;
  for (const PackedLinear& w : weights) out.push_back({w.tiles.data(), w.tiles.bytes()});
  return out;
}

Runnable prepare(const LinearShape& shape, const Bench& bench) {
  const auto d = make_data(shape, bench);
  Runnable out;
  if (shape.heads == 1) {
    out.run = [d, isa = bench.isa, pool = &bench.pool] {
      linear(d->call(), d->workspaces.front(), isa, *pool);
    };
  } else {
    out.run = [d, isa = bench.isa, pool = &bench.pool] {
      batched_linear({.first = d->call(),
                      .weights = d->weights.data(),
                      .heads = d->shape.heads,
                      .x_head_stride = d->shape.k,
                      .y_head_stride = d->shape.n},
                     d->workspaces, isa, *pool);
    };
  }
  out.error = [d] { return error_of(*d); };
  out.cold = cold_regions(d->weights);
  return out;
}

}  // namespace

KernelCase linear_case(std::int64_t rows, std::int64_t n, std::int64_t k, std::int64_t heads) {
  const LinearShape shape{rows, n, k, heads};
  KernelCase out;
  out.id = heads > 1 ? fmt::format("batched_linear/{}x{}x{}/m={}", heads, k, n, rows)
                     : fmt::format("linear/{}x{}/m={}", k, n, rows);
  out.group = heads > 1 ? "batched_linear" : "linear";
  out.family = heads > 1 ? hw::Family::batched_gemm : hw::Family::gemm;
  out.ops = {ops::Gemm{.m = static_cast<double>(rows), .n = n, .k = k, .batch = heads}};
  out.error_bound = kBf16Output;
  out.prepare = [shape](const Bench& bench) { return prepare(shape, bench); };
  if (heads == 1)
    out.baselines = [shape](const Bench& bench) {
      return linear_baselines(shape.rows, shape.n, shape.k, bench);
    };
  return out;
}

}  // namespace fathom::measure
