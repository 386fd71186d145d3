#include "catch.hpp"
#include "documents.hpp"
#include "forms/form.hpp"
#include "hw/cluster.hpp"
#include "hw/efficiency.hpp"
#include "schema_keys.hpp"

using namespace fathom;
using nlohmann::json;
using schema_test::Example;
using schema_test::with;

TEST_CASE("the hardware schema says what the reader of profiles does", "[hw][schema]") {
  const json system =
      with(hw::test::system("h800"), "/machine", {{"fingerprint", "x"}, {"model", "a machine"}});
  const std::vector<Example> examples{
      {"", system, ""},
      {"/definitions/source", system, "/sources/day6"},
      {"/definitions/figure", system, "/device/compute_units"},
      {"/definitions/machine", system, "/machine"},
      {"/definitions/device", system, "/device"},
      {"/definitions/memory", system, "/device/memory"},
      {"/definitions/peaks", system, "/device/peak_dense_tflops"},
      {"/definitions/matrix", system, "/device/peak_dense_tflops/matrix"},
      {"/definitions/vector", system, "/device/peak_dense_tflops/vector"},
      {"/definitions/tier", system, "/interconnect/0"},
      {"/definitions/price", system, "/price"}};
  const auto read = [](const json& document) {
    return hw::to_json(hw::parse_cluster(document, "x.json#"));
  };
  CHECK(schema_test::faults("hardware", {"hw"}, examples, read) == schema_test::kNone);
}

TEST_CASE("the efficiency schema says what the reader of efficiencies does", "[hw][schema]") {
  const json whole = hw::test::efficiencies("hopper-h800");
  const json transferred = hw::test::efficiencies("hopper-h800-2025-09");
  const auto entry = [&](std::string_view family) {
    std::size_t i = 0;
    while (whole["entries"][i]["family"] != family) ++i;
    return fmt::format("/entries/{}", i);
  };
  const std::string form = "/forms/infersim_mla_decode/kv_bf16";
  const json ratios{{"scales", json::object()},
                    {"shapes", json::array()},
                    {"weights", json::array()},
                    {"median_error", 0.1},
                    {"p90_error", 0.2}};
  json with_ratios = with(transferred, form + "/ratios", ratios);
  for (const char* column :
       {"batch", "query_tokens", "context_tokens", "heads", "kv_heads", "qk_dim", "v_dim"}) {
    with_ratios = with(std::move(with_ratios), form + "/ratios/scales/" + column, 1.0);
  }
  const std::vector<Example> examples{
      {"", whole, ""},
      {"", transferred, ""},
      {"/definitions/source", whole, "/sources/aic"},
      {"/definitions/transfer", transferred, "/transfer"},
      {"/definitions/arithmetic_entry", whole, entry("gemm")},
      {"/definitions/pointwise_entry", whole, entry("norm")},
      {"/definitions/communication_entry", whole, entry("all_reduce")},
      {"/definitions/form", transferred, form},
      {"/definitions/ratios", with_ratios, form + "/ratios"}};
  const auto read = [](const json& document) {
    return hw::to_json(hw::parse_efficiency(document, "x.json#"));
  };
  CHECK(schema_test::faults("efficiency", {"hw"}, examples, read) == schema_test::kNone);
}

TEST_CASE("the efficiency schema names the families of forms and of operators", "[hw][schema]") {
  const json schema = schema_test::schema("efficiency");
  const auto strings = [&](const std::string& pointer) {
    return schema_test::at(schema, pointer).get<std::vector<std::string>>();
  };
  std::vector<std::string> forms;
  for (const forms::Form& form : forms::all_forms()) forms.emplace_back(form.family);
  CHECK(strings("/properties/forms/propertyNames/enum") == forms);
  std::vector<std::string> arithmetic, pointwise, communication, all;
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const auto family = static_cast<hw::Family>(f);
    auto& kind = hw::is_arithmetic(family)      ? arithmetic
                 : hw::is_communication(family) ? communication
                                                : pointwise;
    kind.emplace_back(hw::name(family));
    all.emplace_back(hw::name(family));
  }
  CHECK(strings("/definitions/entry/properties/family/enum") == all);
  CHECK(strings("/definitions/entry/allOf/0/if/properties/family/enum") == arithmetic);
  CHECK(strings("/definitions/entry/allOf/1/if/properties/family/enum") == pointwise);
  CHECK(strings("/definitions/entry/allOf/2/if/properties/family/enum") == communication);
}
