#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

constexpr std::array<std::string_view, 3> kScores{"softmax", "sigmoid", "sqrtsoftplus"};

std::string_view experts_key(JsonReader& in) {
  return spelling(in, {"n_routed_experts", "num_experts", "num_local_experts"});
}

std::int64_t read_expert_width(HfContext& context) {
  const bool own_key =
      !context.family.intermediate_is_expert || context.in.has("moe_intermediate_size");
  return dimension(context.in, own_key ? "moe_intermediate_size" : "intermediate_size");
}

MoeSpec read_routed(HfContext& context) {
  JsonReader& in = context.in;
  MoeSpec moe;
  moe.n_routed_experts = dimension(in, experts_key(in));
  const std::string_view chosen = spelling(
      in, {"num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts"});
  moe.num_experts_per_tok = dimension(in, chosen);
  if (moe.num_experts_per_tok > moe.n_routed_experts) {
    in.fail(chosen, fmt::format("{} is more than {} = {}", moe.num_experts_per_tok, experts_key(in),
                                moe.n_routed_experts));
  }
  moe.moe_intermediate_size = read_expert_width(context);
  moe.scoring_func = static_cast<GateScore>(
      in.choice_or("scoring_func", kScores, static_cast<std::size_t>(context.family.score)));
  return moe;
}

// Node-limited routing counts only under the group-limited methods; V2-Lite names groups of 1.
void read_groups(HfContext& context, MoeSpec& moe) {
  JsonReader& in = context.in;
  const bool biased_family = context.family.score != GateScore::softmax;
  const std::string method = in.string_or("topk_method", biased_family ? "noaux_tc" : "greedy");
  constexpr std::array<std::string_view, 3> kMethods{"greedy", "group_limited_greedy", "noaux_tc"};
  if (std::ranges::find(kMethods, method) == kMethods.end()) {
    in.fail("topk_method", fmt::format("'{}'; expected one of {}{}", method,
                                       fmt::join(kMethods, ", "), did_you_mean(method, kMethods)));
  }
  moe.selection_bias = method == "noaux_tc";
  const std::int64_t groups = dimension_or(in, "n_group", 1);
  const std::int64_t kept = dimension_or(in, "topk_group", groups);
  if (kept > groups)
    in.fail("topk_group", fmt::format("{} is more than n_group = {}", kept, groups));
  if (moe.n_routed_experts % groups != 0) {
    in.fail("n_group",
            fmt::format("{} does not divide n_routed_experts = {}", groups, moe.n_routed_experts));
  }
  if (method == "greedy") return;
  moe.n_group = groups;
  moe.topk_group = kept;
}

void read_shared(HfContext& context, MoeSpec& moe) {
  JsonReader& in = context.in;
  moe.n_shared_experts =
      in.integer_or(spelling(in, {"n_shared_experts", "num_shared_experts"}), 0, 0, 64);
  moe.shared_intermediate_size = moe.n_shared_experts * moe.moe_intermediate_size;
}

std::vector<bool> all_sparse(const HfContext& context) {
  return std::vector<bool>(static_cast<std::size_t>(context.num_hidden_layers), true);
}

std::vector<bool> listed_sparse(HfContext& context) {
  std::vector<bool> sparse;
  const std::vector<std::string> types = context.in.strings("mlp_layer_types");
  for (const std::string& type : types) {
    if (type != "dense" && type != "sparse") {
      context.in.fail("mlp_layer_types",
                      fmt::format("'{}' at {}; expected dense or sparse", type, sparse.size()));
    }
    sparse.push_back(type == "sparse");
  }
  expect_one_per_layer(context, "mlp_layer_types", sparse.size());
  context.in.ignore({"first_k_dense_replace", "moe_layer_freq"});
  return sparse;
}

std::vector<bool> deepseek_sparse(HfContext& context) {
  JsonReader& in = context.in;
  if (in.has("mlp_layer_types")) return listed_sparse(context);
  const std::int64_t dense =
      in.integer_or("first_k_dense_replace", 0, 0, context.num_hidden_layers);
  std::vector<bool> sparse = all_sparse(context);
  if (in.has("moe_layer_freq") && in.raw("moe_layer_freq").is_array()) {
    const auto list = in.integers("moe_layer_freq", 0, 1);
    expect_one_per_layer(context, "moe_layer_freq", list.size());
    for (std::size_t i = 0; i < list.size(); ++i) sparse[i] = list[i] == 1;
    return sparse;
  }
  const std::int64_t freq = dimension_or(in, "moe_layer_freq", 1);
  for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
    sparse[static_cast<std::size_t>(i)] = i >= dense && i % freq == 0;
  }
  return sparse;
}

std::vector<bool> qwen_sparse(HfContext& context) {
  JsonReader& in = context.in;
  const std::int64_t step = dimension_or(in, "decoder_sparse_step", 1);
  std::vector<std::int64_t> dense;
  if (in.has("mlp_only_layers")) {
    dense = in.integers("mlp_only_layers", 0, context.num_hidden_layers - 1);
  }
  std::vector<bool> sparse = all_sparse(context);
  for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
    const bool only_mlp = std::ranges::find(dense, i) != dense.end();
    sparse[static_cast<std::size_t>(i)] = !only_mlp && (i + 1) % step == 0;
  }
  return sparse;
}

