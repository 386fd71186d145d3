#include <nlohmann/json.hpp>
#include <string>

#include "kernels/ref/linear.hpp"
#include "kernels/ref/rope.hpp"
#include "kernels/ref/rope_frequencies.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;

/// The first object of the array `key` of the config, or null.
const nlohmann::json& first_of(const GoldenCase& golden, const char* key) {
  static const nlohmann::json none;
  const auto list = golden.config().find(key);
  return list != golden.config().end() && list->is_array() && !list->empty() ? list->front() : none;
}

std::size_t count_of(const GoldenCase& golden, const char* key) {
  return golden.config().at(key).size();
}

template <class T>
Tensor<T> scalar(double value) {
  return {{1}, {static_cast<T>(value)}};
}

// --- applying rotations ---

bool matches_apply(const GoldenCase& golden) {
  return golden.has_input("angles") && golden.has_input("q") && golden.has_input("k");
}

template <class T>
ref::RopeTables<T> tables_of(const Tensor<T>& angles) {
  ref::RopeTables<T> tables{angles, angles};
  for (T& a : tables.cos.data) a = std::cos(a);
  for (T& a : tables.sin.data) a = std::sin(a);
  return tables;
}

/// q . k [batch, heads, queries, keys] of q [batch, tokens, heads, dim], heads in groups sharing k.
template <class T>
Tensor<T> products(const Tensor<T>& q, const Tensor<T>& k) {
  const std::int64_t tokens = q.dim(1);
  const std::int64_t heads = q.dim(2);
  const std::int64_t group = heads / k.dim(2);
  Tensor<T> out{{q.dim(0), heads, tokens, k.dim(1)}};
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const std::int64_t key = i % k.dim(1);
    const std::int64_t query = i / k.dim(1) % tokens;
    const std::int64_t head = i / k.dim(1) / tokens % heads;
    const std::int64_t batch = i / out.slice_size();
    out[i] = ref::dot<T>(q.row((batch * tokens + query) * heads + head),
                         k.row((batch * k.dim(1) + key) * k.dim(2) + head / group));
  }
  return out;
}

template <class T>
void replay_apply(const GoldenCase& golden, Produced<T>& out) {
  using ref::RopeLayout;
  const Tensor<T> q = golden.input<T>("q");
  const Tensor<T> k = golden.input<T>("k");
  const auto tables = tables_of<T>(golden.input<T>("angles"));
  const auto put = [&](const std::string& name, RopeLayout layout) {
    out.put(name + "_q", ref::apply_rope<T>(q, tables, layout));
    out.put(name + "_k", ref::apply_rope<T>(k, tables, layout));
  };
  put("v3_interleaved", RopeLayout::interleaved);
  put("vl2_deinterleaved", RopeLayout::deinterleaved);
  put("neox_half", RopeLayout::half);
  put("t6_half_negsin", RopeLayout::half_negative);
  put("v4_inverse", RopeLayout::inverse_interleaved);
  out.put("qk_dot_v3", products(out.real.at("v3_interleaved_q"), out.real.at("v3_interleaved_k")));
}

// --- frequencies and tables of the DeepSeek inference code ---

bool matches_deepseek(const GoldenCase& golden) {
  const auto& first = first_of(golden, "settings");
  return first.contains("family") && first.contains("theta") && first.contains("original_seq_len");
}

template <class T>
void replay_deepseek_setting(const GoldenCase& golden, JsonReader in, Produced<T>& out) {
  const std::string name = in.string("name");
  const bool v4 = in.string("family") == "v4";
  const auto original = static_cast<double>(in.integer("original_seq_len"));
  // V3 asks whether the context is longer than the trained one, V4 whether a trained one is named
  // (precompute_freqs_cis of either).
  const bool stretched =
      v4 ? original > 0.0 : static_cast<double>(in.integer("max_seq_len")) > original;
  const double factor = in.number("factor", 0.0, 1e9);
  ref::RopeSpec rope{.dim = in.integer("dim", 2), .theta = in.number("theta", 1.0, 1e12)};
  if (stretched) {
    rope.scaling = ref::YarnRope{.factor = factor,
                                 .original_max_position_embeddings = original,
                                 .beta_fast = in.number_or("beta_fast", 32.0, 0.0, 1e9),
                                 .beta_slow = in.number_or("beta_slow", 1.0, 0.0, 1e9)};
  }
  const Tensor<T> frequencies = ref::inv_freq<T>(rope);
  const Indices positions = golden.input_ids(name + ".positions");
  auto tables = ref::rope_tables<T>(frequencies, positions.data);
  out.put(name + ".inv_freq", frequencies);
  out.put(name + ".cos", std::move(tables.cos));
  out.put(name + ".sin", std::move(tables.sin));
  if (in.has("qk_head_dim")) {
    const double mscale = in.number_or("mscale", 1.0, 0.0, 1e9);
    out.put(name + ".softmax_scale",
            scalar<T>(ref::yarn_softmax_scale(in.integer("qk_head_dim", 1),
                                              stretched ? factor : 1.0, mscale)));
  }
}

