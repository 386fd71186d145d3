#include <algorithm>
#include <random>

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/ref/block_quant.hpp"
#include "kernels/ref/deepseek_mtp.hpp"
#include "kernels/ref/gqa.hpp"
#include "kernels/ref/linear_attention.hpp"
#include "kernels/ref/v4_transformer.hpp"
#include "ops/op.hpp"

// The counting law: running a reference kernel on a scalar that counts gives exactly the FLOPs and
// the bytes that the operator's cost() says, over random shapes. Bytes are those of the elements
// touched, each once, at the element sizes of the operator.

using namespace fathom;
using namespace fathom::kernels;
using namespace fathom::kernels::ref;

namespace {

using Real = Counted<double>;
constexpr double kElement = 2.0;

double real(std::int64_t n) { return static_cast<double>(n); }

Tensor<Real> random_counted(std::mt19937_64& random, Shape shape) {
  return converted<Real>(samples::random_tensor(random, std::move(shape)));
}

// Forgets that conversion and set-up wrote the elements.
template <class... Tensors>
void fresh(Tensors&... tensors) {
  (forget(tensors), ...);
}

double bytes_read(const Tensor<Real>& x, double element = kElement) {
  return element * real(elements_read(x));
}
double bytes_written(const Tensor<Real>& x, double element = kElement) {
  return element * real(elements_written(x));
}

// Twenty shapes each, the same on every machine.
std::mt19937_64 shapes() {
  return std::mt19937_64{static_cast<std::uint64_t>(GENERATE(range(1, 21)))};
}

}  // namespace

TEST_CASE("a product executes and moves what gemm costs", "[kernels][counting]") {
  auto random = shapes();
  const auto m = samples::between(random, 1, 9);
  const auto n = samples::between(random, 1, 9);
  const auto k = samples::between(random, 1, 9);
  auto x = random_counted(random, {m, k});
  auto w = random_counted(random, {n, k});
  fresh(x, w);
  const CountScope scope;
  const auto y = linear(x, w);
  const auto cost = ops::cost(ops::Gemm{.m = real(m), .n = n, .k = k});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(w) == cost.weight_read.value);
  CHECK(bytes_read(x) == cost.act_read.value);
  CHECK(bytes_written(y) == cost.act_write.value);
}

TEST_CASE("absorption executes and moves what a batched gemm costs", "[kernels][counting]") {
  auto random = shapes();
  const auto layer = samples::random_mla(random, 0);
  const auto& s = layer.spec;
  const auto tokens = samples::between(random, 1, 4);
  auto q = random_counted(random, {tokens, s.heads, s.qk_head_dim()});
  auto o = random_counted(random, {tokens, s.heads, s.kv_lora_rank});
  MlaWeights<Real> w{.wkv_b = converted<Real>(layer.weights.wkv_b)};
  fresh(q, o, w.wkv_b);
  const auto uk = ops::cost(
      ops::Gemm{.m = real(tokens), .n = s.kv_lora_rank, .k = s.qk_nope_head_dim, .batch = s.heads});
  const auto uv = ops::cost(
      ops::Gemm{.m = real(tokens), .n = s.v_head_dim, .k = s.kv_lora_rank, .batch = s.heads});
  {
    const CountScope scope;
    const auto absorbed = mla_absorb_queries(s, w, q);
    CHECK(flops(scope.count()) == uk.flops.value);
    CHECK(bytes_read(w.wkv_b) == uk.weight_read.value);
    // the rope part of the query passes through beside the product
    const double passed = kElement * real(tokens * s.heads * s.qk_rope_head_dim);
    CHECK(bytes_read(q) == uk.act_read.value + passed);
    CHECK(bytes_written(absorbed) == uk.act_write.value + passed);
  }
  fresh(w.wkv_b);
  const CountScope scope;
  const auto values = mla_absorbed_values(s, w, o);
  CHECK(flops(scope.count()) == uv.flops.value);
  CHECK(bytes_read(w.wkv_b) == uv.weight_read.value);
  CHECK(bytes_read(o) == uv.act_read.value);
  CHECK(bytes_written(values) == uv.act_write.value);
}

