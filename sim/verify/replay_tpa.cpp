#include <string>
#include <vector>

#include "kernels/ref/contiguous_cache.hpp"
#include "kernels/ref/fp8.hpp"
#include "kernels/ref/gqa.hpp"
#include "kernels/ref/rope_frequencies.hpp"
#include "kernels/ref/tpa_attention.hpp"
#include "verify/mla_config.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;

// The variants of tensorgi/TPA: cosines and sines rounded to bfloat16, as its Rotary does, or not.
constexpr std::string_view kRounded = ".bf16cos.";
constexpr std::string_view kExact = ".fp32cos.";

bool matches_tpa(const GoldenCase& golden) {
  return golden.has_weight("t6.c_qkv.W_A_k.weight") ||
         golden.has_weight("kvonly.c_qkv.W_A_k.weight") || golden.has_weight("gqa.c_k.weight");
}

/// Sizes that all layers of a case share.
struct Sizes {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t rank = 0;
  std::int64_t q_rank = 0;
  double theta = 10000.0;
  double softmax_scale = 1.0;
};

Sizes read_sizes(JsonReader in) {
  Sizes s{.heads = in.integer("n_head", 1), .head_dim = in.integer("head_dim", 1)};
  s.rank = in.integer_or("rank", 0);
  s.q_rank = in.integer_or("q_rank", 0);
  s.theta = in.number_or("rope_theta", 10000.0, 1.0, 1e12);  // default of Rotary
  s.softmax_scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
  return s;
}

template <class T>
ref::RopeTables<T> tables_of(const Sizes& sizes, std::int64_t tokens, bool rounded) {
  const auto frequencies = ref::inv_freq<T>({.dim = sizes.head_dim, .theta = sizes.theta});
  auto tables = ref::rope_tables<T>(frequencies, 0, tokens);
  if (!rounded) return tables;
  for (T& v : tables.cos.data) v = ref::round_bf16(v);
  for (T& v : tables.sin.data) v = ref::round_bf16(v);
  return tables;
}

/// One sequence through a TPA layer.
template <class T>
struct TpaRun {
  ref::TpaProjection<T> projection;
  ref::TpaTrace<T> trace;
};

template <class T>
std::vector<TpaRun<T>> run_tpa(const ref::TpaSpec& spec, const ref::TpaWeights<T>& w,
                               const Tensor<T>& x, const ref::RopeTables<T>& tables) {
  std::vector<TpaRun<T>> runs;
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    ref::ContiguousCache<T> cache{spec.factor_row()};
    TpaRun<T> run{.projection = ref::tpa_project(spec, w, slice_of(x, b), tables)};
    run.trace = ref::tpa_step(spec, w, run.projection, cache);
    runs.push_back(std::move(run));
  }
  return runs;
}

/// Factors of the whole batch, batch and tokens in one dimension as the source returns them.
template <class T>
Tensor<T> merged(Tensor<T> x) {
  Shape shape(x.shape.begin() + 1, x.shape.end());
  shape.front() *= x.dim(0);
  return std::move(x).reshaped(shape);
}

template <class T>
void put_tpa(const std::string& prefix, const std::vector<TpaRun<T>>& runs, Produced<T>& out) {
  const auto over_batch = [&](const auto& of) {
    return stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b]); });
  };
  out.put(prefix + "out", over_batch([](const auto& run) { return run.trace.out; }));
  out.put(prefix + "q", over_batch([](const auto& run) { return run.projection.q; }));
  out.put(prefix + "k", over_batch([](const auto& run) { return run.trace.kv.keys; }));
  out.put(prefix + "v", over_batch([](const auto& run) { return run.trace.kv.values; }));
  const auto put_factors = [&](const std::string& name, const auto& of) {
    const auto a = [&](const auto& run) { return of(run.projection).a; };
    const auto b = [&](const auto& run) { return of(run.projection).b; };
    out.put(prefix + "A_" + name, merged(over_batch(a)));
    out.put(prefix + "B_" + name, merged(over_batch(b)));
  };
  put_factors("k", [](const auto& p) { return p.k; });
  put_factors("v", [](const auto& p) { return p.v; });
  if (runs.front().projection.q_factors.a.empty()) return;
  put_factors("q", [](const auto& p) { return p.q_factors; });
}

