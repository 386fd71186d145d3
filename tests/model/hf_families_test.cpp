#include "catch.hpp"
#include "model/kv_cache.hpp"
#include "model/model_files.hpp"
#include "model/params.hpp"

namespace fathom::model {
namespace {

using test::missing;

using nlohmann::json;

ArchSpec parse(const json& config) { return parse_hf_config(config, "x.json#"); }

// Dimensions recalled from the published files of models that we ship no file for; the totals are
// the tensor counts of those releases.
json qwen2_7b() {
  return {{"architectures", {"Qwen2ForCausalLM"}},
          {"model_type", "qwen2"},
          {"hidden_size", 3584},
          {"intermediate_size", 18944},
          {"max_position_embeddings", 32768},
          {"max_window_layers", 28},
          {"num_attention_heads", 28},
          {"num_hidden_layers", 28},
          {"num_key_value_heads", 4},
          {"rope_theta", 1000000.0},
          {"sliding_window", 131072},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"},
          {"use_sliding_window", false},
          {"vocab_size", 152064}};
}

json qwen15_moe() {
  return {{"architectures", {"Qwen2MoeForCausalLM"}},
          {"model_type", "qwen2_moe"},
          {"hidden_size", 2048},
          {"intermediate_size", 5632},
          {"moe_intermediate_size", 1408},
          {"shared_expert_intermediate_size", 5632},
          {"num_experts", 60},
          {"num_experts_per_tok", 4},
          {"num_attention_heads", 16},
          {"num_key_value_heads", 16},
          {"num_hidden_layers", 24},
          {"decoder_sparse_step", 1},
          {"max_position_embeddings", 8192},
          {"max_window_layers", 21},
          {"norm_topk_prob", false},
          {"output_router_logits", false},
          {"sliding_window", 32768},
          {"use_sliding_window", false},
          {"tie_word_embeddings", false},
          {"vocab_size", 151936}};
}

json gemma2_27b() {
  return {{"architectures", {"Gemma2ForCausalLM"}},
          {"model_type", "gemma2"},
          {"hidden_size", 4608},
          {"intermediate_size", 36864},
          {"head_dim", 128},
          {"num_attention_heads", 32},
          {"num_key_value_heads", 16},
          {"num_hidden_layers", 46},
          {"sliding_window", 4096},
          {"max_position_embeddings", 8192},
          {"vocab_size", 256000},
          {"torch_dtype", "float32"}};
}

json mistral_nemo() {
  return {{"architectures", {"MistralForCausalLM"}},
          {"model_type", "mistral"},
          {"hidden_size", 5120},
          {"intermediate_size", 14336},
          {"head_dim", 128},
          {"num_attention_heads", 32},
          {"num_key_value_heads", 8},
          {"num_hidden_layers", 40},
          {"sliding_window", nullptr},
          {"max_position_embeddings", 131072},
          {"vocab_size", 131072},
          {"torch_dtype", "bfloat16"}};
}

TEST_CASE("models without a file of ours are read by their family", "[model][families]") {
  CHECK(count_params(parse(qwen2_7b())).total_main == 7'615'616'512);
  CHECK(count_params(parse(qwen15_moe())).total_main == 14'315'784'192);
  CHECK(count_params(parse(gemma2_27b())).total_main == 27'227'128'320);
  CHECK(count_params(parse(mistral_nemo())).total_main == 12'247'782'400);
}

TEST_CASE("a window that is not used is no window", "[model][families]") {
  json config = qwen2_7b();
  CHECK(kind_name(parse(config).kinds[0].attention) == "gqa");
  config["use_sliding_window"] = true;
  config["max_window_layers"] = 20;
  const ArchSpec arch = parse(config);
  REQUIRE(arch.kinds.size() == 2);
  CHECK(layer_kv(arch.kinds[1].attention, {}).cap_tokens == 131072);
  CHECK(arch.layers[19] == 0);
  CHECK(arch.layers[20] == 1);
}

TEST_CASE("an absent Mistral window is the default one, a null window is none",
          "[model][families]") {
  json config = mistral_nemo();
  CHECK(kind_name(parse(config).kinds[0].attention) == "gqa");
  config.erase("sliding_window");
  CHECK(layer_kv(parse(config).kinds[0].attention, {}).cap_tokens == 4096);
}

TEST_CASE("MoE layers fall where each family puts them", "[model][families]") {
  json config = qwen15_moe();
  config["decoder_sparse_step"] = 2;
  config["mlp_only_layers"] = {1, 3};
  const ArchSpec arch = parse(config);
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    const bool moe = arch.kinds[static_cast<std::size_t>(arch.layers[i])].moe.n_routed_experts > 0;
    CHECK(moe == (i % 2 == 1 && i > 3));
  }
  const ArchSpec llama4 = test::load("llama-4-maverick");
  CHECK(llama4.kinds[static_cast<std::size_t>(llama4.layers[0])].moe.n_routed_experts == 0);
  CHECK(llama4.kinds[static_cast<std::size_t>(llama4.layers[1])].moe.n_routed_experts == 128);
}

TEST_CASE("Gemma-3 fills in what its files leave out", "[model][families]") {
  // The text part of the 4B model names five dimensions and its window.
  const json config{{"model_type", "gemma3_text"},
                    {"hidden_size", 2560},
                    {"intermediate_size", 10240},
                    {"num_hidden_layers", 34},
                    {"sliding_window", 1024}};
  const ArchSpec arch = parse(config);
  const auto& gqa = std::get<GqaSpec>(arch.kinds[0].attention);
  CHECK(gqa.num_attention_heads == 8);
  CHECK(gqa.num_key_value_heads == 4);
  CHECK(gqa.head_dim == 256);
  CHECK(arch.vocab_size == 262208);
  CHECK(arch.tie_word_embeddings);
  CHECK(arch.layers[4] == 0);
  CHECK(arch.layers[5] == 1);
}

TEST_CASE("every spelling of a field gives the same model", "[model][families]") {
  const json plain = test::config_of("deepseek-v3");
  const ArchSpec expected = parse(plain);
  const auto [from, to] = GENERATE(table<std::string, std::string>({
      {"n_routed_experts", "num_experts"},
      {"n_routed_experts", "num_local_experts"},
      {"num_experts_per_tok", "num_experts_per_token"},
      {"num_experts_per_tok", "experts_per_token"},
      {"n_shared_experts", "num_shared_experts"},
      {"rope_scaling", "rope_parameters"},
      {"torch_dtype", "dtype"},
  }));
  json renamed = plain;
  renamed[to] = renamed[from];
  CHECK(parse(renamed) == expected);  // both, agreeing
  renamed.erase(from);
  CHECK(parse(renamed) == expected);
}

TEST_CASE("DeepSeek's own schema describes the same layers", "[model][families]") {
  const json schema{{"vocab_size", 129280},    {"dim", 7168},
                    {"inter_dim", 18432},      {"moe_inter_dim", 2048},
                    {"n_layers", 61},          {"n_dense_layers", 3},
                    {"n_heads", 128},          {"n_routed_experts", 256},
                    {"n_shared_experts", 1},   {"n_activated_experts", 8},
                    {"n_expert_groups", 8},    {"n_limited_groups", 4},
                    {"route_scale", 2.5},      {"score_func", "sigmoid"},
                    {"q_lora_rank", 1536},     {"kv_lora_rank", 512},
                    {"qk_nope_head_dim", 128}, {"qk_rope_head_dim", 64},
                    {"v_head_dim", 128},       {"dtype", "fp8"}};
  const ArchSpec v3 = test::load("deepseek-v3");
  const ArchSpec arch = parse(schema);
  CHECK(arch.kinds == v3.kinds);
  CHECK(arch.layers == v3.layers);
  CHECK(arch.checkpoint == v3.checkpoint);
  json misspelt = schema;
  misspelt["n_head"] = 128;
  CHECK(missing(test::complaint(misspelt), {"did you mean 'n_heads'"}) == "");
}

}  // namespace
}  // namespace fathom::model
