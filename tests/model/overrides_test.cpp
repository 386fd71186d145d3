#include "catch.hpp"
#include "model/model_files.hpp"
#include "model/params.hpp"

namespace fathom::model {
namespace {

using test::missing;

using test::complaint;
using test::config_of;
using test::load;

TEST_CASE("a set field changes the model and nothing else", "[model][set]") {
  const ArchSpec plain = load("deepseek-v3");
  const ArchSpec halved = load("deepseek-v3", {.sets = {"kv_lora_rank=256"}});
  CHECK(std::get<MlaSpec>(halved.kinds[0].attention).kv_lora_rank == 256);
  CHECK(halved.layers == plain.layers);
  // kv_a_proj, its norm and kv_b_proj lose 256 columns in each of 61 layers.
  const std::int64_t lost = 256LL * (7168 + 1 + 128 * 256) * 61;
  CHECK(count_params(plain).total_main - count_params(halved).total_main == lost);
}

TEST_CASE("nested fields and lists can be set", "[model][set]") {
  CHECK(load("deepseek-v3", {.sets = {"rope_scaling.factor=20"}}).rope.factor == 20.0);
  CHECK(load("deepseek-v3", {.sets = {"quantization_config=null"}}).checkpoint.linear ==
        Dtype::bf16);
  const ArchSpec one =
      load("gpt-oss-20b", {.sets = {"num_hidden_layers=1", "layer_types=[\"full_attention\"]"}});
  CHECK(kind_name(one.kinds[0].attention) == "gqa");
}

TEST_CASE("a field that is absent may be set when the reader knows it", "[model][set]") {
  const ReadOptions options{.sets = {"tie_word_embeddings=true"}};
  CHECK(load("deepseek-v3", options).tie_word_embeddings);
}

TEST_CASE("a set field that does not exist names the nearest", "[model][set]") {
  const auto config = config_of("deepseek-v3");
  CHECK(missing(complaint(config, {.sets = {"kv_lora_rnak=256"}}),
                {"--set", "did you mean 'kv_lora_rank'"}) == "");
  CHECK(missing(complaint(config, {.sets = {"rope_scaling.factr=2"}}), {"did you mean 'factor'"}) ==
        "");
  CHECK(missing(complaint(config, {.sets = {"rope_scalin.factor=2"}}),
                {"did you mean 'rope_scaling'"}) == "");
}

TEST_CASE("a set value is checked like a written one", "[model][set]") {
  const std::string set = GENERATE(
      "kv_lora_rank=0", "kv_lora_rank=-1", "kv_lora_rank=1.5", "kv_lora_rank=wide",
      "kv_lora_rank=", "kv_lora_rank=1e400", "num_experts_per_tok=257", "num_hidden_layers=0", "=3",
      "kv_lora_rank", "hidden_size=9007199254740993", "vocab_size.x=1");
  CAPTURE(set);
  CHECK(!complaint(config_of("deepseek-v3"), {.sets = {set}}).empty());
}

}  // namespace
}  // namespace fathom::model
