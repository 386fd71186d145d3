#include "model/lower.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "model/hf_config.hpp"
#include "model/params.hpp"

using namespace fathom;
using namespace fathom::model;

namespace {

StepShape decode_at(double context) { return {Phase::decode, {{1, 1, context - 1}}, 0}; }

double total_flops(const OpGraph& graph, bool attention_only = false) {
  double sum = 0.0;
  for (const Block& b : graph.blocks) {
    for (int i = b.begin; i < b.end; ++i) {
      const ops::Op& op = graph.nodes[static_cast<std::size_t>(i)].op;
      const bool core = std::holds_alternative<ops::Attention>(op) ||
                        std::holds_alternative<ops::LatentAttention>(op);
      if (!attention_only || core) sum += b.repeat * ops::cost(op).flops.value;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("naive MLA wins for chunks above 170.7 tokens on a long prefix", "[model][mla]") {
  const MlaSpec v3{.num_attention_heads = 128,
                   .q_lora_rank = 1536,
                   .kv_lora_rank = 512,
                   .qk_nope_head_dim = 128,
                   .qk_rope_head_dim = 64,
                   .v_head_dim = 128};
  CHECK(mla_crossover_tokens(v3) == Approx(512.0 * 256 / (1024 - 256)).epsilon(1e-9));
  CHECK(mla_crossover_tokens(v3) == Approx(170.7).epsilon(1e-3));
  const auto chunk = [&](double t) { return cheaper_form(v3, {Phase::prefill, {{1, t, 1e6}}, 0}); };
  CHECK(chunk(170) == MlaForm::absorbed);
  CHECK(chunk(171) == MlaForm::naive);
  CHECK(cheaper_form(v3, {Phase::prefill, {{1, 100, 0}}, 0}) ==
        MlaForm::naive);  // no prefix: nothing to expand twice
  CHECK(cheaper_form(v3, decode_at(4096)) == MlaForm::absorbed);
}

TEST_CASE("the lowered decode step executes the FLOPs of the closed forms", "[model][lower]") {
  // two independent derivations: operators here, per-class formulas in decode_flops_json
  for (const char* name : {"deepseek-v3.2", "deepseek-v4-pro", "deepseek-v4-flash"}) {
    const ArchSpec arch = load_model(name).arch;
    LowerOptions options;
    options.precision = default_precision(arch);
    options.precision.kv.index_key =
        std::string_view(name) == "deepseek-v3.2" ? IndexKeyFormat::fp8 : IndexKeyFormat::fp4;
    for (const std::int64_t context : {4096, 32768, 131072}) {
      const double expected =
          decode_flops_json(arch, {context})[std::to_string(context)]["raw"].get<double>();
      CAPTURE(name, context);
      CHECK(total_flops(lower(arch, decode_at(static_cast<double>(context)), options)) ==
            Approx(expected).epsilon(2e-3));
    }
  }
}

TEST_CASE("prefill attention FLOPs are half of the square", "[model][lower]") {
  const ArchSpec arch = load_model("deepseek-v3").arch;
  LowerOptions options;
  options.precision = default_precision(arch);
  const double s = 4096;
  const OpGraph graph = lower(arch, {Phase::prefill, {{1, s, 0}}, 0}, options);
  CHECK(total_flops(graph, true) == Approx(61.0 * 2 * 128 * 320 * s * (s + 1) / 2).epsilon(1e-12));
}

TEST_CASE("lowering into used storage gives the same graph", "[model][lower]") {
  const ArchSpec arch = load_model("deepseek-v4-flash").arch;
  LowerOptions options;
  options.precision = default_precision(arch);
  OpGraph reused = lower(arch, decode_at(100), options);
  lower(arch, decode_at(5000), options, reused);
  CHECK(reused == lower(arch, decode_at(5000), options));
}

TEST_CASE("V4 compressed blocks become visible when complete", "[model][shape]") {
  // ratio 4, queries at positions 0..9 see floor((t+1)/4) blocks: 0 0 0 1 1 1 1 2 2 2
  CHECK(block_pairs({Phase::prefill, {{1, 10, 0}}, 0}, 4) == 0 + 0 + 0 + 1 + 1 + 1 + 1 + 2 + 2 + 2);
  CHECK(block_pairs({Phase::prefill, {{1, 4, 6}}, 0}, 4) == 1 + 2 + 2 + 2);
  CHECK(block_pairs({Phase::prefill, {{1, 10, 0}}, 0}, 4, 1) == 7);
  CHECK(block_pairs({Phase::decode, {{1, 1, 4095}}, 0}, 4) == 1024);
  CHECK(block_pairs({Phase::decode, {{1, 1, 1e6}}, 0}, 4, 512) == 512);
}

TEST_CASE("chunked-local attention stays inside its chunk", "[model][shape]") {
  // chunk 4, ten tokens: 1 2 3 4 1 2 3 4 1 2
  CHECK(chunked_pairs({Phase::prefill, {{1, 10, 0}}, 0}, 4) == 10 + 10 + 3);
  CHECK(chunked_pairs({Phase::decode, {{1, 1, 9}}, 0}, 4) == 2);
}

TEST_CASE("the first draft sees every verified token, later ones only the newest", "[model][mtp]") {
  const ArchSpec arch = load_model("deepseek-v3").arch;
  LowerOptions options;
  options.precision = default_precision(arch);
  StepShape step{Phase::decode, {{4, 3, 100}}, 2};
  const auto projection_rows = [](const OpGraph& graph, const Block& block) {
    for (int i = block.begin; i < block.end; ++i) {
      const OpNode& node = graph.nodes[static_cast<std::size_t>(i)];
      if (node.name == "mtp.eh_proj") return std::get<ops::Gemm>(node.op).m;
    }
    return 0.0;
  };
  const OpGraph graph = lower(arch, step, options);
  const Block& first = graph.blocks[graph.blocks.size() - 2];
  const Block& later = graph.blocks.back();
  CHECK(first.kind == kMtpBlock);
  CHECK(first.repeat == 1);
  CHECK(projection_rows(graph, first) == 4 * 3);  // sequences x verified tokens
  CHECK(later.kind == kMtpBlock);
  CHECK(later.repeat == 1);
  CHECK(projection_rows(graph, later) == 4);
  step.draft_tokens = 5;
  CHECK(lower(arch, step, options).blocks.back().repeat == 4);
  step.draft_tokens = 1;
  CHECK(lower(arch, step, options).blocks.back().repeat == 1);
  CHECK(lower(arch, step, options).blocks.size() == graph.blocks.size() - 1);
  step.draft_tokens = 0;
  CHECK(lower(arch, step, options).blocks.back().name == "head");
}
