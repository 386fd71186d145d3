#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/ref/deepseek_mtp.hpp"
#include "verify/gate_config.hpp"
#include "verify/mla_config.hpp"
#include "verify/replay.hpp"

// Whole models of the DeepSeek-V3 form (inference/model.py, Transformer) and its MTP module.

namespace fathom::verify {
namespace {

using namespace kernels::ref;
using kernels::Indices;
using kernels::Shape;
using kernels::Tensor;

DeepseekSpec deepseek_spec(const GoldenCase& golden) {
  JsonReader in = golden.config_reader();
  DeepseekSpec spec;
  spec.n_layers = in.integer("n_layers", 1);
  spec.n_dense_layers = in.integer("n_dense_layers");
  spec.rope = read_deepseek_rope(in);
  spec.mla = read_mla(in, spec.rope);
  spec.norm_eps = spec.mla.norm_eps;
  spec.moe.gate = gate_spec(in);
  return spec;
}

// Tensors of the sequences of a batch, one after the other under a leading batch dimension.
template <class T>
class Batch {
 public:
  void add(const std::string& name, const Tensor<T>& x) {
    Tensor<T>& all = parts_[name];
    if (all.shape.empty()) all.shape = x.shape, all.shape.insert(all.shape.begin(), 0);
    ++all.shape[0];
    all.data.insert(all.data.end(), x.data.begin(), x.data.end());
  }
  const std::map<std::string, Tensor<T>>& parts() const { return parts_; }

 private:
  std::map<std::string, Tensor<T>> parts_;
};

// [batch, tokens, …] -> [batch * tokens, …], as routers see a batch.
template <class T>
Tensor<T> flattened(const Tensor<T>& x) {
  Shape shape(x.shape.begin() + 1, x.shape.end());
  shape[0] *= x.shape[0];
  return x.reshaped(shape);
}

Indices range(std::span<const std::int64_t> ids, std::int64_t first, std::int64_t count) {
  const auto part = ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  return {{count}, {part.begin(), part.end()}};
}

template <class T>
Tensor<T> last_row(const Tensor<T>& x) {
  const auto row = x.row(x.rows() - 1);
  return {{x.dim(-1)}, {row.begin(), row.end()}};
}

// ---- transformer_v3 ----

bool matches_transformer(const GoldenCase& golden) {
  return golden.has_input("tokens") && golden.has_weight("layers.0.attn.wkv_a.weight") &&
         golden.has_weight("head.weight");
}

template <class T>
void add_layers(const DeepseekTrace<T>& trace, Batch<T>& real, Batch<std::int64_t>& whole) {
  std::size_t routed = 0;
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const DeepseekLayerTrace<T>& layer = trace.layers[i];
    const std::string block = "block." + std::to_string(i) + ".";
    real.add(block + "out", layer.out);
    real.add(block + "attn_out", layer.attn_out);
    real.add(block + "ffn_out", layer.ffn_out);
    if (layer.gate.indices.empty()) continue;
    const std::string moe = "moe." + std::to_string(routed++) + ".";
    whole.add(moe + "indices", layer.gate.indices);
    real.add(moe + "weights", layer.gate.weights);
  }
}

// One sequence: the prompt at once in the form of the case's source, then token by token with the
// given tokens, whatever the model would have said.
template <class T>
void run_sequence(const DeepseekModel<T>& model, std::span<const std::int64_t> ids,
                  std::int64_t prompt, Batch<T>& real, Batch<std::int64_t>& whole) {
  auto cache = deepseek_cache<T>(model.spec);
  const auto first = deepseek_step(model, range(ids, 0, prompt), 0, cache, MlaForm::absorbed);
  add_layers(first, real, whole);
  const Tensor<T> logits = deepseek_logits(model, first.normed);
  real.add("final_normed", first.normed);
  real.add("logits_all_positions", logits);
  real.add("logits_prefill_last", last_row(logits));
  whole.add("argmax_prefill", Indices{{1}, {argmax<T>(logits.row(prompt - 1))}});
  const std::int64_t steps = static_cast<std::int64_t>(ids.size()) - prompt;
  Tensor<T> decoded{{steps, logits.dim(-1)}};
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto step =
        deepseek_step(model, range(ids, prompt + i, 1), prompt + i, cache, MlaForm::absorbed);
    std::ranges::copy(deepseek_logits(model, step.normed).data, decoded.row(i).begin());
  }
  real.add("logits_decode", decoded);
}

