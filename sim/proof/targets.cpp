#include "proof/targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "measure/cases.hpp"
#include "model/hf_config.hpp"
#include "proof/layer_case.hpp"

namespace fathom::proof {
namespace {

using namespace measure;

using Targets = std::vector<Target>;

void add(Targets& out, Part part, KernelCase kernel) { out.push_back({part, std::move(kernel)}); }

struct Product {
  std::int64_t n, k;
};

// MLA projections: V3's q_a, q_b, kv_a, kv_b, o; V2-Lite's q, kv_a, o.
constexpr std::array<Product, 5> kV3{
    {{1536, 7168}, {24576, 1536}, {576, 7168}, {32768, 512}, {7168, 16384}}};
constexpr std::array<Product, 3> kLite{{{3072, 2048}, {576, 2048}, {2048, 2048}}};

void add_projections(Targets& out, bool quick) {
  for (const Product p : kV3)
    for (const std::int64_t rows : {1, 16, 512})
      if (!quick || rows == 16) add(out, Part::kernel, linear_case(rows, p.n, p.k));
  for (const Product p : kLite)
    for (const std::int64_t rows : {16, 512, 4096})
      if (!quick || rows == 512) add(out, Part::kernel, linear_case(rows, p.n, p.k));
  if (quick) return;
  for (const std::int64_t rows : {4, 64}) {
    add(out, Part::kernel, linear_case(rows, 512, 128, 128));  // absorb_uk of V3
    add(out, Part::kernel, linear_case(rows, 128, 512, 128));  // absorb_uv
  }
}

void add_attention(Targets& out, bool quick) {
  for (const std::int64_t heads : {16, 128})
    for (const std::int64_t context : {8192, 16384, 32768})
      if (!quick || context == 8192)
        add(out, Part::kernel, mla_decode_case({.context_tokens = context, .heads = heads}));
  if (!quick)
    add(out, Part::kernel,
        mla_decode_case({.sequences = 8, .query_tokens = 2, .context_tokens = 4096, .heads = 16}));
  AttentionShape naive{.query_tokens = quick ? 2048 : 4096,
                       .heads = 16,
                       .kv_heads = 16,
                       .qk_head_dim = 192,
                       .v_head_dim = 128,
                       .naive_mla = true};
  add(out, Part::kernel, prefill_case(naive));
  if (quick) return;
  add(out, Part::kernel, prefill_case({.query_tokens = 4096, .heads = 32, .kv_heads = 8}));
  add(out, Part::kernel, gqa_decode_case({.context_tokens = 32767, .heads = 32, .kv_heads = 8}));
  add(out, Part::kernel,
      gqa_decode_case({.sequences = 8, .context_tokens = 8191, .heads = 32, .kv_heads = 8}));
}

void add_experts(Targets& out, std::int64_t memory, bool quick) {
  ExpertsShape lite{.experts = 64, .choices = 6, .dim = 2048, .inter = 1408, .zipf = 1.0};
  for (const std::int64_t tokens : {4, 32, 512}) {
    if (quick && tokens != 32) continue;
    lite.tokens = tokens;
    lite.prefill = tokens > 64;
    add(out, Part::kernel, experts_case(lite));
  }
  // One of V3's experts is 88 MB in bf16.
  const double expert = 3.0 * 2.0 * 7168.0 * 2048.0;
  const auto fit = static_cast<std::int64_t>(0.4 * static_cast<double>(memory) / expert);
  if (quick || fit < 8) return;
  ExpertsShape v3{.experts = std::min<std::int64_t>(16, fit),
                  .choices = 4,
                  .dim = 7168,
                  .inter = 2048,
                  .zipf = 1.0};
  for (const std::int64_t tokens : {4, 64, 256}) {
    v3.tokens = tokens;
    v3.prefill = tokens > 64;
    add(out, Part::kernel, experts_case(v3));
  }
}

model::ArchSpec arch(const std::string& name, std::vector<std::string> sets = {}) {
  return model::load_model(name, {.sets = std::move(sets)}).arch;
}

// The kind of the last layer: mixture of experts where there is one.
int last_kind(const model::ArchSpec& spec) { return spec.layers.back(); }
int first_kind(const model::ArchSpec& spec) { return spec.layers.front(); }

// V3 with as many routed experts as half of the memory holds, a power of two, at most 64.
model::ArchSpec shrunken_v3(std::int64_t memory) {
  const double expert = 3.0 * 2.0 * 7168.0 * 2048.0;
  const auto fit = static_cast<std::uint64_t>(0.5 * static_cast<double>(memory) / expert);
  const auto experts = std::min<std::uint64_t>(64, std::bit_floor(std::max<std::uint64_t>(fit, 8)));
  return arch("deepseek-v3", {fmt::format("n_routed_experts={}", experts)});
}

void add_layer(Targets& out, const std::string& name, const model::ArchSpec& spec, int kind,
               std::initializer_list<StepCase> steps) {
  for (const StepCase& step : steps) add(out, Part::layer, layer_case(name, spec, kind, step));
}

constexpr StepCase kDecodeOne{.sequences = 1, .context = 4096};
constexpr StepCase kDecodeBatch{.sequences = 16, .context = 2048};
constexpr StepCase kPrefill{.new_tokens = 512, .prefill = true};

void add_layers(Targets& out, std::int64_t memory, bool quick) {
  const model::ArchSpec lite = arch("deepseek-v2-lite");
  if (quick) {
    add_layer(out, "deepseek-v2-lite moe", lite, last_kind(lite), {kDecodeBatch});
    return;
  }
  add_layer(out, "deepseek-v2-lite dense", lite, first_kind(lite), {kDecodeOne, kPrefill});
  add_layer(out, "deepseek-v2-lite moe", lite, last_kind(lite),
            {kDecodeOne, kDecodeBatch, kPrefill});
  const model::ArchSpec v3 = shrunken_v3(memory);
  const std::int64_t experts =
      v3.kinds[static_cast<std::size_t>(last_kind(v3))].moe.n_routed_experts;
  add_layer(out, "deepseek-v3 dense", v3, first_kind(v3), {kDecodeOne, kDecodeBatch});
  add_layer(out, fmt::format("deepseek-v3 moe, {} experts", experts), v3, last_kind(v3),
            {kDecodeOne, kDecodeBatch, {.new_tokens = 256, .prefill = true}});
  add(out, Part::layer,
      mtp_case("deepseek-v3, dense feed-forward",
               [&] {
                 model::ArchSpec one = v3;
                 one.mtp_layer = v3.kinds[static_cast<std::size_t>(first_kind(v3))];
                 return one;
               }(),
               {.sequences = 4, .new_tokens = 2, .context = 2048}));
  for (const char* name : {"qwen3-8b", "llama-3.1-8b"}) {
    const model::ArchSpec spec = arch(name);
    add_layer(out, name, spec, last_kind(spec), {kDecodeOne, kDecodeBatch, kPrefill});
  }
}

// A DeepSeek-V3 of about a billion parameters: MLA, 32 experts of 512, 12 layers.
model::ArchSpec billion() {
  return arch("deepseek-v3",
              {"hidden_size=1024", "num_hidden_layers=12", "intermediate_size=4096",
               "moe_intermediate_size=512", "n_routed_experts=32", "num_experts_per_tok=4",
               "n_group=4", "topk_group=2", "num_attention_heads=16", "num_key_value_heads=16",
               "q_lora_rank=384", "first_k_dense_replace=1", "num_nextn_predict_layers=0"});
}

void add_models(Targets& out, bool quick) {
  const model::ArchSpec spec = billion();
  const std::string name = "deepseek-v3 form, 1B";
  add(out, Part::model, model_case(name, spec, {.sequences = 1, .context = 1024}));
  if (quick) return;
  add(out, Part::model, model_case(name, spec, {.sequences = 8, .context = 1024}));
  add(out, Part::model, model_case(name, spec, {.new_tokens = 256, .prefill = true}));
}

}  // namespace

std::string_view name(Part part) {
  constexpr std::array<std::string_view, 3> names{"kernel", "layer", "model"};
  return names[static_cast<std::size_t>(part)];
}

std::vector<Target> targets(const TargetOptions& options) {
  Targets out;
  add_projections(out, options.quick);
  add_attention(out, options.quick);
  add_experts(out, options.memory_bytes, options.quick);
  add_layers(out, options.memory_bytes, options.quick);
  add_models(out, options.quick);
  return out;
}

}  // namespace fathom::proof
