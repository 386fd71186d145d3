#include "validate/setup.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "timing/roofline.hpp"
#include "validate/quantity.hpp"

using namespace fathom;
using namespace fathom::validate;
using nlohmann::json;

namespace {

ops::Op op(const json& document) { return parse_operator(JsonReader{document, "test#"}); }

double number(const json& setup, std::string_view name) {
  return std::get<double>(quantity(parse_setup(setup, "test#"), name));
}

}  // namespace

TEST_CASE("a patch changes an example and nothing else", "[validate][setup]") {
  const json plain{{"example", "deepseek-v3-h800-decode"}};
  json patched = plain;
  patched["patch"] = {{"workload", {{"sequences_per_gpu", 64}}}};
  const auto one = std::get<study::Scenario>(parse_setup(plain, "test#"));
  const auto two = std::get<study::Scenario>(parse_setup(patched, "test#"));
  CHECK(std::get<infer::DecodeQuery>(one.workload).sequences == 128 * 128);
  CHECK(std::get<infer::DecodeQuery>(two.workload).sequences == 64 * 128);
  CHECK(one.plan == two.plan);
}

TEST_CASE("operators cost what their shapes say", "[validate][setup]") {
  const ops::OpCost gemm = cost(op({{"op", "gemm"}, {"m", 64}, {"n", 2112}, {"k", 7168}}));
  CHECK(gemm.flops.value == 2.0 * 64 * 2112 * 7168);
  const ops::OpCost grouped = cost(op(
      {{"op", "grouped_gemm"}, {"groups", 4}, {"rows_per_group", 256}, {"n", 4096}, {"k", 7168}}));
  CHECK(grouped.flops.value == 2.0 * 4 * 256 * 4096 * 7168);
  // absorbed MLA: 2 h_q s_q s_k (d_k + d_v) per sequence (FlashMLA, deep dive of 2025-04)
  const ops::OpCost decode = cost(
      op({{"op", "mla_decode"}, {"sequences", 3}, {"context_tokens", 4096}, {"query_tokens", 2}}));
  CHECK(decode.flops.value == 3.0 * 2 * 128 * 2 * 4096 * (576 + 512));
  CHECK(decode.kv_read.value == 3.0 * 4096 * 1152);
  // causal MHA: half of the square and the diagonal
  const ops::OpCost prefill =
      cost(op({{"op", "mla_prefill"}, {"sequences", 1}, {"prompt_tokens", 100}}));
  CHECK(prefill.flops.value == 2.0 * 128 * (192 + 128) * (100.0 * 101 / 2));
  const ops::OpCost sparse = cost(
      op({{"op", "sparse_attention"}, {"query_tokens", 64}, {"topk", 2048}, {"row_bytes", 656}}));
  CHECK(sparse.kv_read.value == 64.0 * 2048 * 656);
  // of the rows that 64 queries of one sequence gather, 4096 are different ones
  const ops::OpCost shared = cost(op({{"op", "sparse_attention"},
                                      {"query_tokens", 64},
                                      {"topk", 2048},
                                      {"sequences", 1},
                                      {"context_tokens", 4096},
                                      {"row_bytes", 656}}));
  CHECK(shared.repeated.value == (64.0 * 2048 - 4096) * 656);
}

TEST_CASE("an indexer sees the whole context, or a causal triangle at its end",
          "[validate][setup]") {
  json indexer{{"op", "indexer"}, {"sequences", 2}, {"query_tokens", 10}, {"context_tokens", 100}};
  CHECK(std::get<ops::Indexer>(op(indexer)).pairs == 2.0 * 10 * 100);
  indexer["causal"] = true;
  // the first query sees 91 keys, the last 100
  CHECK(std::get<ops::Indexer>(op(indexer)).pairs == 2.0 * (91 + 100) * 10 / 2);
}

TEST_CASE("kernels of one row run one after the other, each with its launch", "[validate][setup]") {
  const json gemm{{"op", "gemm"}, {"m", 64}, {"n", 2112}, {"k", 7168}};
  const double one = number({{"hardware", "h800"}, {"operators", {gemm}}}, "time_s");
  const double two =
      number({{"hardware", "h800"}, {"operators", {gemm, gemm}}, {"launch_us", 3}}, "time_s");
  CHECK(two == Approx(2.0 * (one + 3e-6)).epsilon(1e-12));
}

TEST_CASE("rates of a kernel are its work over its time", "[validate][setup]") {
  const json setup{{"hardware", "h800"},
                   {"operators", {{{"op", "gemm"}, {"m", 4096}, {"n", 7168}, {"k", 16384}}}}};
  const double flops = 2.0 * 4096 * 7168 * 16384;
  CHECK(number(setup, "flops") == flops);
  CHECK(number(setup, "tflops") == Approx(flops / number(setup, "time_s") / 1e12).epsilon(1e-12));
}

TEST_CASE("a kernel alone is not slowed by the power of a busy step", "[validate][setup]") {
  const json gemm{{"op", "gemm"}, {"m", 4096}, {"n", 7168}, {"k", 16384}};
  const double alone = number({{"hardware", "h800"}, {"operators", {gemm}}}, "time_s");
  const double in_step = timing::time_of(op(gemm), hw::load_cluster("h800"), {}).total.value;
  CHECK(alone <= in_step);
}

TEST_CASE("named quantities of a step agree with each other", "[validate][setup]") {
  const json setup{{"example", "deepseek-v3-h800-decode"}};
  const double rate = number(setup, "tokens_per_s_per_gpu");
  CHECK(number(setup, "tokens_per_s_per_node") == Approx(8.0 * rate).epsilon(1e-12));
  CHECK(number(setup, "gpu_s_per_token") == Approx(1.0 / rate).epsilon(1e-12));
  CHECK(number(setup, "tpot_s") * rate == Approx(128.0).epsilon(1e-9));  // 128 sequences per GPU
  // $2 an hour (hwprofiles/h800.json)
  CHECK(number(setup, "usd_per_million_tokens") == Approx(2e6 / 3600.0 / rate).epsilon(1e-12));
  CHECK(number(setup, "/tokens_per_s_per_device") == rate);
}

TEST_CASE("shares by evidence add up to one", "[validate][setup]") {
  double sum = 0.0;
  for (const double share :
       evidence_shares(parse_setup({{"example", "deepseek-v3-h800-decode"}}, "test#"))) {
    sum += share;
  }
  CHECK(sum == Approx(1.0).epsilon(1e-12));
}

TEST_CASE("unknown operators and leftover keys are refused by name", "[validate][setup]") {
  CHECK_THROWS_WITH(op({{"op", "gem"}}), contains("did you mean 'gemm'"));
  CHECK_THROWS_WITH(op({{"op", "gemm"}, {"m", 1}, {"n", 1}, {"k", 1}, {"q", 1}}), contains("'q'"));
  CHECK_THROWS_WITH(parse_setup({{"hardware", "h800"}, {"operators", json::array()}}, "test#"),
                    contains("test#/operators"));
  CHECK_THROWS_WITH(parse_setup({{"example", "deepseek-v3-h800-decod"}}, "test#"),
                    contains("test#/example"));
}
