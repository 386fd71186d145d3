#include <string>
#include <vector>

#include "kernels/ref/mla_attention.hpp"
#include "verify/mla_config.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;
using ref::MlaForm;

bool matches_mla(const GoldenCase& golden) {
  return golden.has_weight("wkv_a.weight") && golden.has_weight("wkv_b.weight") &&
         golden.has_input("x_prefill") &&
         (golden.expects_prefix("naive.") || golden.expects_prefix("absorb."));
}

/// Layer and rotary frequencies of a case.
template <class T>
struct Layer {
  ref::MlaSpec spec;
  ref::MlaWeights<T> weights;
  Tensor<T> frequencies;
};

/// One sequence through prefill and all decode steps.
template <class T>
struct SequenceRun {
  std::vector<ref::MlaProjection<T>> projections;  // per call
  std::vector<ref::MlaTrace<T>> traces;            // per call
  ref::ContiguousCache<T> cache;
};

template <class T>
SequenceRun<T> run_sequence(const Layer<T>& layer, MlaForm form,
                            const std::vector<Tensor<T>>& calls) {
  SequenceRun<T> run{.cache = ref::ContiguousCache<T>{layer.spec.latent_row()}};
  for (const Tensor<T>& x : calls) {
    const auto tables = ref::rope_tables<T>(layer.frequencies, run.cache.length(), x.dim(0));
    run.projections.push_back(ref::mla_project(layer.spec, layer.weights, x, tables));
    run.traces.push_back(ref::mla_step(layer.spec, layer.weights, run.projections.back(), run.cache,
                                       {.form = form}));
  }
  return run;
}

template <class T>
using Runs = std::vector<SequenceRun<T>>;

/// What both forms have in common.
template <class T>
void put_attention(const std::string& form, const Runs<T>& runs, Produced<T>& out) {
  const std::size_t batch = runs.size();
  const auto put = [&](const std::string& name, const auto& of) {
    out.put(form + name, stacked_over(batch, [&](std::size_t b) { return of(runs[b]); }));
  };
  put("out_prefill", [](const auto& run) { return run.traces.front().out; });
  put("scores_pre", [](const auto& run) { return run.traces.front().attention.scores; });
  put("probs", [](const auto& run) { return run.traces.front().attention.probs; });
  const std::size_t steps = runs.front().traces.size() - 1;
  if (steps == 0) return;
  put("decode_scores_last", [](const auto& run) { return run.traces.back().attention.scores; });
  out.put(form + "out_decode", stacked_over(steps, [&](std::size_t step) {
            return stacked_over(batch, [&](std::size_t b) { return runs[b].traces[step + 1].out; });
          }));
}

template <class T>
void put_naive(const Layer<T>& layer, const Runs<T>& runs, Produced<T>& out) {
  const auto put = [&](const std::string& name, const auto& of) {
    out.put("naive." + name, stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b]); }));
  };
  const std::int64_t length = runs.front().cache.length();
  const auto tables = ref::rope_tables<T>(layer.frequencies, 0, length);
  out.put("naive.freqs_cos", tables.cos);
  out.put("naive.freqs_sin", tables.sin);
  put("k_pe", [](const auto& run) { return run.projections.front().k_pe; });
  put("q_full", [](const auto& run) { return run.projections.front().q; });
  put("k_cache", [](const auto& run) { return run.traces.back().expanded.keys; });
  put("v_cache", [](const auto& run) { return run.traces.back().expanded.values; });
}

template <class T>
void put_absorbed(const Layer<T>& layer, const Runs<T>& runs, Produced<T>& out) {
  const ref::MlaSpec& spec = layer.spec;
  const auto put = [&](const std::string& name, const auto& of) {
    out.put("absorb." + name,
            stacked_over(runs.size(), [&](std::size_t b) { return of(runs[b]); }));
  };
  put("q_before_rope", [](const auto& run) { return run.projections.front().q_before_rope; });
  put("q_nope_absorbed", [&](const auto& run) {
    return ref::columns(run.traces.front().queries, 0, spec.kv_lora_rank);
  });
  put("q_pe", [&](const auto& run) {
    return ref::columns(run.traces.front().queries, spec.kv_lora_rank, spec.qk_rope_head_dim);
  });
  put("kv_cache", [&](const auto& run) { return cached_columns(run.cache, 0, spec.kv_lora_rank); });
  put("pe_cache", [&](const auto& run) {
    return cached_columns(run.cache, spec.kv_lora_rank, spec.qk_rope_head_dim);
  });
}

template <class T>
void replay_mla(const GoldenCase& golden, Produced<T>& out) {
  JsonReader config = golden.config_reader();
  const ref::RopeSpec rope = read_deepseek_rope(config);
  const Layer<T> layer{.spec = read_mla(config, rope),
                       .weights = ref::mla_weights<T>(golden.weights<T>()),
                       .frequencies = ref::inv_freq<T>(rope)};
  const std::int64_t batch = golden.input<T>("x_prefill").dim(0);
  const auto run_all = [&](MlaForm form) {
    Runs<T> runs;
    for (std::int64_t b = 0; b < batch; ++b) {
      runs.push_back(run_sequence(layer, form, calls_of_sequence<T>(golden, b)));
    }
    return runs;
  };
  const Runs<T> naive = run_all(MlaForm::naive);
  put_attention("naive.", naive, out);
  put_naive(layer, naive, out);
  const Runs<T> absorbed = run_all(MlaForm::absorbed);
  put_attention("absorb.", absorbed, out);
  put_absorbed(layer, absorbed, out);
}

}  // namespace

extern const Family kMla;
const Family kMla{"mla", matches_mla, replay_mla<float>, replay_mla<double>};

}  // namespace fathom::verify
