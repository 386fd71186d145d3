// Laws that every form obeys, whatever kernel it stands for.

#include <cmath>
#include <set>
#include <string>

#include "catch.hpp"
#include "fixtures.hpp"

using namespace fathom::forms;
using namespace fathom::forms::test;

namespace {

struct Example {
  std::string_view family;
  std::string_view group;
  std::vector<double> shape;
};

// A shape of DeepSeek's models for every family.
const std::vector<Example> kExamples{
    {"gemm", "bf16", {512, 7168, 2048}},
    {"gemm", "fp8", {96, 7168, 2048}},
    {"gemm", "fp8_block", {4096, 2112, 7168}},
    {"gemm", "nvfp4", {16, 2112, 7168}},
    {"mla_bmm", "bf16", {128, 64, 512, 128}},
    {"infersim_gemm", "fp8_block", {4096, 2112, 7168}},
    {"moe", "fp8_block/cutlass", {1024, 7168, 2048, 8, 8, 256, 300, 512, 1024}},
    {"infersim_grouped", "fp8_block/decode", {4096, 7168, 16, 512, 1024, 2048}},
    {"context_mla", "kv_bf16", {2, 4096, 1024, 128, 128, 192, 128}},
    {"context_attention", "bf16/kv_fp8", {2, 4096, 0, 64, 8, 128, 128}},
    {"infersim_prefill", "bf16", {1, 4096, 0, 64, 8, 128, 128}},
    {"generation_mla", "kv_fp8", {64, 2, 4096, 128, 1, 576, 512}},
    {"generation_attention", "kv_bf16/gqa", {64, 1, 4096, 64, 8, 128, 128}},
    {"infersim_mla_decode", "kv_bf16", {64, 1, 4096, 128, 1, 576, 512}},
    {"infersim_mha_decode", "kv_bf16", {64, 1, 4096, 64, 8, 128, 128}},
    {"mla_context_module", "fp8_block/kv_bf16", {2, 1024, 0, 128, 7168, 1536}},
    {"mla_generation_module", "bf16/kv_fp8", {64, 1, 4096, 128, 7168, 1536}},
    {"dsa_context_module", "fp8_block/sparse/kv_fp8", {2, 4096, 8192, 128, 7168, 1536, 0}},
    {"dsa_context_module", "fp8_block/dense/kv_fp8", {2, 1024, 0, 128, 7168, 1536, 0}},
    {"dsa_generation_module", "fp8_block/sparse/kv_fp8", {64, 1, 8192, 128, 7168, 1536, 0}},
    {"dsv4_csa_context", "fp8_block", {2, 4096, 8192, 128, 7168, 1536, 1024}},
    {"dsv4_csa_generation", "fp8_block", {64, 1, 8192, 128, 7168, 1536, 1024}},
    {"dsv4_hca_context", "fp8_block", {2, 4096, 8192, 64, 4096, 1024}},
    {"dsv4_hca_generation", "bf16", {64, 1, 8192, 64, 4096, 1024}},
    {"mhc", "pre", {4096, 7168, 2, 4}},
    {"mhc", "post", {4096, 7168, 2, 4}},
    {"nccl", "all_reduce", {8, 1e7}},
    {"nccl", "integer/all_reduce", {8, 1e7}},
    {"nccl", "alltoall", {4, 1e5}},
    {"custom_allreduce", "all_reduce", {8, 4e6}},
    {"deepep_ll_dispatch", "fp8", {128, 7168, 8, 256, 32, 4}},
    {"deepep_ll_combine", "bf16", {128, 7168, 8, 256, 8, 1}},
    {"deepep_ll_multinode_dispatch", "fp8", {128, 7168, 8, 256, 64, 8}},
    {"deepep_ll_multinode_combine", "bf16", {128, 7168, 8, 256, 64, 8}},
    {"deepep_normal_dispatch", "fp8", {4096, 7168, 8, 256, 8, 1, 20}},
    {"deepep_normal_combine", "bf16", {4096, 7168, 8, 256, 8, 1, 20}},
    {"deepep_normal_multinode_dispatch", "fp8", {4096, 7168, 8, 256, 32, 4, 20}},
    {"deepep_normal_multinode_combine", "bf16", {4096, 7168, 8, 256, 32, 4, 20}},
};

// Columns whose growth is more work. Others change how the same work is laid out.
const std::set<std::string_view> kWork{"m",
                                       "n",
                                       "k",
                                       "batch",
                                       "tokens",
                                       "hidden",
                                       "inter",
                                       "new_tokens",
                                       "past_tokens",
                                       "heads",
                                       "qk_dim",
                                       "v_dim",
                                       "query_tokens",
                                       "context_tokens",
                                       "rows",
                                       "rows_16",
                                       "rows_64",
                                       "rows_128",
                                       "active_experts",
                                       "bytes",
                                       "sites",
                                       "q_lora_rank",
                                       "topk"};

}  // namespace

