#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "kernels/cpu/elementwise.hpp"
#include "kernels/cpu/router.hpp"
#include "measure/cases.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"

// Pointwise kernels: hot, as in a layer, where their operands come from the kernel before them.
namespace fathom::measure {
namespace {

using kernels::cpu::Bf16;
using kernels::cpu::Buffer;
using namespace kernels::cpu;

constexpr double kFp32Math = 1e-5;  // no rounding to bf16 on the way out

struct RowData {
  std::int64_t rows = 0;
  std::int64_t width = 0;
  Buffer<float> in;
  Buffer<float> second;  // weight, residual or the other factor
  Buffer<float> third;
  Buffer<Bf16> out;
};

std::shared_ptr<RowData> rows_of(std::int64_t rows, std::int64_t width, const Bench& bench) {
  auto d = std::make_shared<RowData>();
  d->rows = rows;
  d->width = width;
  d->in = Buffer<float>{rows * width};
  d->out = Buffer<Bf16>{rows * width};
  fill_random(d->in.span(), 2.0F, bench.seed);
  for (Bf16& value : d->out.span()) value = to_bf16(std::numeric_limits<float>::quiet_NaN());
  return d;
}

double number(float value) { return static_cast<double>(value); }

double norm_error(const RowData& d) {
  SampledError error;
  for (const std::int64_t row : spread(d.rows, 8)) {
    const float* x = d.in.data() + row * d.width;
    double squares = 0.0;
    for (std::int64_t i = 0; i < d.width; ++i) squares += number(x[i]) * number(x[i]);
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(d.width) + 1e-6);
    for (std::int64_t i = 0; i < d.width; ++i)
      error.add(number(to_float(d.out[row * d.width + i])),
                number(x[i]) * scale * number(d.second[i]));
  }
  return error.value();
}

double activation_error(const RowData& d) {
  SampledError error;
  for (const std::int64_t i : spread(d.rows * d.width, 4096)) {
    const double gate = number(d.in[i]);
    error.add(number(to_float(d.out[i])), gate / (1.0 + std::exp(-gate)) * number(d.second[i]));
  }
  return error.value();
}

// Without groups and bias the choices are the largest logits, best first, and their weights the
// sigmoids over their sum.
void add_choices(std::span<const float> logits, std::span<const std::int32_t> chosen,
                 const float* weights, SampledError& error) {
  std::vector<float> sorted(logits.begin(), logits.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>{});
  const auto sigmoid = [](float x) { return 1.0 / (1.0 + std::exp(-number(x))); };
  double sum = 0.0;
  for (std::size_t i = 0; i < chosen.size(); ++i) sum += sigmoid(sorted[i]);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const bool written = chosen[i] >= 0;
    error.add(written ? number(logits[static_cast<std::size_t>(chosen[i])]) : std::nan(""),
              number(sorted[i]));
    error.add(number(weights[i]), sigmoid(sorted[i]) / sum);
  }
}

ops::Elementwise rowwise(ops::ElementwiseKind kind, std::int64_t rows, double read, double write) {
  return {
      .kind = kind, .rows = static_cast<double>(rows), .read_bytes = read, .write_bytes = write};
}

KernelCase named(std::string id, hw::Family family, const ops::Op& op, double bound) {
  KernelCase out;
  out.group = id.substr(0, id.find('/'));
  out.id = std::move(id);
  out.family = family;
  out.ops = {op};
  out.error_bound = bound;
  return out;
}

}  // namespace

KernelCase norm_case(std::int64_t rows, std::int64_t width) {
  const double bytes = 2.0 * static_cast<double>(width);
  ops::Elementwise op = rowwise(ops::ElementwiseKind::norm, rows, bytes, bytes);
  op.weight_bytes = bytes;
  KernelCase out =
      named(fmt::format("norm/{}/m={}", width, rows), hw::Family::norm, op, kBf16Output);
  out.prepare = [rows, width](const Bench& bench) {
    const auto d = rows_of(rows, width, bench);
    d->second = Buffer<float>{width};
    fill_random(d->second.span(), 1.0F, bench.seed + 1);
    return Runnable{.run =
                        [d, isa = bench.isa, pool = &bench.pool] {
                          rms_norm({.x = d->in.data(),
                                    .rows = d->rows,
                                    .width = d->width,
                                    .x_stride = d->width,
                                    .weight = d->second.data(),
                                    .y = d->out.data(),
                                    .y_stride = d->width},
                                   isa, *pool);
                        },
                    .error = [d] { return norm_error(*d); },
                    .cold = {}};
  };
  return out;
}

