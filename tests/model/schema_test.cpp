#include "catch.hpp"
#include "core/temp_dir.hpp"
#include "model/config_keys.hpp"
#include "model_files.hpp"
#include "schema_keys.hpp"

using namespace fathom;
using nlohmann::json;
using schema_test::Example;
using schema_test::with;

namespace {

json shipped(const std::string& name) {
  return read_json(model::test::models_dir() / (name + ".json"));
}

// What cannot be read as a model file of ours is refused as in production, by file.
json read_model(const json& document) {
  const test::TempDir folder;
  const std::filesystem::path file = folder.file("x.json", document.dump());
  return model::to_json(model::load_model(file.string()).arch);
}

json quantised(const char* quantization) {
  return with(shipped("llama-3.1-8b"), "/config/quantization_config", json::parse(quantization));
}

}  // namespace

TEST_CASE("the model schema says what the reader of models does", "[model][schema]") {
  json rope = shipped("deepseek-v3");
  rope.erase("published");
  const json layered =
      with(rope, "/config/rope_scaling", {{"full_attention", rope["config"]["rope_scaling"]}});
  const json native{{"source", json::array()},
                    {"config",
                     {{"dim", 256},
                      {"n_layers", 2},
                      {"n_heads", 4},
                      {"vocab_size", 1000},
                      {"inter_dim", 512},
                      {"moe_inter_dim", 128},
                      {"n_dense_layers", 1},
                      {"n_routed_experts", 8},
                      {"n_shared_experts", 1},
                      {"n_activated_experts", 2},
                      {"q_lora_rank", 64},
                      {"kv_lora_rank", 64},
                      {"qk_nope_head_dim", 32},
                      {"qk_rope_head_dim", 16},
                      {"v_head_dim", 32}}}};
  const std::string quantization = "/config/quantization_config";
  const std::vector<Example> examples{
      {"", rope, ""},
      {"/definitions/published", shipped("deepseek-v3"), "/published"},
      {"/definitions/config", shipped("llama-3.1-8b"), "/config"},
      {"/definitions/native_config", native, "/config"},
      {"/definitions/rope", rope, "/config/rope_scaling"},
      {"/definitions/rope", layered, "/config/rope_scaling"},
      {"/definitions/quantization_fp8", quantised(R"({"quant_method": "fp8"})"), quantization},
      {"/definitions/quantization_mxfp4", quantised(R"({"quant_method": "mxfp4"})"), quantization},
      {"/definitions/quantization_compressed",
       quantised(R"({"quant_method": "compressed-tensors", "config_groups":
                     {"group_0": {"weights": {"num_bits": 8, "type": "float"}}}})"),
       quantization},
      {"/definitions/quantization_modelopt",
       quantised(R"({"quant_method": "modelopt", "quant_algo": "FP8"})"), quantization}};
  const std::vector<std::string> keys{"model/load_model.cpp", "model/hf_quantization.cpp",
                                      "model/ds_config.cpp"};
  CHECK(schema_test::faults("model", keys, examples, read_model) == schema_test::kNone);
}

TEST_CASE("the model schema has every key of a configuration that some family reads",
          "[model][schema]") {
  const json schema = schema_test::schema("model");
  const json& known = schema_test::at(schema, "/definitions/config/properties");
  std::vector<std::string> missing;
  for (const auto keys : {model::read_keys(), model::ignored_keys()}) {
    for (const std::string_view key : keys) {
      if (!known.contains(key)) missing.emplace_back(key);
    }
  }
  CHECK(missing == std::vector<std::string>{});
}
