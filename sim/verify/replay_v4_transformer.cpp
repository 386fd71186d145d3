#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "kernels/ref/v4_transformer.hpp"
#include "verify/replay.hpp"
#include "verify/v4_config.hpp"

namespace fathom::verify {
namespace {

using kernels::Indices;
using kernels::Shape;
using kernels::Tensor;
using namespace kernels::ref;

bool matches_v4_transformer(const GoldenCase& golden) {
  return golden.has_input("tokens") && golden.has_weight("embed.weight") &&
         golden.has_weight("hc_head_fn");
}

ScoreFunction score_function(JsonReader& config) {
  static constexpr std::array<std::string_view, 3> kNames{"softmax", "sigmoid", "sqrtsoftplus"};
  static constexpr std::array kFunctions{ScoreFunction::softmax, ScoreFunction::sigmoid,
                                         ScoreFunction::sqrt_softplus};
  return kFunctions.at(config.choice_or("score_func", kNames, 2));
}

V4ModelSpec read_spec(const GoldenCase& golden) {
  JsonReader config = golden.config_reader();
  V4ModelSpec spec{.attention = v4_attention_spec(config, false),
                   .rope = v4_rope_settings(config),
                   .n_layers = config.integer("n_layers", 1, 1000)};
  spec.hc = {.hc_mult = config.integer("hc_mult", 1),
             .hc_sinkhorn_iters = config.integer("hc_sinkhorn_iters", 1, 1000),
             .hc_eps = config.number_or("hc_eps", 1e-6, 0.0, 1.0),
             .norm_eps = spec.attention.norm_eps};
  spec.moe = {.gate = {.num_experts_per_tok = config.integer("n_activated_experts", 1),
                       .score = score_function(config),
                       .routed_scaling_factor = config.number("route_scale", 0.0, 1e6)},
              .swiglu_limit = config.number("swiglu_limit", 0.0, 1e6),
              .weight_at = WeightAt::hidden};
  while (golden.has_weight(fmt::format("mtp.{}.e_proj.weight", spec.n_mtp_layers))) {
    ++spec.n_mtp_layers;
  }
  return spec;
}

/// The case's hash layers, the first ones, share one table.
NamedTables hash_tables(const GoldenCase& golden) {
  JsonReader config = golden.config_reader();
  NamedTables tables;
  for (std::int64_t i = 0; i < config.integer_or("n_hash_layers", 0, 0, 1000); ++i) {
    tables[fmt::format("layers.{}.ffn.gate.tid2eid", i)] = golden.input_ids("tid2eid");
  }
  return tables;
}

template <class T>
V4Model<T> read_model(const GoldenCase& golden) {
  return v4_model(read_spec(golden), golden.weights<T>(), hash_tables(golden));
}

/// Tensors of the sequences of a batch under their name, in the order of the sequences.
template <class T>
using Parts = std::map<std::string, std::vector<Tensor<T>>>;

/// The `call`th mixing of the model, counting two per layer.
template <class T>
void add_mixing(std::size_t call, const SublayerInput<T>& in, const Tensor<T>& x,
                const Tensor<T>& out, Parts<T>& parts) {
  const std::string pre = fmt::format("hc_pre.{}.", call);
  parts[pre + "y"].push_back(in.y);
  parts[pre + "mixes"].push_back(in.mixes);
  parts[pre + "pre"].push_back(in.mix.pre);
  parts[pre + "post"].push_back(in.mix.post);
  parts[pre + "comb"].push_back(in.mix.comb);
  parts[fmt::format("hc_post.{}.x", call)].push_back(x);
  parts[fmt::format("hc_post.{}.out", call)].push_back(out);
}

template <class T>
void add_layers(const V4Trace<T>& trace, Parts<T>& parts) {
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const V4LayerTrace<T>& layer = trace.layers[i];
    parts[fmt::format("layer.{}.hidden", i)].push_back(layer.out);
    add_mixing(2 * i, layer.attn_in, layer.attn_out, layer.middle, parts);
    add_mixing(2 * i + 1, layer.ffn_in, layer.ffn_out, layer.out, parts);
  }
}

/// Ids [count] of one sequence.
Indices window(const Indices& tokens, std::int64_t first, std::int64_t count) {
  const auto begin = tokens.data.begin() + first;
  return {Shape{count}, std::vector<std::int64_t>(begin, begin + count)};
}

/// Row of logits [tokens, vocab] after the last token: the source returns no other.
template <class T>
Tensor<T> last_row(const Tensor<T>& logits) {
  return slice_of(logits, logits.dim(0) - 1);
}

/// The module sees the prompt but for its last token, whose successor is not part of it.
template <class T>
void run_mtp(const V4Model<T>& model, const Indices& prompt, const Tensor<T>& streams,
             Parts<T>& parts) {
  const std::int64_t count = prompt.size() - 1;
  if (model.mtp.empty() || count == 0) return;
  const V4Mtp<T>& mtp = model.mtp.front();
  const Indices next = window(prompt, 1, count);
  const auto end = streams.data.begin() + count * streams.slice_size();
  const Tensor<T> known{Shape{count, streams.dim(1), streams.dim(2)}, {streams.data.begin(), end}};
  V4LayerCache<T> cache;
  const Tensor<T> out = v4_mtp(model, mtp, {next, 0}, known, cache);
  parts["mtp_logits_prefill"].push_back(last_row(v4_logits(model, mtp.head, out)));
}

/// One sequence: the prompt at once, then its given tokens one by one.
template <class T>
void run_sequence(const V4Model<T>& model, const Indices& tokens, std::int64_t prefill,
                  Parts<T>& parts) {
  std::vector<V4LayerCache<T>> caches(model.layers.size());
  const Indices prompt = window(tokens, 0, prefill);
  const V4Trace<T> trace = v4_forward(model, {prompt, 0}, caches);
  add_layers(trace, parts);
  parts["hc_head"].push_back(hc_head(model.spec.hc, model.head.hc, trace.streams));
  parts["logits_prefill"].push_back(last_row(v4_logits(model, model.head, trace.streams)));
  std::vector<Tensor<T>> decoded;
  for (std::int64_t position = prefill; position < tokens.size(); ++position) {
    const Indices token = window(tokens, position, 1);
    const V4Trace<T> step = v4_forward(model, {token, position}, caches);
    decoded.push_back(last_row(v4_logits(model, model.head, step.streams)));
  }
  if (!decoded.empty()) parts["logits_decode"].push_back(stacked(decoded));
  run_mtp(model, prompt, trace.streams, parts);
}

template <class T>
void replay_v4_transformer(const GoldenCase& golden, Produced<T>& out) {
  const V4Model<T> model = read_model<T>(golden);
  const Indices tokens = golden.input_ids("tokens");
  const std::int64_t prefill = golden.config_reader().integer("prefill", 1, tokens.dim(1));
  Parts<T> parts;
  for (std::int64_t b = 0; b < tokens.dim(0); ++b) {
    run_sequence(model, slice_of(tokens, b), prefill, parts);
  }
  for (const auto& [name, sequences] : parts) out.put(name, stacked(sequences));
}

}  // namespace

extern const Family kV4Transformer;
const Family kV4Transformer{"v4_transformer", matches_v4_transformer, replay_v4_transformer<float>,
                            replay_v4_transformer<double>};

}  // namespace fathom::verify