TEST_CASE("grouped products touch the experts that got rows and no others", "[kernels][counting]") {
  auto random = shapes();
  const auto experts = samples::between(random, 2, 8);
  const auto choices = samples::between(random, 1, std::min<std::int64_t>(experts, 3));
  const auto tokens = samples::between(random, 1, 5);
  const auto n = samples::between(random, 1, 6);
  const auto k = samples::between(random, 1, 6);
  Indices chosen{{tokens, choices}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto first = samples::between(random, 0, experts - 1);
    for (std::int64_t c = 0; c < choices; ++c) chosen[t * choices + c] = (first + c) % experts;
  }
  const Dispatch dispatch = dispatch_by_expert(chosen, experts);
  const auto per_expert = rows_per_expert(dispatch);
  const auto touched = std::ranges::count_if(per_expert, [](std::int64_t r) { return r > 0; });
  auto x = random_counted(random, {tokens, k});
  auto w = random_counted(random, {experts, n, k});
  fresh(x, w);
  auto rows = permute_rows(x, dispatch);
  // a permute moves a token's row once per expert; compulsory is to read it once
  const auto permute = ops::cost(
      ops::Elementwise{.kind = ops::ElementwiseKind::permute,
                       .rows = real(tokens * choices),
                       .read_bytes = kElement * real(k),
                       .write_bytes = kElement * real(k),
                       .repeated_bytes = kElement * real(k) * (1.0 - 1.0 / real(choices))});
  CHECK(bytes_read(x) + bytes_written(rows) == Approx(compulsory(permute).value).epsilon(1e-12));
  fresh(rows);
  const CountScope scope;
  const auto y = grouped_linear<Real>(rows, dispatch.offsets, w);
  const auto cost = ops::cost(ops::GroupedGemm{.rows = real(tokens * choices),
                                               .experts = real(experts),
                                               .touched_experts = real(touched),
                                               .n = n,
                                               .k = k});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(w) == cost.weight_read.value);
  CHECK(bytes_read(rows) == cost.act_read.value);
  CHECK(bytes_written(y) == cost.act_write.value);
}

TEST_CASE("MHA, GQA and MQA with prefix and window cost what they execute", "[kernels][counting]") {
  auto random = shapes();
  const auto kv_heads = samples::between(random, 1, 3);
  const auto heads = kv_heads * samples::between(random, 1, 3);
  const auto qk = samples::between(random, 1, 5);
  const auto v = samples::between(random, 1, 5);
  const auto prefix = samples::between(random, 0, 6);
  const auto tokens = samples::between(random, 1, 5);
  const auto window = samples::between(random, 0, 4);
  auto q = random_counted(random, {tokens, heads, qk});
  auto keys = random_counted(random, {prefix + tokens, kv_heads, qk});
  auto values = random_counted(random, {prefix + tokens, kv_heads, v});
  fresh(q, keys, values);
  const AttentionSpec spec{
      .heads = heads,
      .kv_heads = kv_heads,
      .v_head_dim = v,
      .visible = {.keys = prefix + tokens, .prefix = prefix, .window = window}};
  const CountScope scope;
  const auto trace = attention<Real>(spec, q, head_rows(keys), head_rows(values));
  const double rows = real(prefix + tokens);
  const auto cost = ops::cost(
      ops::Attention{.heads = heads,
                     .kv_heads = kv_heads,
                     .qk_head_dim = qk,
                     .v_head_dim = v,
                     .query_tokens = real(tokens),
                     .kv_tokens = window > 0 ? std::min(rows, real(window + tokens - 1)) : rows,
                     .pairs = ops::capped_pairs(real(tokens), real(prefix), real(window)),
                     .sequences = 1.0});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(q) == cost.act_read.value);
  CHECK(bytes_read(keys) + bytes_read(values) == cost.kv_read.value);
  CHECK(bytes_written(trace.out) == cost.act_write.value);
}

TEST_CASE("absorbed MLA reads a cached row once, whatever the heads", "[kernels][counting]") {
  auto random = shapes();
  const auto heads = samples::between(random, 1, 5);
  const auto rank = samples::between(random, 1, 6);
  const auto rope = samples::between(random, 1, 4);
  const auto prefix = samples::between(random, 0, 6);
  const auto tokens = samples::between(random, 1, 4);
  auto q = random_counted(random, {tokens, heads, rank + rope});
  auto cache = random_counted(random, {prefix + tokens, 1, rank + rope});
  fresh(q, cache);
  const AttentionSpec spec{.heads = heads,
                           .kv_heads = 1,
                           .v_head_dim = rank,
                           .visible = {.keys = prefix + tokens, .prefix = prefix}};
  const auto latents = [&cache, rank](std::int64_t position, std::int64_t) {
    return cache.row(position).first(static_cast<std::size_t>(rank));
  };
  const CountScope scope;
  const auto trace = attention<Real>(spec, q, head_rows(cache), latents);
  const auto cost =
      ops::cost(ops::LatentAttention{.heads = heads,
                                     .qk_dim = rank + rope,
                                     .v_dim = rank,
                                     .query_tokens = real(tokens),
                                     .kv_tokens = real(prefix + tokens),
                                     .pairs = ops::causal_pairs(real(tokens), real(prefix)),
                                     .row_bytes = Bytes{kElement * real(rank + rope)}});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(q) == cost.act_read.value);
  CHECK(bytes_read(cache) == cost.kv_read.value);
  CHECK(cost.repeated == Bytes{});
  CHECK(bytes_written(trace.out) == cost.act_write.value);
}

