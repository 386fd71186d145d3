#include <cmath>

#include "catch.hpp"
#include "model/kv_cache.hpp"
#include "model/model_files.hpp"
#include "model/params.hpp"

namespace fathom::model {
namespace {

using test::missing;

using nlohmann::json;

bool present(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return true;
  WARN(path.filename().string() << " is not beside this checkout: nothing compared");
  return false;
}

// "hf_configs/X.json (remark)" or a remark that no file was found: then our own file stands in.
std::filesystem::path config_path(const std::string& name, const std::string& config) {
  const std::filesystem::path published =
      test::reference_dir() / config.substr(0, config.find(' '));
  const bool usable =
      config.find("_configs/") != std::string::npos && std::filesystem::exists(published);
  if (usable) return published;
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return test::models_dir() / (lower + ".json");
}

bool is_count(const json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && value.get<double>() == std::floor(value.get<double>());
}

// Every integer of `expected` stands at the same pointer of `derived`.
int compare(const json& expected, const json& derived, const std::string& where) {
  int compared = 0;
  const json flat = expected.flatten();
  for (const auto& item : flat.items()) {
    if (!is_count(item.value())) continue;
    const json::json_pointer pointer(item.key());
    INFO(where << item.key());
    REQUIRE(derived.contains(pointer));
    CHECK(derived.at(pointer) == item.value());
    ++compared;
  }
  return compared;
}

TEST_CASE("every published or derived count is reproduced exactly", "[model][oracle]") {
  const auto path = test::reference_dir() / "models_expected.json";
  if (!present(path)) return;
  const json expected = read_json(path)["models"];
  int compared = 0;
  for (const auto& item : expected.items()) {
    const json& entry = item.value();
    const auto config = config_path(item.key(), entry["config"].get<std::string>());
    INFO(item.key() << " from " << config.filename().string());
    REQUIRE(std::filesystem::exists(config));
    const ArchSpec arch = load_model(config.string()).arch;
    if (entry.contains("params")) {
      compared += compare(entry["params"], params_json(arch), "params");
    }
    compared += compare(entry["kv_cache"], kv_cache_json(arch), "kv_cache");
    if (!entry.contains("decode_flops_per_token")) continue;
    compared +=
        compare(entry["decode_flops_per_token"],
                decode_flops_json(arch, {4096, 32768, 131072, 1048576}), "decode_flops_per_token");
  }
  CHECK(compared > 700);
}

TEST_CASE("checkpoints weigh what was published", "[model][oracle]") {
  const auto path = test::reference_dir() / "models_expected.json";
  if (!present(path)) return;
  const json models = read_json(path)["models"];
  const auto of = [](const char* name) { return checkpoint_bytes(test::load(name)); };
  const json& v3 = models["DeepSeek-V3"]["checkpoint_oracle"];
  CHECK(json(of("deepseek-v3").elements_by_dtype) == v3["by_dtype"]);
  CHECK(of("deepseek-v3").tensor_bytes == v3["tensor_bytes"]);
  CHECK(of("deepseek-v3").tensor_elements == v3["tensor_elements"]);
  const json& flash = models["DeepSeek-V4-Flash"]["checkpoint_oracle"];
  CHECK(json(of("deepseek-v4-flash").bytes_by_dtype) == flash["bytes_by_dtype"]);
  CHECK(of("deepseek-v4-flash").tensor_elements == flash["hf_headline_elements"]);
  const json& pro = models["DeepSeek-V4-Pro"]["checkpoint_oracle"];
  const CheckpointBytes bytes = of("deepseek-v4-pro");
  for (const auto& [dtype, elements] : bytes.elements_by_dtype) {
    CHECK(pro[dtype + "_elements"] == elements);
  }
  CHECK(bytes.tensor_bytes == pro["tensor_bytes"]);
}

TEST_CASE("our files describe the published configurations", "[model][oracle]") {
  const auto [ours, published] = GENERATE(table<std::string, std::string>({
      {"deepseek-v2-lite", "DeepSeek-V2-Lite"},
      {"deepseek-v3", "DeepSeek-V3"},
      {"deepseek-v3.2", "DeepSeek-V3.2"},
      {"deepseek-v4-flash", "DeepSeek-V4-Flash"},
      {"deepseek-v4-pro", "DeepSeek-V4-Pro"},
      {"glm-5.2", "GLM-5.2"},
      {"kimi-k2", "Kimi-K2-Instruct"},
      {"gpt-oss-120b", "gpt-oss-120b"},
      {"mixtral-8x7b", "Mixtral-8x7B-v0.1"},
      {"qwen3-next-80b-a3b", "Qwen3-Next-80B-A3B"},
      {"llama-4-maverick", "Llama-4-Maverick-17B-128E-Instruct"},
  }));
  const auto path = test::reference_dir() / "hf_configs" / (published + ".json");
  if (!present(path)) return;
  ArchSpec reference = load_model(path.string()).arch;
  ArchSpec arch = test::load(ours);
  CAPTURE(ours);
  reference.name = arch.name;
  CHECK(to_json(arch) == to_json(reference));
}

// A configuration is modelled, or the complaint names a field of it.
TEST_CASE("every published configuration is read or refused by field", "[model][oracle]") {
  const auto folder = GENERATE("hf_configs", "ds_inference_configs");
  const auto path = test::reference_dir() / folder;
  if (!present(path)) return;
  int read = 0, refused = 0;
  for (const auto& file : std::filesystem::directory_iterator(path)) {
    if (file.path().extension() != ".json") continue;
    CAPTURE(file.path().filename().string());
    try {
      const ArchSpec arch = load_model(file.path().string(), {.text_only = true}).arch;
      CHECK(count_params(arch).total_main > 100'000'000);
      ++read;
    } catch (const InputError& error) {
      CHECK(missing(error.what(), {"which we do not model"}) == "");
      ++refused;
    }
  }
  CHECK(read > 5);
  CHECK(refused <= 3);
}

}  // namespace
}  // namespace fathom::model
