#include <string>
#include <vector>

#include "kernels/ref/index_select.hpp"
#include "kernels/ref/mla_attention.hpp"
#include "verify/mla_config.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;

bool matches_dsa(const GoldenCase& golden) {
  return golden.has_weight("wkv_a.weight") && golden.has_weight("indexer.wk.weight") &&
         golden.has_weight("indexer.weights_proj.weight") && golden.has_input("x_prefill");
}

template <class T>
struct Layer {
  ref::MlaSpec mla;
  ref::MlaWeights<T> mla_weights;
  ref::IndexerSpec indexer;
  ref::IndexerWeights<T> indexer_weights;
  Tensor<T> frequencies;
};

ref::IndexerSpec read_indexer(JsonReader& in) {
  ref::IndexerSpec spec{.heads = in.integer("index_n_heads", 1),
                        .head_dim = in.integer("index_head_dim", 1),
                        .topk = in.integer("index_topk", 1)};
  if (in.boolean_or("indexer_fp8", false)) {
    // a named scale format means scales that are powers of two (inference/kernel.py, act_quant)
    spec.format = in.has("scale_fmt") ? ref::kActivationUe8m0 : ref::kActivationV32;
  }
  return spec;
}

template <class T>
Layer<T> read_layer(const GoldenCase& golden) {
  JsonReader config = golden.config_reader();
  const ref::RopeSpec rope = read_deepseek_rope(config);
  return {.mla = read_mla(config, rope),
          .mla_weights = ref::mla_weights<T>(golden.weights<T>()),
          .indexer = read_indexer(config),
          .indexer_weights = ref::indexer_weights<T>(golden.weights<T>("indexer.")),
          .frequencies = ref::inv_freq<T>(rope)};
}

/// One call, prefill or decode, of one sequence.
template <class T>
struct Call {
  ref::IndexerProjection<T> index;
  Tensor<T> scores;  // of the indexer
  ref::KeySelection selection;
  ref::MlaTrace<T> trace;
};

template <class T>
struct SequenceRun {
  std::vector<Call<T>> calls;
  ref::ContiguousCache<T> latents;
  ref::ContiguousCache<T> index_keys;
};

template <class T>
SequenceRun<T> run_sequence(const Layer<T>& layer, const std::vector<Tensor<T>>& inputs) {
  SequenceRun<T> run{.latents = ref::ContiguousCache<T>{layer.mla.latent_row()},
                     .index_keys = ref::ContiguousCache<T>{layer.indexer.row_width()}};
  for (const Tensor<T>& x : inputs) {
    // the source expands keys and values for prefill and stays in latent space for decode
    const auto form = run.calls.empty() ? ref::MlaForm::naive : ref::MlaForm::absorbed;
    const auto tables = ref::rope_tables<T>(layer.frequencies, run.latents.length(), x.dim(0));
    const auto projection = ref::mla_project(layer.mla, layer.mla_weights, x, tables);
    Call<T> call;
    call.index =
        ref::indexer_project(layer.indexer, layer.indexer_weights, projection.q_latent, x, tables);
    ref::append_index_keys(layer.indexer, call.index, run.index_keys);
    call.scores = ref::indexer_scores(layer.indexer, call.index, run.index_keys);
    call.selection = ref::select_keys(call.scores, layer.indexer.topk);
    call.trace = ref::mla_step(layer.mla, layer.mla_weights, projection, run.latents,
                               {.form = form, .allowed = &call.selection.allowed});
    run.calls.push_back(std::move(call));
  }
  return run;
}

template <class T>
using Runs = std::vector<SequenceRun<T>>;

template <class T>
void put_prefill(const Layer<T>& layer, const Runs<T>& runs, Produced<T>& out) {
  const auto put = [&](const std::string& name, const auto& of) {
    out.put(name,
            stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b].calls.front()); }));
  };
  put("out_prefill", [](const auto& call) { return call.trace.out; });
  put("indexer_q", [](const auto& call) { return call.index.q; });
  put("indexer_k", [](const auto& call) { return call.index.k; });
  put("indexer_weights", [](const auto& call) { return call.index.weights; });
  put("index_score_prefill", [](const auto& call) { return call.scores; });
  put("topk_prefill", [](const auto& call) { return call.selection.topk; });
  put("allowed_prefill", [](const auto& call) { return call.selection.allowed; });
  put("probs_prefill", [](const auto& call) { return call.trace.attention.probs; });
  if (!layer.indexer.format) return;
  put("indexer_q_fp8", [](const auto& call) { return call.index.queries.elements; });
  put("indexer_q_scale", [](const auto& call) { return call.index.queries.scale; });
}

template <class T>
void put_decode(const Runs<T>& runs, Produced<T>& out) {
  const std::size_t batch = runs.size();
  const std::size_t steps = runs.front().calls.size() - 1;
  if (steps == 0) return;
  out.put("out_decode", stacked_over(steps, [&](std::size_t step) {
            return stacked_over(batch,
                                [&](std::size_t b) { return runs[b].calls[step + 1].trace.out; });
          }));
  for (std::size_t step = 0; step < steps; ++step) {
    const auto put = [&](const std::string& name, const auto& of) {
      out.put(name + "_decode." + std::to_string(step),
              stacked_over(batch, [&](std::size_t b) { return of(runs[b].calls[step + 1]); }));
    };
    put("index_score", [](const auto& call) { return call.scores; });
    put("topk", [](const auto& call) { return call.selection.topk; });
    put("allowed", [](const auto& call) { return call.selection.allowed; });
  }
}

template <class T>
void put_caches(const Layer<T>& layer, const Runs<T>& runs, Produced<T>& out) {
  const auto put = [&](const std::string& name, const auto& of) {
    out.put(name, stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b]); }));
  };
  const std::int64_t rank = layer.mla.kv_lora_rank;
  const std::int64_t dim = layer.indexer.head_dim;
  put("kv_cache", [&](const auto& run) { return cached_columns(run.latents, 0, rank); });
  put("pe_cache", [&](const auto& run) {
    return cached_columns(run.latents, rank, layer.mla.qk_rope_head_dim);
  });
  put("indexer_k_cache", [&](const auto& run) { return cached_columns(run.index_keys, 0, dim); });
  put("indexer_k_scale", [&](const auto& run) {
    // unquantised keys carry no scale; the source then caches ones
    if (layer.indexer.format) return cached_columns(run.index_keys, dim, 1);
    Tensor<T> ones{{run.index_keys.length(), 1}};
    std::ranges::fill(ones.data, T{1});
    return ones;
  });
}

template <class T>
void replay_dsa(const GoldenCase& golden, Produced<T>& out) {
  const Layer<T> layer = read_layer<T>(golden);
  Runs<T> runs;
  for (std::int64_t b = 0; b < golden.input<T>("x_prefill").dim(0); ++b) {
    runs.push_back(run_sequence(layer, calls_of_sequence<T>(golden, b)));
  }
  put_prefill(layer, runs, out);
  put_decode(runs, out);
  put_caches(layer, runs, out);
}

}  // namespace

extern const Family kDsa;
const Family kDsa{"dsa", matches_dsa, replay_dsa<float>, replay_dsa<double>};

}  // namespace fathom::verify