template <class T>
void replay_deepseek(const GoldenCase& golden, Produced<T>& out) {
  for (std::size_t i = 0; i < count_of(golden, "settings"); ++i) {
    replay_deepseek_setting(golden, golden.config_item("settings", i), out);
  }
}

// --- scaling variants of transformers and DeepSeek-VL2 ---

bool matches_scaling(const GoldenCase& golden) {
  const auto& first = first_of(golden, "sets");
  return first.contains("type") && first.contains("config") &&
         first["config"].contains("rope_theta");
}

/// Scaling of a Hugging Face config and its factor on cos and sin.
struct HfRope {
  ref::RopeSpec spec;
  double attention_factor = 1.0;
};

HfRope read_yarn(JsonReader in, ref::RopeSpec spec, double max_position_embeddings) {
  ref::YarnRope yarn{.factor = in.number("factor", 0.0, 1e9),
                     .original_max_position_embeddings = max_position_embeddings,
                     .beta_fast = in.number_or("beta_fast", 32.0, 0.0, 1e9),
                     .beta_slow = in.number_or("beta_slow", 1.0, 0.0, 1e9)};
  if (in.has("original_max_position_embeddings")) {
    // the ratio of the lengths then replaces the stated factor
    yarn.original_max_position_embeddings =
        in.number("original_max_position_embeddings", 1.0, 1e12);
    yarn.factor = max_position_embeddings / yarn.original_max_position_embeddings;
  }
  const double factor =
      ref::yarn_attention_factor(yarn.factor, in.number_or("mscale", 0.0, 0.0, 1e9),
                                 in.number_or("mscale_all_dim", 0.0, 0.0, 1e9));
  spec.scaling = yarn;
  return {spec, in.number_or("attention_factor", factor, 0.0, 1e9)};
}

HfRope read_hf(JsonReader set, JsonReader in) {
  const std::string type = set.string("type");
  const std::int64_t per_head =
      in.has("head_dim") ? in.integer("head_dim", 1)
                         : in.integer("hidden_size", 1) / in.integer("num_attention_heads", 1);
  const double rotated = in.number_or("partial_rotary_factor", 1.0, 0.0, 1.0);
  ref::RopeSpec spec{.dim = static_cast<std::int64_t>(static_cast<double>(per_head) * rotated),
                     .theta = in.number("rope_theta", 1.0, 1e12)};
  if (type == "default") return {spec, 1.0};
  const double length = in.number("max_position_embeddings", 1.0, 1e12);
  JsonReader scaling = in.object("rope_scaling");
  if (type == "yarn") return read_yarn(scaling, spec, length);
  const double factor = scaling.number("factor", 0.0, 1e9);
  if (type == "linear") {
    spec.scaling = ref::LinearRope{factor};
  } else if (type == "dynamic") {
    spec.scaling = ref::DynamicNtkRope{.factor = factor,
                                       .max_position_embeddings = length,
                                       .seq_len = set.number_or("seq_len", length, 0.0, 1e12)};
  } else if (type == "llama3") {
    spec.scaling = ref::Llama3Rope{.factor = factor,
                                   .low_freq_factor = scaling.number("low_freq_factor", 0.0, 1e9),
                                   .high_freq_factor = scaling.number("high_freq_factor", 0.0, 1e9),
                                   .original_max_position_embeddings = scaling.number(
                                       "original_max_position_embeddings", 1.0, 1e12)};
  } else {
    set.fail("type", "unknown scaling '" + type + "'");
  }
  return {spec, 1.0};
}