TEST_CASE(
    "sparse attention works on selected pairs; repeated reads are those beyond the distinct rows",
    "[kernels][counting]") {
  auto random = shapes();
  const auto heads = samples::between(random, 1, 4);
  const auto width = samples::between(random, 1, 6);
  const auto prefix = samples::between(random, 0, 6);
  const auto tokens = samples::between(random, 1, 5);
  const auto topk = samples::between(random, 1, 4);
  const auto keys = prefix + tokens;
  Tensor<double> scores{{tokens, keys}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t s = 0; s < keys; ++s) {
      scores[t * keys + s] = s <= prefix + t ? samples::uniform(random) : -INFINITY;
    }
  }
  const KeySelection selected = select_keys(scores, topk);
  std::int64_t distinct = 0;
  for (std::int64_t s = 0; s < keys; ++s) {
    bool used = false;
    for (std::int64_t t = 0; t < tokens; ++t) used = used || selected.allowed[t * keys + s] != 0;
    distinct += used ? 1 : 0;
  }
  auto q = random_counted(random, {tokens, heads, width});
  auto cache = random_counted(random, {keys, 1, width});
  fresh(q, cache);
  const AttentionSpec spec{
      .heads = heads,
      .kv_heads = 1,
      .v_head_dim = width,
      .visible = {.keys = keys, .prefix = prefix, .allowed = &selected.allowed}};
  const CountScope scope;
  attention<Real>(spec, q, head_rows(cache), head_rows(cache));
  const double pairs = ops::capped_pairs(real(tokens), real(prefix), real(topk));
  const auto cost = ops::cost(ops::LatentAttention{.heads = heads,
                                                   .qk_dim = width,
                                                   .v_dim = width,
                                                   .query_tokens = real(tokens),
                                                   .kv_tokens = pairs,
                                                   .kv_distinct = real(distinct),
                                                   .pairs = pairs,
                                                   .row_bytes = Bytes{kElement * real(width)},
                                                   .sparse = true});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(cache) == (cost.kv_read - cost.repeated).value);
}

TEST_CASE("the lightning indexer costs what it executes", "[kernels][counting]") {
  auto random = shapes();
  const IndexerSpec spec{.heads = samples::between(random, 1, 4),
                         .head_dim = samples::between(random, 1, 6),
                         .topk = 2};
  const auto prefix = samples::between(random, 0, 5);
  const auto tokens = samples::between(random, 1, 4);
  IndexerProjection<Real> p{.q = Tensor<Real>{{tokens, spec.heads, spec.head_dim}}};
  p.queries.elements = random_counted(random, {tokens, spec.heads, spec.head_dim});
  p.weights = random_counted(random, {tokens, spec.heads});
  auto keys = random_counted(random, {prefix + tokens, spec.head_dim});
  fresh(p.queries.elements, keys);
  struct Cache {
    const Tensor<Real>& rows;
    std::int64_t length() const { return rows.dim(0); }
    std::span<const Real> row(std::int64_t i) const { return rows.row(i); }
  };
  const CountScope scope;
  const auto scores = indexer_scores(spec, p, Cache{keys});
  const double work = flops(scope.count());
  const auto written =
      std::ranges::count_if(scores.data, [](const Real& s) { return std::isfinite(s.peek()); });
  const auto cost = ops::cost(ops::Indexer{.heads = spec.heads,
                                           .head_dim = spec.head_dim,
                                           .query_tokens = real(tokens),
                                           .keys = real(prefix + tokens),
                                           .pairs = ops::causal_pairs(real(tokens), real(prefix)),
                                           .key_bytes = Bytes{kElement * real(spec.head_dim)},
                                           .math = Math::bf16});
  CHECK(work == cost.flops.value);
  CHECK(bytes_read(p.queries.elements) == cost.act_read.value);
  CHECK(bytes_read(keys) == cost.kv_read.value);
  CHECK(4.0 * real(written) == cost.act_write.value);  // scores are fp32
}

