#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "lang/say.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

using lang::say;
using nlohmann::json;

Dtype read_base(JsonReader& in) {
  constexpr std::array<std::string_view, 3> names{"bfloat16", "float16", "float32"};
  constexpr std::array<Dtype, 3> dtypes{Dtype::bf16, Dtype::fp16, Dtype::fp32};
  return dtypes[in.choice_or(spelling(in, {"torch_dtype", "dtype"}), names, 0)];
}

Dtype read_fp8(JsonReader& quant) {
  quant.ignore({"fmt", "activation_scheme", "activation_scale_ub"});
  const bool ue8m0 = quant.string_or("scale_fmt", "float") == "ue8m0";
  if (!quant.has("weight_block_size")) return Dtype::fp8;
  const auto block = quant.integers("weight_block_size", 1);
  if (block != std::vector<std::int64_t>{128, 128}) {
    quant.fail("weight_block_size",
               fmt::format("{}; only blocks of 128 x 128 are modelled", fmt::join(block, " x ")));
  }
  return ue8m0 ? Dtype::fp8_ue8m0 : Dtype::fp8_block;
}

// compressed-tensors: one group of weights in one format.
Dtype read_compressed(JsonReader& quant) {
  quant.ignore({"format", "global_compression_ratio", "kv_cache_scheme", "quantization_status",
                "sparsity_config", "transform_config", "version"});
  const json& groups = quant.raw("config_groups");
  if (!groups.is_object() || groups.size() != 1) {
    quant.fail("config_groups", fmt::format("{} groups; expected one", groups.size()));
  }
  const json weights = groups.front().value("weights", json::object());
  const auto bits = weights.value("num_bits", json()), type = weights.value("type", json());
  const auto group_size = weights.value("group_size", json());
  if (type == "float" && bits == 8) return Dtype::fp8;
  if (type == "float" && bits == 4) return group_size == 16 ? Dtype::nvfp4 : Dtype::mxfp4;
  if (type == "int" && bits == 8) return Dtype::int8;
  throw InputError(
      fmt::format("{}/{}/weights: {}-bit {}; expected 8 or 4-bit float or 8-bit int (--set "
                  "quantization_config=null reads the file unquantised)",
                  quant.at("config_groups"), groups.begin().key(), bits.dump(), type.dump()));
}

Dtype read_modelopt(JsonReader& quant) {
  quant.ignore({"kv_cache_quant_algo", "kv_cache_scheme", "group_size", "producer", "config_groups",
                "quantization"});
  constexpr std::array<std::string_view, 2> names{"NVFP4", "FP8"};
  return quant.choice("quant_algo", names) == 0 ? Dtype::nvfp4 : Dtype::fp8;
}

std::vector<std::string> read_exceptions(JsonReader& quant) {
  std::vector<std::string> patterns;
  for (const std::string_view key : {"modules_to_not_convert", "ignore", "exclude_modules"}) {
    if (quant.has(key)) std::ranges::copy(quant.strings(key), std::back_inserter(patterns));
    quant.ignore(key);
  }
  return patterns;
}

// "model.layers.7.mlp.up_proj" names one layer; "model.layers.*.self_attn" all of them.
bool names_one_layer(std::string_view pattern) {
  const auto at = pattern.find("layers.");
  return at != std::string_view::npos && at + 7 < pattern.size() &&
         std::isdigit(static_cast<unsigned char>(pattern[at + 7])) != 0;
}

}  // namespace

CheckpointFormat read_checkpoint_format(JsonReader& in, std::vector<std::string>& unmodelled) {
  const Dtype base = read_base(in);
  CheckpointFormat format{.linear = base, .experts = base, .other = base};
  if (auto quant = in.object_opt("quantization_config")) {
    const std::vector<std::string> exceptions = read_exceptions(*quant);
    constexpr std::array<std::string_view, 5> methods{"fp8", "fbgemm_fp8", "mxfp4",
                                                      "compressed-tensors", "modelopt"};
    const std::size_t method = quant->choice("quant_method", methods);
    const Dtype quantised = method <= 1   ? read_fp8(*quant)
                            : method == 2 ? Dtype::mxfp4
                            : method == 3 ? read_compressed(*quant)
                                          : read_modelopt(*quant);
    quant->finish();
    const auto single = std::ranges::count_if(exceptions, names_one_layer);
    const bool keeps_attention = std::ranges::any_of(exceptions, [](const std::string& pattern) {
      return !names_one_layer(pattern) && pattern.find("self_attn") != std::string::npos;
    });
    format.linear = keeps_attention ? base : quantised;
    format.experts = quantised;
    if (single > 0) {
      unmodelled.push_back(
          say("quantization_config: {} modules of single layers stay {}; counted as {}", single,
              name(base), name(quantised)));
    }
  }
  constexpr std::array<std::string_view, 3> expert_dtypes{"fp4", "fp8", "bf16"};
  if (in.has("expert_dtype")) {
    const std::size_t kind = in.choice("expert_dtype", expert_dtypes);
    format.experts = kind == 0 ? Dtype::mxfp4 : kind == 1 ? format.linear : Dtype::bf16;
  }
  return format;
}

namespace {

// gemma-4 keeps one set per layer type; the full layers' set decides how far the model reaches.
RopeSpec read_scaling(JsonReader scaling, RopeSpec rope) {
  if (scaling.has("full_attention")) {
    scaling.ignore("sliding_attention");
    rope = read_scaling(scaling.object("full_attention"), rope);
    scaling.finish();
    return rope;
  }
  rope.type = scaling.string_or(spelling(scaling, {"rope_type", "type"}), rope.type);
  rope.rope_theta = scaling.number_or("rope_theta", rope.rope_theta, 1.0, 1e12);
  rope.factor = scaling.number_or("factor", 1.0, 1e-3, 1e6);
  rope.original_max_position_embeddings = scaling.integer_or("original_max_position_embeddings", 0);
  // Constants of the frequency ramp and the magnitude: the arithmetic is the same whatever they
  // are.
  scaling.ignore({"beta_fast", "beta_slow", "mscale", "mscale_all_dim", "low_freq_factor",
                  "high_freq_factor", "truncate", "attention_factor", "partial_rotary_factor",
                  "mrope_section", "mrope_interleaved", "short_factor", "long_factor"});
  scaling.finish();
  return rope;
}

}  // namespace

RopeSpec read_rope(JsonReader& in) {
  RopeSpec rope;
  rope.rope_theta = in.number_or("rope_theta", 10000.0, 1.0, 1e12);
  const std::string_view key = spelling(in, {"rope_scaling", "rope_parameters"});
  if (!in.has(key)) {
    in.ignore(key);
    return rope;
  }
  return read_scaling(in.object(key), rope);
}

}  // namespace fathom::model