std::vector<bool> llama4_sparse(HfContext& context) {
  JsonReader& in = context.in;
  const std::int64_t step = dimension_or(in, "interleave_moe_layer_step", 1);
  std::vector<bool> sparse = all_sparse(context);
  if (in.has("moe_layers")) {
    const auto list = in.integers("moe_layers", 0, context.num_hidden_layers - 1);
    for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
      sparse[static_cast<std::size_t>(i)] = std::ranges::find(list, i) != list.end();
    }
    return sparse;
  }
  for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
    sparse[static_cast<std::size_t>(i)] = (i + 1) % step == 0;
  }
  return sparse;
}

// The dense width is required only where some layer is dense: Qwen3.5-MoE has none and no such key.
std::vector<FfnSpec> mix(HfContext& context, const MoeSpec& moe, const std::vector<bool>& sparse,
                         std::string_view dense_key = "intermediate_size") {
  DenseFfnSpec dense;
  if (std::ranges::count(sparse, false) > 0) {
    dense.intermediate_size = dimension(context.in, dense_key);
  } else {
    context.in.ignore(dense_key);
  }
  std::vector<FfnSpec> layers;
  layers.reserve(sparse.size());
  for (const bool is_sparse : sparse) {
    layers.push_back(is_sparse ? FfnSpec{{}, moe} : FfnSpec{dense, {}});
  }
  return layers;
}

std::vector<FfnSpec> read_dense(HfContext& context) {
  DenseFfnSpec dense{.intermediate_size = dimension(context.in, "intermediate_size")};
  dense.bias = context.in.boolean_or("mlp_bias", false);
  context.in.ignore({"mlp_only_layers", "decoder_sparse_step"});  // without experts all are dense
  return std::vector<FfnSpec>(static_cast<std::size_t>(context.num_hidden_layers),
                              FfnSpec{dense, {}});
}

std::vector<FfnSpec> read_deepseek(HfContext& context) {
  JsonReader& in = context.in;
  // The first DeepSeek code allows a model without experts; it says so with a null.
  if (in.has_null("n_routed_experts")) return read_dense(context);
  MoeSpec moe = read_routed(context);
  read_groups(context, moe);
  read_shared(context, moe);
  return mix(context, moe, deepseek_sparse(context));
}

std::vector<FfnSpec> read_qwen(HfContext& context) {
  JsonReader& in = context.in;
  MoeSpec moe = read_routed(context);
  moe.shared_intermediate_size =
      in.integer_or("shared_expert_intermediate_size", 0, 0, kMaxDimension);
  moe.n_shared_experts = moe.shared_intermediate_size > 0 ? 1 : 0;
  moe.shared_expert_gate = moe.n_shared_experts > 0;
  return mix(context, moe, qwen_sparse(context));
}

std::vector<FfnSpec> read_every_layer(HfContext& context) {
  JsonReader& in = context.in;
  MoeSpec moe = read_routed(context);
  moe.shared_intermediate_size = in.integer_or("shared_intermediate_size", 0, 0, kMaxDimension);
  moe.n_shared_experts = moe.shared_intermediate_size > 0 ? 1 : 0;
  moe.selection_bias = in.boolean_or("use_routing_bias", false);
  moe.router_bias = moe.expert_bias = context.family.model_type == "gpt_oss";
  return std::vector<FfnSpec>(static_cast<std::size_t>(context.num_hidden_layers),
                              FfnSpec{{}, moe});
}

std::vector<FfnSpec> read_llama4(HfContext& context) {
  MoeSpec moe = read_routed(context);
  moe.n_shared_experts = 1;
  moe.shared_intermediate_size = moe.moe_intermediate_size;
  return mix(context, moe, llama4_sparse(context), "intermediate_size_mlp");
}

std::vector<FfnSpec> read_v4(HfContext& context) {
  JsonReader& in = context.in;
  MoeSpec moe = read_routed(context);
  read_groups(context, moe);
  read_shared(context, moe);
  const std::int64_t hashed = in.integer_or("num_hash_layers", 0, 0, context.num_hidden_layers);
  std::vector<FfnSpec> layers;
  for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
    FfnSpec layer{{}, moe};
    layer.moe.hash_routed = i < hashed;
    layer.moe.selection_bias = moe.selection_bias && i >= hashed;
    layers.push_back(layer);
  }
  return layers;
}

// Experts run beside the dense FFN in every layer.
std::vector<FfnSpec> read_gemma4(HfContext& context) {
  std::vector<FfnSpec> layers = read_dense(context);
  if (!context.in.boolean_or("enable_moe_block", false)) {
    context.in.ignore({"num_experts", "top_k_experts", "moe_intermediate_size"});
    return layers;
  }
  MoeSpec moe = read_routed(context);
  moe.router_scale = true;
  for (FfnSpec& layer : layers) layer.moe = moe;
  return layers;
}

}  // namespace

std::vector<FfnSpec> read_ffn(HfContext& context) {
  switch (context.family.moe) {
    case MoeStyle::none:
      return read_dense(context);
    case MoeStyle::deepseek:
      return read_deepseek(context);
    case MoeStyle::qwen:
      return read_qwen(context);
    case MoeStyle::every_layer:
      return read_every_layer(context);
    case MoeStyle::llama4:
      return read_llama4(context);
    case MoeStyle::v4:
      return read_v4(context);
    case MoeStyle::gemma4:
      return read_gemma4(context);
  }
  FATHOM_EXPECT(false, "unhandled expert style");
}

}  // namespace fathom::model
