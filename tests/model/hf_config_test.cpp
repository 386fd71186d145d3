#include "model/hf_config.hpp"

#include "catch.hpp"
#include "model/model_files.hpp"

namespace fathom::model {
namespace {

using test::missing;

using nlohmann::json;
using test::complaint;
using test::config_of;

json v3_with(const char* key, const json& value) {
  json config = config_of("deepseek-v3");
  config[key] = value;
  return config;
}

json v3_without(const char* key) {
  json config = config_of("deepseek-v3");
  config.erase(key);
  return config;
}

TEST_CASE("a misspelt key is named with the one that was meant", "[model][input]") {
  json config = v3_without("kv_lora_rank");
  config["kv_lora_rnak"] = 512;
  CHECK(complaint(config) == "x.json#: unknown key 'kv_lora_rnak'; did you mean 'kv_lora_rank'?");
}

TEST_CASE("a required field that is missing is named", "[model][input]") {
  const auto key = GENERATE("hidden_size", "num_hidden_layers", "num_attention_heads",
                            "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
                            "vocab_size", "n_routed_experts", "num_experts_per_tok",
                            "moe_intermediate_size", "intermediate_size");
  CHECK(missing(complaint(v3_without(key)), {key}) == "");
}

TEST_CASE("a value of the wrong kind or range is refused at its pointer", "[model][input]") {
  const auto value = GENERATE(as<json>{}, json(-1), json(0), json(1.5), json("512"), json(true),
                              json::array({512}), json::object(), json(1e30));
  CAPTURE(value.dump());
  CHECK(missing(complaint(v3_with("kv_lora_rank", value)), {"x.json#/kv_lora_rank"}) == "");
}

TEST_CASE("contradictions are refused at the field that causes them", "[model][input]") {
  CHECK(missing(complaint(v3_with("num_experts_per_tok", 257)),
                {"#/num_experts_per_tok", "n_routed_experts = 256"}) == "");
  CHECK(missing(complaint(v3_with("num_key_value_heads", 8)), {"#/num_key_value_heads"}) == "");
  CHECK(missing(complaint(v3_with("topk_group", 9)), {"#/topk_group"}) == "");
  CHECK(missing(complaint(v3_with("n_group", 7)), {"#/n_group"}) == "");
  CHECK(missing(complaint(v3_with("first_k_dense_replace", 62)), {"#/first_k_dense_replace"}) ==
        "");
  CHECK(missing(complaint(v3_with("num_experts", 128)), {"contradicts"}) == "");
  CHECK(missing(complaint(v3_with("torch_dtype", "bflot16")), {"bfloat16"}) == "");
  CHECK(missing(complaint(v3_with("scoring_func", "sigmod")), {"sigmoid"}) == "");
  CHECK(missing(complaint(v3_with("attention_bias", true)), {"#/attention_bias"}) == "");

  json llama = config_of("llama-3.1-8b");
  llama["num_key_value_heads"] = 64;
  CHECK(missing(complaint(llama), {"more than num_attention_heads = 32"}) == "");
  llama["num_key_value_heads"] = 5;
  CHECK(missing(complaint(llama), {"does not divide num_attention_heads = 32"}) == "");
  llama = config_of("llama-3.1-8b");
  llama["hidden_size"] = 4095;
  CHECK(missing(complaint(llama), {"head_dim is absent"}) == "");

  json gpt_oss = config_of("gpt-oss-20b");
  gpt_oss["layer_types"].push_back("full_attention");
  CHECK(missing(complaint(gpt_oss), {"#/layer_types: 25 entries"}) == "");
  gpt_oss["layer_types"].erase(0);
  gpt_oss["layer_types"][3] = "ful_attention";
  CHECK(missing(complaint(gpt_oss), {"did you mean 'full_attention'"}) == "");

  json v4 = config_of("deepseek-v4-flash");
  v4["compress_ratios"].push_back(4);
  CHECK(missing(complaint(v4), {"#/compress_ratios: 45 entries"}) == "");
  v4 = config_of("deepseek-v4-flash");
  v4["o_groups"] = 7;
  CHECK(missing(complaint(v4), {"#/o_groups"}) == "");
}

TEST_CASE("a list one longer than the layers is V4's MTP entry", "[model][input]") {
  json v4 = config_of("deepseek-v4-flash");
  const ArchSpec with = parse_hf_config(v4, "x.json#");
  v4["compress_ratios"].erase(v4["compress_ratios"].size() - 1);
  const ArchSpec without = parse_hf_config(v4, "x.json#");
  CHECK(with == without);
}

TEST_CASE("an architecture that nobody knows is never read as another one", "[model][input]") {
  CHECK(missing(complaint({{"model_type", "phi3"}, {"hidden_size", 3072}}), {"phi3"}) == "");
  CHECK(missing(complaint({{"model_type", "lama"}}), {"did you mean 'llama'"}) == "");
  CHECK(missing(complaint({{"architectures", {"DeepseekV5ForCausalLM"}}}),
                {"#/architectures/0", "did you mean 'DeepseekV"}) == "");
  CHECK(missing(complaint({{"model_type", "llama"},
                           {"architectures", {"LlamaForSequenceClassification"}}}),
                {"LlamaForSequenceClassification"}) == "");
  CHECK(missing(complaint({{"hidden_size", 1}}), {"neither model_type nor architectures"}) == "");
  CHECK(missing(complaint({{"model_type", 3}}), {"#/model_type"}) == "");
  CHECK(missing(complaint({{"architectures", json::array()}}), {"#/architectures"}) == "");
  CHECK(missing(complaint(json::array()), {"expected an object"}) == "");
  CHECK(missing(complaint(json::object()), {"x.json#"}) == "");
}

TEST_CASE("a part that is not modelled is refused by field and name", "[model][input]") {
  const auto [key, value, part] = GENERATE(table<std::string, json, std::string>({
      {"hybrid_override_pattern", "M*", "Mamba-2"},
      {"linear_attn_config", {{"kda_layers", {1}}}, "Kimi delta attention"},
      {"sparse_attention_config", {{"sparse_topk_blocks", 16}}, "block-sparse"},
      {"routed_expert_hidden_size", 3584, "latent experts"},
      {"engram_layers", {1, 14}, "Engram"},
      {"dspark_num_layers", 3, "DSpark"},
      {"num_kv_shared_layers", 20, "reuse another layer"},
      {"attn_type_list", {1, 0, 1}, "lightning"},
  }));
  const std::string message = complaint(v3_with(key.c_str(), value));
  CHECK(missing(message, {"#/" + key, part}) == "");
}

TEST_CASE("a part that is switched off does not matter", "[model][input]") {
  CHECK(complaint(v3_with("num_kv_shared_layers", 0)).empty());
  CHECK(complaint(v3_with("sparse_attention_config", nullptr)).empty());
  CHECK(complaint(v3_with("attn_type_list", {1, 1})).empty());
}

TEST_CASE("a vision tower needs --text-only, and is remembered", "[model][input]") {
  json config{{"architectures", {"Gemma3ForConditionalGeneration"}},
              {"vision_config", {{"hidden_size", 1152}}},
              {"text_config", config_of("gemma-3-27b")}};
  CHECK(missing(complaint(config), {"#/vision_config", "--text-only"}) == "");
  const ArchSpec arch = parse_hf_config(config, "x.json#", {.text_only = true});
  REQUIRE(arch.unmodelled.size() == 1);
  CHECK(missing(arch.unmodelled.front(), {"vision"}) == "");
  config["text_config"]["hiden_size"] = 1;
  CHECK(missing(complaint(config, {.text_only = true}),
                {"x.json#/text_config", "did you mean 'hidden_size'"}) == "");
}

TEST_CASE("a key of another family is not silently ignored", "[model][input]") {
  json llama = config_of("llama-3.1-8b");
  llama["kv_lora_rank"] = 512;
  CHECK(missing(complaint(llama), {"kv_lora_rank"}) == "");
  llama.erase("kv_lora_rank");
  llama["n_routed_experts"] = 8;
  CHECK(missing(complaint(llama), {"n_routed_experts"}) == "");
}

TEST_CASE("dimensions whose product nobody could count are refused", "[model][input]") {
  json config = config_of("deepseek-v3");
  for (const char* key : {"hidden_size", "moe_intermediate_size", "n_routed_experts"})
    config[key] = 524288;
  CHECK(missing(complaint(config), {"parameters"}) == "");
  CHECK(missing(complaint(v3_with("hidden_size", 1 << 20)), {"#/hidden_size"}) == "");
}

TEST_CASE("quantised checkpoints are understood or refused", "[model][input]") {
  const auto format = [](const json& quant) {
    return parse_hf_config(v3_with("quantization_config", quant), "x.json#").checkpoint;
  };
  const json block{{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}};
  CHECK(format(block).linear == Dtype::fp8_block);
  CHECK(format({{"quant_method", "fbgemm_fp8"}}).experts == Dtype::fp8);
  const CheckpointFormat packed = format(
      {{"quant_method", "compressed-tensors"},
       {"ignore", {"re:.*self_attn.*"}},
       {"config_groups",
        {{"group_0", {{"weights", {{"num_bits", 4}, {"type", "float"}, {"group_size", 32}}}}}}}});
  CHECK(packed.experts == Dtype::mxfp4);
  CHECK(packed.linear == Dtype::bf16);
  CHECK(missing(complaint(v3_with("quantization_config", {{"quant_method", "gptq"}})),
                {"quant_method"}) == "");
  CHECK(missing(complaint(v3_with("quantization_config",
                                  {{"quant_method", "fp8"}, {"weight_block_size", {32, 32}}})),
                {"32 x 32"}) == "");
  CHECK(missing(complaint(
                    v3_with("quantization_config",
                            {{"quant_method", "compressed-tensors"},
                             {"config_groups",
                              {{"group_0", {{"weights", {{"num_bits", 4}, {"type", "int"}}}}}}}})),
                {"4-bit"}) == "");
}

}  // namespace
}  // namespace fathom::model