TEST_CASE("the gated delta rule does seven operations per state element and token",
          "[kernels][counting]") {
  auto random = shapes();
  const auto key_heads = samples::between(random, 1, 3);
  const GatedDeltaSpec spec{.key_heads = key_heads,
                            .value_heads = key_heads * samples::between(random, 1, 2),
                            .key_dim = samples::between(random, 1, 5),
                            .value_dim = samples::between(random, 1, 5)};
  const auto tokens = samples::between(random, 1, 4);
  GatedDeltaTokens<Real> x{.q = random_counted(random, {tokens, key_heads, spec.key_dim}),
                           .k = random_counted(random, {tokens, key_heads, spec.key_dim}),
                           .v = random_counted(random, {tokens, spec.value_heads, spec.value_dim}),
                           .gate = random_counted(random, {tokens, spec.value_heads}),
                           .beta = random_counted(random, {tokens, spec.value_heads})};
  auto state = random_counted(random, {spec.value_heads, spec.value_dim, spec.key_dim});
  fresh(x.q, x.k, x.v, x.gate, x.beta, state);
  const CountScope scope;
  const auto out = gated_delta(spec, x, state);
  const auto cost = ops::cost(ops::LinearAttention{.value_heads = spec.value_heads,
                                                   .key_heads = key_heads,
                                                   .key_dim = spec.key_dim,
                                                   .value_dim = spec.value_dim,
                                                   .tokens = real(tokens),
                                                   .state_passes = 1.0});
  CHECK(flops(scope.count()) == cost.flops.value);
  CHECK(bytes_read(x.q) + bytes_read(x.k) + bytes_read(x.v) + bytes_read(x.beta) +
            bytes_read(x.gate, 4.0) ==
        cost.act_read.value);
  CHECK(bytes_written(out) == cost.act_write.value);
  CHECK(bytes_read(state, 4.0) == cost.kv_read.value);
  CHECK(bytes_written(state, 4.0) == cost.kv_write.value);
}

TEST_CASE("norms and activations move their rows, a norm its weight once, and no FLOPs",
          "[kernels][counting]") {
  auto random = shapes();
  const auto rows = samples::between(random, 1, 5);
  const auto width = samples::between(random, 1, 9);
  auto x = random_counted(random, {rows, width});
  auto weight = random_counted(random, {width});
  fresh(x, weight);
  const CountScope scope;
  const auto normed = rms_norm(x, weight, 1e-6);
  const auto norm = ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::norm,
                                               .rows = real(rows),
                                               .read_bytes = kElement * real(width),
                                               .write_bytes = kElement * real(width),
                                               .weight_bytes = kElement * real(width)});
  CHECK(bytes_read(x) == norm.act_read.value);
  CHECK(bytes_read(weight) == norm.weight_read.value);
  CHECK(bytes_written(normed) == norm.act_write.value);
  auto gate = random_counted(random, {rows, width});
  auto up = random_counted(random, {rows, width});
  fresh(gate, up);
  const auto hidden = swiglu(gate, up, 0.0);
  const auto act = ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::activation,
                                              .rows = real(rows),
                                              .read_bytes = 2.0 * kElement * real(width),
                                              .write_bytes = kElement * real(width)});
  CHECK(bytes_read(gate) + bytes_read(up) == act.act_read.value);
  CHECK(bytes_written(hidden) == act.act_write.value);
  CHECK(flops(scope.count()) == norm.flops.value + act.flops.value);
}

TEST_CASE("an embedding reads the rows of its tokens only", "[kernels][counting]") {
  auto random = shapes();
  const auto vocab = samples::between(random, 4, 9);
  const auto width = samples::between(random, 1, 6);
  auto table = random_counted(random, {vocab, width});
  fresh(table);
  const auto out = embedding(Indices{{2}, {1, 3}}, table);
  const auto cost = ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::embedding,
                                               .rows = 2.0,
                                               .read_bytes = kElement * real(width),
                                               .write_bytes = kElement * real(width)});
  CHECK(bytes_read(table) == cost.act_read.value);
  CHECK(bytes_written(out) == cost.act_write.value);
}

TEST_CASE("a cast reads BF16 rows and writes codes and scales", "[kernels][counting]") {
  auto random = shapes();
  struct Case {
    BlockFormat format;
    Dtype dtype;
    double scale_bytes;
  };
  const auto c =
      GENERATE(Case{kActivationV3, Dtype::fp8_block, 4.0},
               Case{kActivationUe8m0, Dtype::fp8_ue8m0, 1.0}, Case{kMxfp8, Dtype::mxfp8, 1.0},
               Case{kMxfp4, Dtype::mxfp4, 1.0}, Case{kNvfp4, Dtype::nvfp4, 1.0});
  const auto rows = samples::between(random, 1, 3);
  const auto width = 128 * samples::between(random, 1, 3);
  auto x = random_counted(random, {rows, width});
  fresh(x);
  const CountScope scope;
  const Quantised q = quantise(x, c.format);
  const auto cost =
      ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::cast,
                                 .rows = real(rows),
                                 .read_bytes = kElement * real(width),
                                 .write_bytes = row_size_of(c.dtype).value * real(width)});
  CAPTURE(name(c.dtype));
  CHECK(bytes_read(x) == cost.act_read.value);
  CHECK(real(q.codes.size()) * size_of(c.dtype).value + real(q.scales.size()) * c.scale_bytes ==
        cost.act_write.value);
  CHECK(flops(scope.count()) == cost.flops.value);
}