template <class T>
void replay_transformer(const GoldenCase& golden, Produced<T>& out) {
  const auto model = deepseek_model(deepseek_spec(golden), golden.weights<T>());
  const Indices tokens = golden.input_ids("tokens");
  const std::int64_t prompt = golden.config_reader().integer("prefill", 1, tokens.dim(1));
  Batch<T> real;
  Batch<std::int64_t> whole;
  for (std::int64_t b = 0; b < tokens.dim(0); ++b) {
    run_sequence(model, tokens.slice(b), prompt, real, whole);
  }
  for (const auto& [name, x] : real.parts()) {
    out.put(name, name.starts_with("moe.") ? flattened(x) : x);
  }
  for (const auto& [name, x] : whole.parts()) out.put(name, flattened(x));
}

// ---- mtp_v3 ----

bool matches_mtp(const GoldenCase& golden) {
  return golden.has_weight("eh_proj.weight") && golden.has_input("next_tokens");
}

// Hidden states of the main model on all but the last of the tokens that `next` continues.
template <class T>
struct MainHidden {
  Tensor<T> normed;
  Tensor<T> prenorm;
};

// The case stores the hidden states of its float32 run, while its float64 run fed those of a
// float64 main model: that one is run again.
template <class T>
MainHidden<T> main_hidden(const DeepseekModel<T>& model, const GoldenCase& golden,
                          const GoldenCase& main) {
  if constexpr (std::is_same_v<T, float>) {
    return {golden.input<T>("main_hidden_final_normed"), golden.input<T>("main_hidden_prenorm")};
  }
  const Indices tokens = main.input_ids("tokens");
  const Indices next = golden.input_ids("next_tokens");
  Batch<T> real;
  for (std::int64_t b = 0; b < tokens.dim(0); ++b) {
    auto cache = deepseek_cache<T>(model.spec);
    const auto trace =
        deepseek_step(model, range(tokens.slice(b), 0, next.dim(1)), 0, cache, MlaForm::absorbed);
    real.add("normed", trace.normed);
    real.add("prenorm", trace.layers.back().out);
  }
  return {real.parts().at("normed"), real.parts().at("prenorm")};
}

template <class T>
void replay_mtp_variant(const DeepseekModel<T>& model, const MtpModule<T>& mtp, const Indices& ids,
                        const MainHidden<T>& main, const std::string& variant, Produced<T>& out) {
  const Tensor<T>& hidden = variant == "variant_prenorm_hidden." ? main.prenorm : main.normed;
  // "shifted" numbers positions from one, so that no embedding is masked
  const std::int64_t first = variant == "shifted." ? 1 : 0;
  Batch<T> real;
  for (std::int64_t b = 0; b < ids.dim(0); ++b) {
    DeepseekLayerCache<T> cache{model.spec};
    const auto trace = mtp_step(model, mtp, slice_of(ids, b), slice_of(hidden, b), first, cache,
                                MlaForm::absorbed);
    real.add(variant + "hidden_prenorm", trace.prenorm);
    real.add(variant + "hidden_recycled", trace.recycled);
    real.add(variant + "logits", deepseek_logits(model, trace.recycled));
  }
  for (const auto& [name, x] : real.parts()) out.put(name, x);
}

template <class T>
void replay_mtp(const GoldenCase& golden, Produced<T>& out) {
  const GoldenCase main = golden.sibling(golden.config_reader().string("main_case"));
  const auto model = deepseek_model(deepseek_spec(golden), main.weights<T>());
  const MtpModule<T> mtp{.enorm = golden.weight<T>("enorm.weight"),
                         .hnorm = golden.weight<T>("hnorm.weight"),
                         .eh_proj = golden.weight<T>("eh_proj.weight"),
                         .block = deepseek_layer(golden.weights<T>("block.")),
                         .norm = golden.weight<T>("shared_head.norm.weight")};
  const Indices ids = golden.input_ids("next_tokens");
  const MainHidden<T> hidden = main_hidden(model, golden, main);
  for (const std::string variant : {"masked.", "shifted.", "variant_prenorm_hidden."}) {
    if (golden.expects_prefix(variant)) replay_mtp_variant(model, mtp, ids, hidden, variant, out);
  }
}

}  // namespace

extern const Family kTransformerV3;
const Family kTransformerV3{"transformer_v3", matches_transformer, replay_transformer<float>,
                            replay_transformer<double>};

extern const Family kMtpV3;
const Family kMtpV3{"mtp_v3", matches_mtp, replay_mtp<float>, replay_mtp<double>};

}  // namespace fathom::verify
