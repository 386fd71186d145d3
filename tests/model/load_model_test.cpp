#include <algorithm>
#include <fstream>

#include "catch.hpp"
#include "model/model_files.hpp"
#include "model/model_json.hpp"

namespace fathom::model {
namespace {

using test::missing;

namespace fs = std::filesystem;
using nlohmann::json;

std::string load_error(const json& document) {
  const fs::path path = fs::temp_directory_path() / "fathom_load_model_test.json";
  std::ofstream(path) << document;
  return test::message_of([&] { load_model(path.string()); });
}

TEST_CASE("every model file loads and reproduces its published figures", "[model][files]") {
  int files = 0;
  for (const auto& file : fs::directory_iterator(test::models_dir())) {
    CAPTURE(file.path().filename().string());
    const Model model = load_model(file.path().string());
    CHECK(model.arch.name == file.path().stem().string());
    CHECK(!model.source.empty());
    CHECK(model.hash.size() == 16);
    CHECK(model_json(model, {4096})["kv_cache"].contains("formats"));
    ++files;
  }
  CHECK(files >= 26);
}

TEST_CASE("a published figure that the dimensions do not give fails the file", "[model][files]") {
  json document = read_json(test::models_dir() / "deepseek-v3.json");
  document["published"] = {{"total", "672B"}};
  CHECK(missing(load_error(document), {"#/published/total", "672B", "671026419200"}) == "");
  document["published"] = {{"total", 671026419201}};
  CHECK(!load_error(document).empty());
  document["published"] = {{"total", 671026419200}, {"activated_excl_embedding", "36.6B"}};
  CHECK(load_error(document).empty());
  document["published"] = {{"totel", "671B"}};
  CHECK(missing(load_error(document), {"did you mean 'total'"}) == "");
  document["published"] = {{"total", "many"}};
  CHECK(missing(load_error(document), {"\"671B\""}) == "");
}

TEST_CASE("self-checks rest when the model is changed on purpose", "[model][files]") {
  const ReadOptions options{.sets = {"num_hidden_layers=4"}};
  CHECK(test::load("deepseek-v3", options).layers.size() == 4);
}

TEST_CASE("the model document is complete for each way of attending", "[model][json]") {
  const std::string name = GENERATE("deepseek-v3", "deepseek-v4-pro", "gpt-oss-20b", "llama-2-7b",
                                    "qwen3-next-80b-a3b", "glm-5.2");
  CAPTURE(name);
  const Model model = load_model((test::models_dir() / (name + ".json")).string());
  const json document = model_json(model, {4096, 32768});
  for (const char* key :
       {"name", "params", "activated", "checkpoint", "kv_cache", "layers", "attention",
        "decode_flops_per_token", "training_flops_per_token", "unmodelled", "source"}) {
    CHECK(document.contains(key));
  }
  CHECK(document["decode_flops_per_token"].size() == 2);
}

}  // namespace
}  // namespace fathom::model