TEST_CASE("an FP8 weight is its codes and one FP32 scale per 128 x 128 block, ragged ones too",
          "[kernels][counting]") {
  auto random = shapes();
  const auto n = samples::between(random, 1, 300);
  const auto k = samples::between(random, 1, 300);
  const Quantised q = quantise(samples::random_tensor(random, {n, k}), kWeight);
  const auto cost = ops::cost(
      ops::Gemm{.m = 1.0, .n = n, .k = k, .weight = Dtype::fp8_block, .input = Dtype::fp8_block});
  CHECK(real(q.codes.size()) + 4.0 * real(q.scales.size()) == cost.weight_read.value);
}

TEST_CASE("a combine reads every expert's row and writes every token's once",
          "[kernels][counting]") {
  auto random = shapes();
  const auto tokens = samples::between(random, 1, 5);
  const auto choices = samples::between(random, 1, 3);
  const auto width = samples::between(random, 1, 6);
  Indices chosen{{tokens, choices}};
  for (std::int64_t i = 0; i < chosen.size(); ++i) chosen[i] = i % choices;
  const Dispatch dispatch = dispatch_by_expert(chosen, choices);
  auto rows = random_counted(random, {tokens * choices, width});
  fresh(rows);
  const auto out = combine_rows(rows, dispatch, tokens);
  const auto cost = ops::cost(
      ops::Elementwise{.kind = ops::ElementwiseKind::permute,
                       .rows = real(tokens * choices),
                       .read_bytes = kElement * real(width),
                       .write_bytes = kElement * real(width),
                       .repeated_bytes = kElement * real(width) * (1.0 - 1.0 / real(choices))});
  CHECK(bytes_read(rows) + bytes_written(out) == Approx(compulsory(cost).value).epsilon(1e-12));
}

TEST_CASE("a rotation rewrites its rows, a residual add reads two and writes one",
          "[kernels][counting]") {
  auto random = shapes();
  const auto rows = samples::between(random, 1, 5);
  const auto width = 2 * samples::between(random, 1, 5);
  auto x = random_counted(random, {rows, width});
  auto residual = random_counted(random, {rows, width});
  const auto tables = rope_tables(plain_inv_freq<Real>(width, 100.0), 0, rows);
  fresh(x, residual);
  for (std::int64_t r = 0; r < rows; ++r) {
    rotate_row<Real>(x.row(r), tables.cos.row(r), tables.sin.row(r), RopeLayout::interleaved);
  }
  const auto rotation = ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::copy,
                                                   .rows = real(rows),
                                                   .read_bytes = kElement * real(width),
                                                   .write_bytes = kElement * real(width)});
  CHECK(bytes_read(x) == rotation.act_read.value);
  CHECK(bytes_written(x) == rotation.act_write.value);
  fresh(x, residual);
  const auto sum = add(x, residual);
  const auto added = ops::cost(ops::Elementwise{.kind = ops::ElementwiseKind::misc,
                                                .rows = real(rows),
                                                .read_bytes = 2.0 * kElement * real(width),
                                                .write_bytes = kElement * real(width)});
  CHECK(bytes_read(x) + bytes_read(residual) == added.act_read.value);
  CHECK(bytes_written(sum) == added.act_write.value);
}

TEST_CASE("new tokens write one latent row each into the cache", "[kernels][counting]") {
  auto random = shapes();
  const auto layer = samples::random_mla(random, 0);
  const auto tokens = samples::between(random, 1, 5);
  const auto p = layer.project(samples::random_tensor(random, {tokens, layer.dim}), 0);
  ContiguousCache<double> cache{layer.spec.latent_row()};
  append_latents(p, cache);
  const auto cost = ops::cost(ops::Elementwise{
      .kind = ops::ElementwiseKind::norm,
      .rows = real(tokens),
      .kv_write_bytes = kElement * real(layer.spec.kv_lora_rank + layer.spec.qk_rope_head_dim)});
  CHECK(kElement * real(cache.size()) == cost.kv_write.value);
}