/// Tables as the modelling file stores them: [positions, dim], both halves alike.
template <class T>
Tensor<T> doubled(const Tensor<T>& half, double factor) {
  const std::int64_t width = half.dim(1);
  Tensor<T> out{{half.dim(0), 2 * width}};
  for (std::int64_t i = 0; i < out.size(); ++i) {
    out[i] = half[i / (2 * width) * width + i % width] * static_cast<T>(factor);
  }
  return out;
}

/// One rotary embedding of DeepSeek-VL2: how its tensors' names begin, how frequencies scale, by
/// what positions are divided, and the factor on cos and sin.
struct Vl2Rope {
  std::string prefix;
  ref::RopeScaling scaling;
  double interpolation = 1.0;
  double attention_factor = 1.0;
};

std::vector<Vl2Rope> read_vl2(JsonReader in) {
  const double length = in.number("max_position_embeddings", 1.0, 1e12);
  const ref::DynamicNtkRope dynamic{.factor = in.number_or("dynamic_factor", 1.0, 0.0, 1e9),
                                    .max_position_embeddings = length,
                                    .seq_len = in.number_or("seq_len", length, 0.0, 1e12)};
  std::vector<Vl2Rope> ropes{
      {.prefix = "vl2_plain"},
      {.prefix = "vl2_linear", .interpolation = in.number_or("linear_factor", 1.0, 1e-9, 1e9)},
      {.prefix = "vl2_dynamic", .scaling = dynamic}};
  if (auto yarn = in.object_opt("yarn")) {
    const ref::YarnRope scaling{
        .factor = yarn->number("factor", 0.0, 1e9),
        .original_max_position_embeddings = yarn->number("original", 1.0, 1e12),
        .beta_fast = yarn->number_or("beta_fast", 32.0, 0.0, 1e9),
        .beta_slow = yarn->number_or("beta_slow", 1.0, 0.0, 1e9)};
    ropes.push_back({.prefix = "vl2_yarn_v", .scaling = scaling});  // equal mscales cancel
    ropes.push_back({.prefix = "vl2_yarn_mscale_only",
                     .scaling = scaling,
                     .attention_factor = ref::yarn_mscale(scaling.factor)});
  }
  return ropes;
}

template <class T>
void replay_vl2(const GoldenCase& golden, JsonReader in, Produced<T>& out) {
  const Indices positions = golden.input_ids("vl2.positions");
  ref::RopeSpec spec{.dim = in.integer("dim", 2),
                     .theta = in.number_or("base", 10000.0, 1.0, 1e12)};
  for (const Vl2Rope& rope : read_vl2(in)) {
    spec.scaling = rope.scaling;
    const Tensor<T> frequencies = ref::inv_freq<T>(spec);
    const auto tables = ref::rope_tables<T>(frequencies, positions.data, rope.interpolation);
    for (const Expectation& e : golden.expected()) {
      if (!e.name.starts_with(rope.prefix)) continue;
      if (e.name.ends_with(".inv_freq")) out.put(e.name, frequencies);
      if (e.name.ends_with(".cos")) out.put(e.name, doubled(tables.cos, rope.attention_factor));
      if (e.name.ends_with(".sin")) out.put(e.name, doubled(tables.sin, rope.attention_factor));
    }
  }
}

template <class T>
void replay_scaling(const GoldenCase& golden, Produced<T>& out) {
  for (std::size_t i = 0; i < count_of(golden, "sets"); ++i) {
    JsonReader set = golden.config_item("sets", i);
    const std::string name = set.string("name");
    const HfRope rope = read_hf(set, set.object("config"));
    out.put(name + ".inv_freq", ref::inv_freq<T>(rope.spec));
    out.put(name + ".attention_factor", scalar<T>(rope.attention_factor));
  }
  JsonReader config = golden.config_reader();
  if (config.has("vl2")) replay_vl2(golden, config.object("vl2"), out);
}

}  // namespace

extern const Family kRopeApply;
const Family kRopeApply{"rope_apply", matches_apply, replay_apply<float>, replay_apply<double>};
extern const Family kRopeDeepseek;
const Family kRopeDeepseek{"rope_deepseek", matches_deepseek, replay_deepseek<float>,
                           replay_deepseek<double>};
extern const Family kRopeScaling;
const Family kRopeScaling{"rope_scaling", matches_scaling, replay_scaling<float>,
                          replay_scaling<double>};

}  // namespace fathom::verify