TEST_CASE("every family has an example here and a form that accepts it", "[forms]") {
  std::set<std::string_view> seen;
  for (const Example& e : kExamples) {
    const Form& form = form_of(e.family);
    CAPTURE(e.family);
    CHECK(form.columns.size() == e.shape.size());
    seen.insert(e.family);
  }
  for (const Form& form : all_forms()) {
    CAPTURE(form.family);
    CHECK(seen.count(form.family) == 1);
  }
}

TEST_CASE("parameters start inside their range, and ranges are positive", "[forms]") {
  for (const Example& e : kExamples) {
    for (const ParamRange& range : form_of(e.family).ranges(e.group)) {
      CAPTURE(e.family, range.name);
      CHECK(range.low > 0.0);
      CHECK(range.low <= range.start);
      CHECK(range.start <= range.high);
    }
  }
}

TEST_CASE("faster hardware never takes longer", "[forms][property]") {
  const auto rate = GENERATE(&DeviceFigures::memory_bandwidth, &DeviceFigures::peak_bf16,
                             &DeviceFigures::peak_fp8, &DeviceFigures::peak_fp4,
                             &DeviceFigures::scale_up, &DeviceFigures::scale_out);
  DeviceFigures faster = hopper();
  faster.*rate *= 1.3;
  for (const Example& e : kExamples) {
    const Params p = params(e.family, e.group);
    CAPTURE(e.family, e.group);
    CHECK(p.seconds(e.shape, faster) <= p.seconds(e.shape) * (1.0 + 1e-12));
  }
}

TEST_CASE("twice the work in any dimension never takes less time", "[forms][property]") {
  for (const Example& e : kExamples) {
    const Form& form = form_of(e.family);
    const Params p = params(e.family, e.group);
    for (std::size_t i = 0; i < e.shape.size(); ++i) {
      if (kWork.count(form.columns[i]) == 0) continue;
      std::vector<double> more = e.shape;
      more[i] *= 2.0;
      CAPTURE(e.family, e.group, form.columns[i]);
      CHECK(p.seconds(more) >= p.seconds(e.shape) * (1.0 - 1e-12));
    }
  }
}

TEST_CASE("no form is faster than the memory or the peak allows", "[forms][property]") {
  const DeviceFigures d = hopper();
  // y = x w reads 7168 x 2048 BF16 weights and multiplies 65536 rows with them.
  const double weights_s = 7168.0 * 2048.0 * 2.0 / d.memory_bandwidth;
  CHECK(params("gemm", "bf16").seconds({1, 7168, 2048}) > weights_s);
  const double product_s = 2.0 * 65536.0 * 7168.0 * 2048.0 / d.peak_bf16;
  CHECK(params("gemm", "bf16").seconds({65536, 7168, 2048}) > product_s);
  // 64 sequences of 32 Ki latent rows of 576 BF16 values.
  const double cache_s = 64.0 * 32768.0 * 576.0 * 2.0 / d.memory_bandwidth;
  CHECK(params("generation_mla", "kv_bf16").seconds({64, 1, 32768, 16, 1, 576, 512}) > cache_s);
}
