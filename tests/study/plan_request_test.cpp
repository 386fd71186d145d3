#include "study/plan_request.hpp"

#include <nlohmann/json.hpp>

#include "../core/input_error.hpp"
#include "catch.hpp"
#include "study/plan_points.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::at;
using plan_test::parsed;
using plan_test::small_request;

namespace {

std::string complaint(const json& document) {
  return fathom::test::message_of([&] { parsed(document); });
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text << " should contain " << part);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a request says which of its fields is wrong", "[study][plan]") {
  const json good = small_request();
  const auto check = [&](const char* pointer, json value, const char* where, const char* what) {
    CAPTURE(pointer);
    const std::string message = complaint(at(good, pointer, std::move(value)));
    CAPTURE(message);
    CHECK(contains(message, std::string("plan.json#") + where));
    CHECK(contains(message, what));
    CHECK(message.find('\n') == std::string::npos);
  };
  check("/traffic/concurrency", 8, "/traffic/concurrency", "contradicts 'requests_per_s'");
  check("/traffic/input_tokens", -1, "/traffic/input_tokens", "-1");
  check("/traffic/input_tokens", 1e7, "/traffic/input_tokens", "max_position_embeddings");
  check("/traffic/prefix_hit", 1.5, "/traffic/prefix_hit", "1.5");
  check("/traffic/input_tokns", 1, "/traffic", "did you mean 'input_tokens'?");
  check("/targets/ttft_ms", 100, "/targets", "ttft");
  check("/targets/tpot_ms", 0, "/targets/tpot", "above 0");
  check("/search/tp", json::array({0}), "/search/tp", "0");
  check("/search/two_batch_overlap", "yes", "/search/two_batch_overlap", "true, false");
  check("/search/serving", json::array({"agregated"}), "/search/serving",
        "did you mean 'aggregated'?");
  check("/search/cp", json::array(), "/search/cp", "empty");
  check("/search/cp", json::array({0}), "/search/cp", "0");
  check("/search/redundant_experts", json::array({-1}), "/search/redundant_experts", "-1");
  check("/search/all_to_all", json::array({"hybird"}), "/search/all_to_all",
        "did you mean 'hybrid'?");
  check("/search/pair_hardware", 1, "/search/pair_hardware", "1");
  check("/search/precision", json::object(), "/search/precision", "list of objects");
  check("/search/precision", json::array({json{{"kv", "fp8"}}}), "/search/precision/0", "name");
  check("/search/precision", json::array({json{{"name", "a"}, {"expert", "fp8"}}}),
        "/search/precision/0", "did you mean 'experts'?");
  check("/search/precision", json::array({json{{"name", "a"}}, json{{"name", "a"}}}),
        "/search/precision/1/name", "listed twice");
  check("/search/draft_tokens", json::array({1}), "/acceptance", "missing");
  check("/acceptance", 0.8, "/acceptance", "draft_tokens");
  check("/utilisation", 1.5, "/utilisation", "1.5");
  check("/hardware", json::array({"h800", "h800"}), "/hardware", "twice");
  check("/hardware", json::array(), "/hardware", "empty");
  check("/price_usd_per_gpu_hour", json{{"h900", 2}}, "/price_usd_per_gpu_hour",
        "did you mean 'h800'?");
  check("/search/max_instance_devices", 1 << 19, "/search/max_instance_devices", "max_devices");
}

TEST_CASE("a request needs a rate or a concurrency", "[study][plan]") {
  json document = small_request();
  document["traffic"].erase("requests_per_s");
  CHECK(contains(complaint(document), "'requests_per_s' or 'concurrency'"));
}

TEST_CASE("a model that only describes its cache is refused", "[study][plan]") {
  CHECK(contains(complaint(at(small_request(), "/model", "deepseek-v4.1-flash")), "KV cache only"));
}

TEST_CASE("drafts need a model that can make them", "[study][plan]") {
  json document = at(small_request(), "/model", "llama-3.1-70b");
  document["search"] = {{"draft_tokens", {1}}};
  document["acceptance"] = 0.8;
  CHECK(contains(complaint(document), "no MTP module"));
}

TEST_CASE("a request written out reads back the same", "[study][plan]") {
  json document = small_request();
  document["search"]["draft_tokens"] = {0, 1};
  document["acceptance"] = 0.85;
  document["price_usd_per_gpu_hour"] = 1.5;
  document["precision"] = {{"kv", "fp8"}};
  document["model_patch"] = {{"num_nextn_predict_layers", 1}};
  document["search"]["cp"] = {1, 2};
  document["search"]["redundant_experts"] = {0, 32};
  document["search"]["all_to_all"] = {"automatic", "hybrid"};
  document["search"]["pair_hardware"] = true;
  document["search"]["precision"] = {{{"name", "wide"}, {"kv", "bf16"}},
                                     {{"name", "narrow"}, {"kv", "fp8"}, {"experts", "nvfp4"}}};
  const json written = to_json(parsed(document));
  CHECK(to_json(parsed(written)) == written);
}

TEST_CASE("at least one prompt token is computed", "[study][plan]") {
  CHECK(cached_tokens({.input_tokens = 100, .output_tokens = 1, .prefix_hit = 1.0}) == 99.0);
  CHECK(cached_tokens({.input_tokens = 100, .output_tokens = 1, .prefix_hit = 0.5}) == 50.0);
}

TEST_CASE("a request's load source gives every plan the load of its own ranks", "[study][load]") {
  json document = at(small_request(), "/expert_load", {{"zipf", 0.5}, {"layers", 4}});
  const PlanRequest request = parsed(document);
  CHECK(to_json(request)["expert_load"] == to_json(parsed(to_json(request)))["expert_load"]);
  const auto plans = loaded_plans(request, request.hardware.front());
  const auto load = [&](std::int64_t ep) {
    for (const mapping::Plan& plan : plans) {
      if (plan.ep == ep && plan.dp == 32) return plan.expert_load;
    }
    return 0.0;
  };
  CHECK(load(16) > 1.0);
  CHECK(load(32) > load(16));  // fewer experts a rank even out less
}

TEST_CASE("a search needs to know the batch that makes the noise", "[study][load]") {
  const json document = at(small_request(), "/expert_load", {{"uniform", true}});
  CHECK(contains(complaint(document), "'tokens' is missing"));
  CHECK(parsed(at(document, "/expert_load/tokens", 4096)).load_source->tokens == 4096.0);
}
