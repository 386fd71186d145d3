#include "kernels/ref/v4_transformer.hpp"

#include "catch.hpp"
#include "v4_samples.hpp"

namespace fathom::kernels::ref {
namespace {

using test::max_difference;
using test::random_tensor;
using test::random_weight;
using test::some_rows;
using test::V4Kind;

constexpr std::int64_t kVocab = 11;
constexpr std::int64_t kExperts = 4;
constexpr std::int64_t kWidth = 5;  // moe_inter_dim
constexpr std::int64_t kStreams = 3;

HyperConnectionWeights<double> random_mixing(std::int64_t outputs, std::int64_t dim,
                                             std::uint64_t seed) {
  return {.fn = random_weight(outputs, kStreams * dim, seed),
          .base = random_tensor({outputs}, seed + 1),
          .scale = random_tensor({3}, seed + 2)};
}

V4Layer<double> random_layer(const V4Kind& kind, std::uint64_t seed) {
  const test::V4Sample sample = test::random_v4(kind, seed);
  const std::int64_t dim = sample.dim;
  const std::int64_t mixes = kStreams * (kStreams + 2);
  seed *= 1000;
  return {.attention = sample.spec,
          .attn = sample.weights,
          .hc_attn = random_mixing(mixes, dim, seed + 100),
          .attn_norm = random_tensor({dim}, seed + 110),
          .ffn = {.gate = random_weight(kExperts, dim, seed + 120),
                  .gate_bias = random_tensor({kExperts}, seed + 121),
                  .experts = {random_tensor({kExperts, kWidth, dim}, seed + 122),
                              random_tensor({kExperts, dim, kWidth}, seed + 123),
                              random_tensor({kExperts, kWidth, dim}, seed + 124)},
                  .shared = {random_weight(kWidth, dim, seed + 125),
                             random_weight(dim, kWidth, seed + 126),
                             random_weight(kWidth, dim, seed + 127)}},
          .hc_ffn = random_mixing(mixes, dim, seed + 130),
          .ffn_norm = random_tensor({dim}, seed + 140)};
}

// A hash-routed layer with long blocks, a CSA layer, a window-only layer, and one MTP module.
V4Model<double> random_model() {
  V4Model<double> model;
  model.layers = {random_layer({.ratio = 6}, 31),
                  random_layer({.ratio = 4, .overlap = true, .select = true}, 32),
                  random_layer({}, 33)};
  model.spec = {.attention = model.layers[0].attention,
                .hc = {.hc_mult = kStreams},
                .moe = {.gate = {.num_experts_per_tok = 2,
                                 .score = ScoreFunction::sqrt_softplus,
                                 .routed_scaling_factor = 1.5},
                        .swiglu_limit = 10.0,
                        .weight_at = WeightAt::hidden}};
  Indices& table = model.layers[0].tid2eid;
  table = Indices{{kVocab, 2}};
  for (std::int64_t id = 0; id < kVocab; ++id) {
    table[2 * id] = id % kExperts;
    table[2 * id + 1] = (id + 1) % kExperts;
  }
  const std::int64_t dim = model.layers[0].attn_norm.size();
  model.embed = random_tensor({kVocab, dim}, 40);
  model.lm_head = random_weight(kVocab, dim, 41);
  model.head = {random_mixing(kStreams, dim, 42), random_tensor({dim}, 45)};
  model.mtp.push_back({.enorm = random_tensor({dim}, 50),
                       .hnorm = random_tensor({dim}, 51),
                       .e_proj = random_weight(dim, dim, 52),
                       .h_proj = random_weight(dim, dim, 53),
                       .block = random_layer({}, 34),
                       .head = {random_mixing(kStreams, dim, 54), random_tensor({dim}, 57)}});
  return model;
}

Indices ids_of(std::int64_t count) {
  Indices ids{{count}};
  for (std::int64_t i = 0; i < count; ++i) ids[i] = (i * i + 3) % kVocab;
  return ids;
}

TEST_CASE("a model run on a prompt gives what it gives token by token",
          "[kernels][v4_transformer]") {
  const auto model = random_model();
  const std::int64_t tokens = 15;
  const Indices ids = ids_of(tokens);
  std::vector<V4LayerCache<double>> caches(3);
  const auto streams = v4_forward(model, {ids, 0}, caches).streams;
  const auto logits = v4_logits(model, model.head, streams);
  REQUIRE(logits.shape == Shape{tokens, kVocab});
  std::vector<V4LayerCache<double>> fresh(3);
  V4LayerCache<double> whole_mtp;
  V4LayerCache<double> mtp;
  const auto drafts = v4_mtp(model, model.mtp[0], {ids, 0}, streams, whole_mtp);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const Indices id{{1}, {ids[t]}};
    const auto step = v4_forward(model, {id, t}, fresh).streams;
    CAPTURE(t);
    CHECK(max_difference(v4_logits(model, model.head, step), some_rows(logits, t, 1)) < 1e-11);
    CHECK(max_difference(v4_mtp(model, model.mtp[0], {id, t}, step, mtp), some_rows(drafts, t, 1)) <
          1e-11);
  }
}

TEST_CASE("hash layers choose experts by token, learned layers by hidden state",
          "[kernels][v4_transformer]") {
  const auto model = random_model();
  const Indices ids = ids_of(12);
  std::vector<V4LayerCache<double>> caches(3);
  const auto trace = v4_forward(model, {ids, 0}, caches);
  bool differs = false;
  for (std::int64_t t = 0; t < ids.size(); ++t) {
    CHECK(trace.layers[0].gate.indices[2 * t] == ids[t] % kExperts);
    CHECK(trace.layers[0].gate.indices[2 * t + 1] == (ids[t] + 1) % kExperts);
    differs = differs || trace.layers[1].gate.indices[2 * t] != ids[t] % kExperts;
  }
  CHECK(differs);
}

TEST_CASE("the streams of a token start equal and the first layer parts them",
          "[kernels][v4_transformer]") {
  const auto model = random_model();
  const Indices ids = ids_of(2);
  const auto start = repeated(embedding(ids, model.embed), kStreams);
  for (std::int64_t r = 0; r < start.rows(); ++r) {
    CHECK(std::ranges::equal(start.row(r), model.embed.row(ids[r / kStreams])));
  }
  std::vector<V4LayerCache<double>> caches(3);
  const auto out = v4_forward(model, {ids, 0}, caches).layers[0].out;
  CHECK_FALSE(std::ranges::equal(out.row(0), out.row(1)));
}

TEST_CASE("an MTP module adds what it projects from streams and from the next token",
          "[kernels][v4_transformer]") {
  const auto model = random_model();
  const std::int64_t dim = model.embed.dim(1);
  const Indices ids = ids_of(6);
  Indices others = ids;
  for (auto& id : others.data) id = (id + 1) % kVocab;
  const auto streams = random_tensor({6, kStreams, dim}, 60);
  const auto other_streams = random_tensor({6, kStreams, dim}, 61);
  const auto run = [&](const V4Mtp<double>& mtp, const Indices& next, const Tensor<double>& x) {
    V4LayerCache<double> cache;
    return v4_mtp(model, mtp, {next, 0}, x, cache);
  };
  V4Mtp<double> deaf = model.mtp[0];  // to the streams
  std::ranges::fill(deaf.h_proj.data, 0.0);
  CHECK(run(deaf, ids, streams) == run(deaf, ids, other_streams));
  CHECK(run(deaf, ids, streams) != run(deaf, others, streams));
  V4Mtp<double> blind = model.mtp[0];  // to the next token
  std::ranges::fill(blind.e_proj.data, 0.0);
  CHECK(run(blind, ids, streams) == run(blind, others, streams));
  CHECK(run(blind, ids, streams) != run(blind, ids, other_streams));
}

TEST_CASE("a model is read from a checkpoint's names", "[kernels][v4_transformer]") {
  NamedTensors<double> named{{"embed.weight", random_tensor({kVocab, 4}, 70)},
                             {"hc_head_fn", random_tensor({kStreams, 12}, 71)},
                             {"layers.1.attn.compressor.ape", random_tensor({8, 5}, 72)},
                             {"layers.1.hc_ffn_base", random_tensor({15}, 73)},
                             {"mtp.0.h_proj.weight", random_tensor({4, 4}, 74)}};
  const V4ModelSpec spec{
      .rope = {.rope_head_dim = 2, .original_seq_len = 4096}, .n_layers = 2, .n_mtp_layers = 1};
  const auto model = v4_model(spec, named, {{"layers.0.ffn.gate.tid2eid", Indices{{kVocab, 2}}}});
  CHECK(model.embed == named["embed.weight"]);
  CHECK(model.head.hc.fn == named["hc_head_fn"]);
  CHECK(model.layers.at(1).hc_ffn.base == named["layers.1.hc_ffn_base"]);
  CHECK(model.layers[1].attn.compress_ratio() == 8);
  CHECK(model.layers[1].attention.rope.theta == spec.rope.compress_rope_theta);
  CHECK(model.layers[0].attention.rope.theta == spec.rope.rope_theta);
  CHECK_FALSE(model.layers[0].tid2eid.empty());
  CHECK(model.layers[1].tid2eid.empty());
  CHECK(model.mtp.at(0).h_proj == named["mtp.0.h_proj.weight"]);
}

// Adds up what all labelled operators did.
struct Total final : OpListener {
  std::int64_t multiply_adds = 0;
  void operator_ran(std::string_view, const Tally& work) override {
    multiply_adds += work.multiply_adds;
  }
};

TEST_CASE("every multiply-add of a layer belongs to a named operator",
          "[kernels][v4_transformer]") {
  using C = Counted<double>;
  const test::V4Sample sample = test::random_v4({.ratio = 4, .overlap = true, .select = true}, 80);
  const auto compressor = [](const CompressorWeights<double>& w) {
    return CompressorWeights<C>{converted<C>(w.wkv), converted<C>(w.wgate), converted<C>(w.ape),
                                converted<C>(w.norm_weight)};
  };
  const auto& w = sample.weights;
  const V4AttentionWeights<C> weights{
      .wq_a = converted<C>(w.wq_a),
      .q_norm = converted<C>(w.q_norm),
      .wq_b = converted<C>(w.wq_b),
      .wkv = converted<C>(w.wkv),
      .kv_norm = converted<C>(w.kv_norm),
      .attn_sink = converted<C>(w.attn_sink),
      .wo_a = converted<C>(w.wo_a),
      .wo_b = converted<C>(w.wo_b),
      .compressor = compressor(w.compressor),
      .indexer = {converted<C>(w.indexer.wq_b), converted<C>(w.indexer.weights_proj),
                  compressor(w.indexer.compressor)}};
  Total total;
  listener = &total;
  const CountScope scope;
  V4LayerCache<C> cache;
  v4_attention(sample.spec, weights, converted<C>(random_tensor({9, sample.dim}, 81)), 0, cache);
  listener = nullptr;
  CHECK(total.multiply_adds > 0);
  CHECK(total.multiply_adds == scope.count().multiply_adds);
}

}  // namespace
}  // namespace fathom::kernels::ref
