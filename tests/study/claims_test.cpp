#include "study/claims.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

Claim claim_of(ClaimQuantity quantity, ClaimCase one) {
  return {.id = "x",
          .statement = "x",
          .quantity = quantity,
          .low = 10.0,
          .high = 20.0,
          .unit = "x",
          .cases = {std::move(one)}};
}

double only_figure(const Claim& claim) {
  const ClaimsResult result = check_claims({claim}, "claims");
  REQUIRE(result.claims.front().cases.front().size() == 1);
  return result.claims.front().cases.front().front().figure.value();
}

bool near(double a, double b) { return std::abs(a - b) <= 1e-9 * std::abs(b); }

std::string complaint(const json& claims) {
  const json document{{"claims", claims}};
  try {
    JsonReader in{document, "spec.json#"};
    read_claims(in, "claims");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

json sample() {
  return {{{"id", "a"},
           {"statement", "s"},
           {"quantity", "cache_ratio"},
           {"low", 1},
           {"high", 2},
           {"unit", "x"},
           {"cases",
            {{{"condition", "c"},
              {"with", {{"model", "deepseek-v3"}}},
              {"without", {{"model", "deepseek-v3"}, {"attention", "mha"}}}}}},
           {"published", {{{"says", "p"}, {"figure", 1.5}, {"source", "q"}}}}}};
}

}  // namespace

TEST_CASE("a figure is judged by the statement's range, ends included", "[study][claims]") {
  const Claim claim = claim_of(ClaimQuantity::cache_ratio, {});
  CHECK(judge(claim, 9.999) == Verdict::less);
  CHECK(judge(claim, 10.0) == Verdict::holds);
  CHECK(judge(claim, 20.0) == Verdict::holds);
  CHECK(judge(claim, 20.001) == Verdict::more);
}

TEST_CASE("the cache of MLA beside its own heads is 56.9 times smaller, not 10 to 20",
          "[study][claims]") {
  const ClaimCase heads{.condition = "",
                        .with = {.model = "deepseek-v3"},
                        .without = {.model = "deepseek-v3", .attention = "mha"}};
  // 128 heads of 128, keys and values, over a latent of 512 and 64 rotated elements.
  const double ratio = 2.0 * 128 * 128 / (512 + 64);
  CHECK(near(only_figure(claim_of(ClaimQuantity::cache_ratio, heads)), ratio));
  CHECK(
      near(only_figure(claim_of(ClaimQuantity::cache_saving, heads)), 100.0 * (1.0 - 1.0 / ratio)));
}

TEST_CASE("10 to 20 times is DeepSeek-V2 in eight bits beside DeepSeek 67B", "[study][claims]") {
  // 67B: 95 layers, 8 KV heads of 128, BF16; V2: 60 layers of 576 in one byte.
  const double ratio = 2.0 * 8 * 128 * 95 * 2 / (60.0 * 576);
  const ClaimCase systems{.condition = "",
                          .with = {.model = "deepseek-v2", .kv = "fp8"},
                          .without = {.model = "deepseek-67b", .kv = "bf16"}};
  const Claim claim = claim_of(ClaimQuantity::cache_ratio, systems);
  CHECK(near(only_figure(claim), ratio));
  CHECK(judge(claim, ratio) == Verdict::holds);
}

TEST_CASE("absorbed MLA takes more arithmetic than MHA with its heads", "[study][claims]") {
  const ClaimCase heads{.condition = "",
                        .with = {.model = "deepseek-v3"},
                        .without = {.model = "deepseek-v3", .attention = "mha"}};
  // Per head and cached token: 576 + 512 against 128 + 128.
  CHECK(near(only_figure(claim_of(ClaimQuantity::attention_flops_ratio, heads)),
             (576.0 + 512.0) / (128.0 + 128.0)));
}

TEST_CASE("a varied number gives one figure per value, the same twice", "[study][claims]") {
  const ClaimCase batches{.condition = "",
                          .with = {.model = "deepseek-v3", .drafts = 1},
                          .without = {.model = "deepseek-v3"},
                          .devices = 32,
                          .vary = ClaimVary::sequences_per_gpu,
                          .values = {1.0, 64.0}};
  const Claim claim = claim_of(ClaimQuantity::step_cost, batches);
  const auto once = check_claims({claim}, "claims").claims.front().cases.front();
  const auto again = check_claims({claim}, "claims").claims.front().cases.front();
  REQUIRE(once.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(once[i].figure.value() == again[i].figure.value());
    CHECK(once[i].figure.value() > 0.0);  // a draft is never free
  }
}

TEST_CASE("what cannot run has a reason instead of a figure", "[study][claims]") {
  const ClaimCase small{.condition = "",
                        .with = {.model = "deepseek-v3"},
                        .without = {.model = "deepseek-v3", .attention = "mha"},
                        .devices = 1};
  const auto result = check_claims({claim_of(ClaimQuantity::decode_gain, small)}, "claims");
  const ClaimValue& value = result.claims.front().cases.front().front();
  CHECK_FALSE(value.figure.has_value());
  CHECK_FALSE(value.infeasible.empty());
}

TEST_CASE("claims are read strictly", "[study][claims]") {
  CHECK(complaint(sample()).empty());
  json twice = sample();
  twice.push_back(twice[0]);
  CHECK(complaint(twice) == "spec.json#/claims/1/id: 'a' is the id of another claim too");
  json misspelt = sample();
  misspelt[0]["quantity"] = "cache_ratoi";
  CHECK(complaint(misspelt).find("did you mean 'cache_ratio'?") != std::string::npos);
  json unknown = sample();
  unknown[0]["cases"][0]["with"]["modle"] = "x";
  CHECK(complaint(unknown).starts_with("spec.json#/claims/0/cases/0/with"));
  json backwards = sample();
  backwards[0]["high"] = 0;
  CHECK(complaint(backwards).starts_with("spec.json#/claims/0/high: "));
  json loose = sample();
  loose[0]["cases"][0]["values"] = {1, 2};
  CHECK(complaint(loose).starts_with("spec.json#/claims/0/cases/0/values: needs 'vary'"));
}

}  // namespace fathom::study