KernelCase activation_case(std::int64_t rows, std::int64_t width) {
  const auto w = static_cast<double>(width);
  KernelCase out =
      named(fmt::format("activation/{}/m={}", width, rows), hw::Family::activation,
            rowwise(ops::ElementwiseKind::activation, rows, 4.0 * w, 2.0 * w), kBf16Output);
  out.prepare = [rows, width](const Bench& bench) {
    const auto d = rows_of(rows, width, bench);
    d->second = Buffer<float>{rows * width};
    fill_random(d->second.span(), 1.0F, bench.seed + 1);
    return Runnable{.run =
                        [d, isa = bench.isa, pool = &bench.pool] {
                          swiglu({.gate = d->in.data(),
                                  .up = d->second.data(),
                                  .rows = d->rows,
                                  .width = d->width,
                                  .in_stride = d->width,
                                  .y = d->out.data(),
                                  .y_stride = d->width},
                                 isa, *pool);
                        },
                    .error = [d] { return activation_error(*d); },
                    .cold = {}};
  };
  return out;
}

KernelCase rope_case(std::int64_t tokens, std::int64_t heads, std::int64_t dim) {
  const double bytes = 2.0 * static_cast<double>(heads * dim);
  KernelCase out = named(fmt::format("rope/{}x{}/m={}", heads, dim, tokens), hw::Family::copy,
                         rowwise(ops::ElementwiseKind::copy, tokens, bytes, bytes), kBf16Output);
  out.prepare = [tokens, heads, dim](const Bench& bench) {
    // A turn by 90 degrees each time: after four calls everything is where it was, and one call
    // is exact up to the sign.
    struct Data {
      Buffer<Bf16> x, before;
      Buffer<float> cos, sin;
    };
    const auto d = std::make_shared<Data>();
    d->x = Buffer<Bf16>{tokens * heads * dim};
    d->before = Buffer<Bf16>{tokens * heads * dim};
    d->cos = Buffer<float>{tokens * dim / 2};
    d->sin = Buffer<float>{tokens * dim / 2};
    fill_random(d->x.span(), 1.0F, bench.seed);
    std::copy(d->x.span().begin(), d->x.span().end(), d->before.span().begin());
    std::fill(d->sin.span().begin(), d->sin.span().end(), 1.0F);
    const auto run = [d, tokens, heads, dim, isa = bench.isa, pool = &bench.pool] {
      rope({.x = d->x.data(),
            .tokens = tokens,
            .heads = heads,
            .token_stride = heads * dim,
            .head_stride = dim,
            .dim = dim,
            .cos = d->cos.data(),
            .sin = d->sin.data()},
           isa, *pool);
    };
    const auto error = [d] {
      SampledError sum;
      for (std::int64_t i = 0; i + 1 < d->x.size(); i += 2) {
        sum.add(number(to_float(d->x[i])), -number(to_float(d->before[i + 1])));
        sum.add(number(to_float(d->x[i + 1])), number(to_float(d->before[i])));
      }
      return sum.value();
    };
    return Runnable{.run = run, .error = error, .cold = {}};
  };
  return out;
}

KernelCase quantise_case(std::int64_t rows, std::int64_t width) {
  const auto w = static_cast<double>(width);
  // An e4m3 value has 3 bits behind the point: half a unit is 2^-4 of it at most.
  constexpr double kFp8Rounding = 0x1p-4;
  KernelCase out = named(fmt::format("quantise_fp8/{}/m={}", width, rows), hw::Family::cast,
                         rowwise(ops::ElementwiseKind::cast, rows, 2.0 * w,
                                 w + 4.0 * w / static_cast<double>(kFp8Block)),
                         kFp8Rounding);
  out.prepare = [rows, width](const Bench& bench) {
    struct Data {
      std::shared_ptr<RowData> rows;
      Buffer<std::uint8_t> codes;
      Buffer<float> scales;
      Buffer<float> back;
    };
    const auto d = std::make_shared<Data>();
    d->rows = rows_of(rows, width, bench);
    d->codes = Buffer<std::uint8_t>{rows * width};
    d->scales = Buffer<float>{rows * ((width + kFp8Block - 1) / kFp8Block)};
    d->back = Buffer<float>{rows * width};
    for (float& scale : d->scales.span()) scale = std::numeric_limits<float>::quiet_NaN();
    const Fp8Call call{.x = d->rows->in.data(),
                       .rows = rows,
                       .width = width,
                       .codes = d->codes.data(),
                       .scales = d->scales.data()};
    return Runnable{
        .run = [d, call, isa = bench.isa, pool = &bench.pool] { quantise_fp8(call, isa, *pool); },
        .error =
            [d, call, isa = bench.isa, pool = &bench.pool] {
              dequantise_fp8(call, d->back.data(), isa, *pool);
              SampledError error;
              for (std::int64_t i = 0; i < d->back.size(); ++i)
                error.add(number(d->back[i]), number(d->rows->in[i]));
              return error.value();
            },
        .cold = {}};
  };
  return out;
}