template <class T>
void replay_factored(const GoldenCase& golden, const std::string& layer, Produced<T>& out) {
  const Sizes sizes = read_sizes(golden.config_reader());
  const Tensor<T> x = golden.input<T>("x");
  const auto w = ref::tpa_weights<T>(golden.weights<T>(layer + "."));
  const ref::TpaSpec spec{.heads = sizes.heads,
                          .head_dim = sizes.head_dim,
                          .q_rank = w.wq.empty() ? sizes.q_rank : 0,
                          .k_rank = sizes.rank,
                          .v_rank = sizes.rank,
                          .softmax_scale = sizes.softmax_scale};
  for (const std::string_view variant : {kRounded, kExact}) {
    const auto tables = tables_of<T>(sizes, x.dim(1), variant == kRounded);
    put_tpa(layer + std::string{variant}, run_tpa(spec, w, x, tables), out);
  }
}

/// [tokens, heads, dim] -> [heads of q, tokens, dim], KV heads repeated for their group.
template <class T>
Tensor<T> by_head(const Tensor<T>& x, std::int64_t heads) {
  const std::int64_t group = heads / x.dim(1);
  Tensor<T> out{{heads, x.dim(0), x.dim(2)}};
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    const auto from = x.row(r % x.dim(0) * x.dim(1) + r / x.dim(0) / group);
    std::ranges::copy(from, out.row(r).begin());
  }
  return out;
}

template <class T>
void replay_gqa(const GoldenCase& golden, Produced<T>& out) {
  const Sizes sizes = read_sizes(golden.config_reader());
  const Tensor<T> x = golden.input<T>("x");
  const ref::GqaWeights<T> w{.wq = golden.weight<T>("gqa.c_q.weight"),
                             .wk = golden.weight<T>("gqa.c_k.weight"),
                             .wv = golden.weight<T>("gqa.c_v.weight"),
                             .wo = golden.weight<T>("gqa.c_proj.weight")};
  const ref::GqaSpec spec{.heads = sizes.heads,
                          .kv_heads = w.wk.dim(0) / sizes.head_dim,
                          .head_dim = sizes.head_dim,
                          .softmax_scale = sizes.softmax_scale,
                          .rope = ref::RopeLayout::half_negative};
  for (const std::string_view variant : {kRounded, kExact}) {
    const auto tables = tables_of<T>(sizes, x.dim(1), variant == kRounded);
    std::vector<ref::GqaTrace<T>> runs;
    for (std::int64_t b = 0; b < x.dim(0); ++b) {
      ref::ContiguousCache<T> cache{2 * spec.kv_heads * spec.head_dim};
      runs.push_back(
          ref::gqa_step(spec, w, ref::gqa_project(spec, w, slice_of(x, b), tables), cache));
    }
    const auto put = [&](const std::string& name, const auto& of) {
      out.put("gqa" + std::string{variant} + name,
              stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b]); }));
    };
    put("out", [](const auto& run) { return run.out; });
    put("q", [&](const auto& run) { return by_head(run.projection.q, sizes.heads); });
    put("k", [&](const auto& run) { return by_head(run.projection.k, sizes.heads); });
    put("v", [&](const auto& run) { return by_head(run.projection.v, sizes.heads); });
  }
}

template <class T>
void replay_tpa(const GoldenCase& golden, Produced<T>& out) {
  for (const std::string layer : {"t6", "kvonly"}) {
    if (golden.has_weight(layer + ".c_proj.weight")) replay_factored<T>(golden, layer, out);
  }
  if (golden.has_weight("gqa.c_proj.weight")) replay_gqa<T>(golden, out);
}

}  // namespace

extern const Family kTpa;
const Family kTpa{"tpa", matches_tpa, replay_tpa<float>, replay_tpa<double>};

}  // namespace fathom::verify
