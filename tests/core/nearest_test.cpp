#include <array>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "core/json_reader.hpp"

namespace fathom {
namespace {

constexpr std::array<std::string_view, 4> kModels{"deepseek-v3", "deepseek-v2-lite", "llama-3",
                                                  "tp"};

TEST_CASE("a swap of two letters is one mistake", "[core][nearest]") {
  const std::array<std::string_view, 2> known{"kv_lora_rank", "q_lora_rank"};
  CHECK(nearest("kv_lora_rnak", known) == "kv_lora_rank");
}

TEST_CASE("case, dashes and underscores do not matter", "[core][nearest]") {
  CHECK(nearest("DeepSeek_V3", kModels) == "deepseek-v3");
  CHECK(nearest("deepseekv3", kModels) == "deepseek-v3");
}

TEST_CASE("the beginning of a name finds the shortest continuation", "[core][nearest]") {
  CHECK(nearest("deepseek", kModels) == "deepseek-v3");
}

TEST_CASE("a name with something appended is still found", "[core][nearest]") {
  CHECK(nearest("llama-3-instruct", kModels) == "llama-3");
}

TEST_CASE("a short word is allowed one mistake and not two", "[core][nearest]") {
  CHECK(nearest("ttp", kModels) == "tp");
  CHECK(nearest("xx", kModels).empty());
}

TEST_CASE("words with nothing in common are not near", "[core][nearest]") {
  const std::array<std::string_view, 1> known{"a"};
  CHECK(nearest("b", known).empty());
  CHECK(nearest("", known).empty());
}

TEST_CASE("a very long word is nobody's neighbour", "[core][nearest]") {
  CHECK(nearest(std::string(1000000, 'a'), kModels).empty());
}

TEST_CASE("a suggestion is a clause of its own, or nothing", "[core][nearest]") {
  CHECK(did_you_mean("llama3", kModels) == "; did you mean 'llama-3'?");
  CHECK(did_you_mean("zebra", kModels).empty());
}

}  // namespace
}  // namespace fathom
