#include <fmt/format.h>

#include <algorithm>

#include "kernels/ref/v4_attention.hpp"
#include "kernels/ref/v4_weights.hpp"
#include "verify/replay.hpp"
#include "verify/v4_config.hpp"

namespace fathom::verify {
namespace {

using kernels::Indices;
using kernels::Shape;
using kernels::Tensor;
using namespace kernels::ref;

bool matches_v4_attention(const GoldenCase& golden) {
  return golden.has_input("x_prefill") && golden.has_input("x_decode") &&
         golden.has_weight("attn_sink") && golden.has_weight("wo_a.weight");
}

/// One attention layer and the sequences that pass through it.
template <class T>
struct Layer {
  V4AttentionSpec spec;
  V4AttentionWeights<T> weights;
  std::vector<V4LayerCache<T>> caches;  // one per sequence
};

/// What all sequences of the batch produced in one call, stacked by sequence.
template <class T>
struct BatchStep {
  std::vector<Tensor<T>> out, kv, index_q, index_weights, index_scores;
  std::vector<Indices> rows;
};

/// x [batch, tokens, dim]
template <class T>
BatchStep<T> run(Layer<T>& layer, const Tensor<T>& x, std::int64_t start_pos) {
  BatchStep<T> step;
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    auto& cache = layer.caches.at(static_cast<std::size_t>(b));
    auto result = v4_attention_step(layer.spec, layer.weights, slice_of(x, b), start_pos, cache);
    step.out.push_back(std::move(result.out));
    step.kv.push_back(std::move(result.kv));
    step.rows.push_back(std::move(result.rows));
    step.index_q.push_back(std::move(result.selection.q));
    step.index_weights.push_back(std::move(result.selection.weights));
    step.index_scores.push_back(std::move(result.selection.scores));
  }
  return step;
}

/// `rows` [n, dim] with rows of zeros up to `count`, like the preallocated caches of the source.
template <class T>
Tensor<T> padded(const Tensor<T>& rows, std::int64_t count) {
  Tensor<T> out{Shape{std::max(count, rows.dim(0)), rows.dim(1)}};
  std::ranges::copy(rows.data, out.data.begin());
  return out;
}

/// Applies `part` to every sequence's cache and stacks what it returns.
template <class T, class Part>
Tensor<T> of_caches(const Layer<T>& layer, const Part& part) {
  std::vector<Tensor<T>> parts;
  for (const auto& cache : layer.caches) parts.push_back(part(cache));
  return stacked(parts);
}

/// The source keeps the ring and the compressed entries, up to max_seq_len, in one buffer.
template <class T>
Tensor<T> kv_buffer(const Layer<T>& layer, std::int64_t max_seq_len) {
  const std::int64_t ratio = layer.weights.compress_ratio();
  return of_caches(layer, [&](const V4LayerCache<T>& cache) {
    Tensor<T> buffer = cache.window;
    if (ratio > 0) append_rows(buffer, padded(cache.compressed, max_seq_len / ratio));
    return buffer;
  });
}

template <class T>
void put_prefill(const Layer<T>& layer, const BatchStep<T>& step, Produced<T>& out) {
  out.put("out_prefill", stacked(step.out));
  out.put("topk_idxs_prefill", stacked(step.rows));
  std::vector<Tensor<T>> kv = step.kv;
  for (std::size_t b = 0; b < kv.size(); ++b) append_rows(kv[b], layer.caches[b].compressed);
  out.put("kv_all_prefill", stacked(kv));
  if (!layer.weights.selects()) return;
  out.put("index_score_prefill", stacked(step.index_scores));
  out.put("indexer_q", stacked(step.index_q));
  out.put("indexer_weights", stacked(step.index_weights));
}

template <class T>
void put_states(const Layer<T>& layer, std::int64_t max_seq_len, Produced<T>& out) {
  if (!layer.weights.compresses()) return;
  using Cache = V4LayerCache<T>;
  out.put("compressor_kv_state", of_caches(layer, [](const Cache& c) { return c.compressor.kv; }));
  out.put("compressor_score_state",
          of_caches(layer, [](const Cache& c) { return c.compressor.score; }));
  if (!layer.weights.selects()) return;
  const std::int64_t blocks = max_seq_len / layer.weights.compress_ratio();
  out.put("indexer_kv_cache",
          of_caches(layer, [&](const Cache& c) { return padded(c.index_keys, blocks); }));
}

template <class T>
void put_decode(Layer<T>& layer, const Tensor<T>& x, std::int64_t start_pos, Produced<T>& out) {
  std::vector<Tensor<T>> outputs;
  for (std::int64_t i = 0; i < x.dim(0); ++i) {
    const BatchStep<T> step = run(layer, slice_of(x, i), start_pos + i);
    outputs.push_back(stacked(step.out));
    out.put(fmt::format("topk_idxs_decode.{}", i), stacked(step.rows));
    if (layer.weights.selects()) {
      out.put(fmt::format("index_score_decode.{}", i), stacked(step.index_scores));
    }
  }
  if (!outputs.empty()) out.put("out_decode", stacked(outputs));
}

template <class T>
void replay_v4_attention(const GoldenCase& golden, Produced<T>& out) {
  JsonReader config = golden.config_reader();
  const std::int64_t max_seq_len = config.integer("max_seq_len", 1, std::int64_t{1} << 20);
  Layer<T> layer{.weights = v4_attention_weights(golden.weights<T>())};
  layer.spec = v4_attention_spec(config, layer.weights.compresses());
  const Tensor<T> prompt = golden.input<T>("x_prefill");
  const Tensor<T> decode = golden.input<T>("x_decode");
  const std::int64_t length = prompt.dim(1);
  layer.caches.resize(static_cast<std::size_t>(prompt.dim(0)));

  const auto tables = rope_tables<T>(inv_freq<T>(layer.spec.rope), 0, length + decode.dim(0));
  out.put("freqs_cos", tables.cos);
  out.put("freqs_sin", tables.sin);
  put_prefill(layer, run(layer, prompt, 0), out);
  out.put("kv_cache_after_prefill", kv_buffer(layer, max_seq_len));
  put_decode(layer, decode, length, out);
  out.put("kv_cache_after_decode", kv_buffer(layer, max_seq_len));
  put_states(layer, max_seq_len, out);
}

}  // namespace

extern const Family kV4Attention;
const Family kV4Attention{"v4_attention", matches_v4_attention, replay_v4_attention<float>,
                          replay_v4_attention<double>};

}  // namespace fathom::verify