KernelCase router_case(std::int64_t tokens, std::int64_t experts, std::int64_t choices) {
  const double bytes = 4.0 * static_cast<double>(experts);
  ops::Elementwise op = rowwise(ops::ElementwiseKind::misc, tokens, bytes, bytes);
  op.kernels = 4;  // as model/blocks/ffn.cpp counts them; one kernel here
  KernelCase out = named(fmt::format("router/{}of{}/m={}", choices, experts, tokens),
                         hw::Family::misc, op, kFp32Math);
  out.prepare = [tokens, experts, choices](const Bench& bench) {
    struct Data {
      Buffer<float> logits;
      PackedLinear shape;
      std::vector<std::int32_t> indices;
      std::vector<float> weights;
      RouterWorkspace workspace;
    };
    const auto d = std::make_shared<Data>();
    d->logits = Buffer<float>{tokens * experts};
    fill_random(d->logits.span(), 4.0F, bench.seed);
    d->shape.n = experts;
    d->indices.assign(static_cast<std::size_t>(tokens * choices), -1);
    d->weights.assign(d->indices.size(), std::numeric_limits<float>::quiet_NaN());
    d->workspace = RouterWorkspace{bench.pool.size()};
    const auto run = [d, tokens, choices, pool = &bench.pool] {
      RouterCall call{.tokens = tokens,
                      .weight = &d->shape,
                      .indices = d->indices.data(),
                      .weights = d->weights.data()};
      call.spec.num_experts_per_tok = choices;
      route_logits(call, d->logits.data(), d->workspace, *pool);
    };
    const auto error = [d, tokens, experts, choices] {
      SampledError sum;
      for (const std::int64_t t : spread(tokens, 64))
        add_choices({d->logits.data() + t * experts, static_cast<std::size_t>(experts)},
                    {d->indices.data() + t * choices, static_cast<std::size_t>(choices)},
                    d->weights.data() + t * choices, sum);
      return sum.value();
    };
    return Runnable{.run = run, .error = error, .cold = {}};
  };
  return out;
}

KernelCase embedding_case(std::int64_t tokens, std::int64_t width) {
  constexpr std::int64_t kVocab = 8192;  // of the table that rows are taken from, everywhere in it
  const double bytes = 2.0 * static_cast<double>(width);
  KernelCase out = named(fmt::format("embedding/{}/m={}", width, tokens), hw::Family::embedding,
                         rowwise(ops::ElementwiseKind::embedding, tokens, bytes, bytes), kFp32Math);
  out.prepare = [tokens, width](const Bench& bench) {
    struct Data {
      Buffer<Bf16> table;
      std::vector<std::int32_t> ids;
      Buffer<float> y;
    };
    const auto d = std::make_shared<Data>();
    d->table = Buffer<Bf16>{kVocab * width};
    fill_random(d->table.span(), 1.0F, bench.seed);
    for (std::int64_t t = 0; t < tokens; ++t)
      d->ids.push_back(static_cast<std::int32_t>((t * 4099 + 17) % kVocab));
    d->y = Buffer<float>{tokens * width};
    for (float& value : d->y.span()) value = std::numeric_limits<float>::quiet_NaN();
    const auto run = [d, tokens, width, isa = bench.isa, pool = &bench.pool] {
      embedding({.table = d->table.data(),
                 .width = width,
                 .ids = d->ids.data(),
                 .tokens = tokens,
                 .y = d->y.data()},
                isa, *pool);
    };
    const auto error = [d, width] {
      SampledError sum;
      for (std::size_t t = 0; t < d->ids.size(); ++t)
        for (const std::int64_t i : spread(width, 16))
          sum.add(number(d->y[static_cast<std::int64_t>(t) * width + i]),
                  number(to_float(d->table[d->ids[t] * width + i])));
      return sum.value();
    };
    Runnable out_run{.run = run, .error = error, .cold = {}};
    out_run.cold.push_back({d->table.data(), d->table.bytes()});
    return out_run;
  };
  return out;
}

}  // namespace fathom::measure
