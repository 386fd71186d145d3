#include "model/lower.hpp"

#include <nlohmann/json.hpp>

#include "model/blocks/block_builder.hpp"
#include "ops/attention.hpp"

namespace fathom::model {
namespace {

using blocks::BlockBuilder;

void layer(BlockBuilder& b, const LayerSpec& spec) {
  blocks::enter_sublayer(b, Stage::attention_1);
  std::visit([&b](const auto& a) { blocks::attention(b, a); }, spec.attention);
  blocks::leave_sublayer(b, Stage::attention_2);
  const bool routed = spec.moe.n_routed_experts > 0;
  blocks::enter_sublayer(b, routed ? Stage::attention_2 : Stage::dense);
  if (routed) blocks::moe(b, spec.moe);
  if (spec.dense.intermediate_size > 0) blocks::dense_ffn(b, spec.dense);
  blocks::leave_sublayer(b, routed ? Stage::experts : Stage::dense);
}

class BlockScope {
 public:
  BlockScope(OpGraph& graph, std::string_view block, int kind, int repeat) : graph_(graph) {
    graph_.blocks.push_back({block, kind, repeat, static_cast<int>(graph_.nodes.size()), 0});
  }
  ~BlockScope() { graph_.blocks.back().end = static_cast<int>(graph_.nodes.size()); }
  BlockScope(const BlockScope&) = delete;
  BlockScope& operator=(const BlockScope&) = delete;

 private:
  OpGraph& graph_;
};

void mtp_pass(const ArchSpec& arch, const StepShape& step, const LowerOptions& options, int repeat,
              OpGraph& out) {
  BlockBuilder b{arch, step, options, out};
  const BlockScope scope{out, "mtp", kMtpBlock, repeat};
  blocks::mtp_projection(b);
  layer(b, arch.mtp_layer);
  blocks::head(b, b.seqs);
}

// Drafting: the first module sees every verified token (its cache must catch up), later ones only
// the newest draft, one position further each; their mean position stands for all of them.
void mtp(const ArchSpec& arch, const StepShape& step, const LowerOptions& options, OpGraph& out) {
  if (step.phase != Phase::decode || step.draft_tokens == 0) return;
  mtp_pass(arch, step, options, 1, out);
  if (step.draft_tokens == 1) return;
  thread_local StepShape newest;  // reused: no allocation per point
  newest.phase = step.phase;
  newest.draft_tokens = step.draft_tokens;
  newest.groups.assign(step.groups.begin(), step.groups.end());
  const auto later = static_cast<double>(step.draft_tokens - 1);
  for (SequenceGroup& g : newest.groups) {
    g.context_tokens += g.new_tokens + (later - 1.0) / 2.0;
    g.new_tokens = 1.0;
  }
  mtp_pass(arch, newest, options, static_cast<int>(step.draft_tokens - 1), out);
}

}  // namespace

void lower(const ArchSpec& arch, const StepShape& step, const LowerOptions& options, OpGraph& out) {
  out.nodes.clear();
  out.blocks.clear();
  BlockBuilder b{arch, step, options, out};
  {
    const BlockScope scope{out, "embedding", kOuterBlock, 1};
    const auto width = 2.0 * static_cast<double>(arch.hidden_size);
    b.elementwise("embed_tokens",
                  {.kind = ops::ElementwiseKind::embedding,
                   .rows = b.rows,
                   .read_bytes = width,
                   .write_bytes = width * static_cast<double>(arch.hc_mult)},
                  Shard::vocab, Stage::embed);
  }
  for (int kind = 0; kind < static_cast<int>(arch.kinds.size()); ++kind) {
    const LayerSpec& spec = arch.kinds[static_cast<std::size_t>(kind)];
    const BlockScope scope{out, kind_name(spec.attention), kind,
                           static_cast<int>(layer_count(arch, kind))};
    layer(b, spec);
  }
  {
    const BlockScope scope{out, "head", kOuterBlock, 1};
    // a prompt needs the logits of its last token only, a verification step those of every query
    blocks::head(b, step.phase == Phase::prefill ? b.seqs : b.rows);
  }
  mtp(arch, step, options, out);
}

OpGraph lower(const ArchSpec& arch, const StepShape& step, const LowerOptions& options) {
  OpGraph out;
  lower(arch, step, options, out);
  return out;
}

MlaForm cheaper_form(const MlaSpec& mla, const StepShape& step) {
  const auto c = static_cast<double>(mla.kv_lora_rank);
  const auto n = static_cast<double>(mla.qk_nope_head_dim);
  const auto r = static_cast<double>(mla.qk_rope_head_dim);
  const auto v = static_cast<double>(mla.v_head_dim);
  const double pairs = visible_pairs(step);
  // the same 2 n_h stands before every term
  const double naive = c * (n + v) * kv_rows(step) + (n + r + v) * pairs;
  const double absorbed_pairs =
      mla.indexer.index_topk > 0 ? visible_pairs(step, static_cast<double>(mla.indexer.index_topk))
                                 : pairs;
  const double absorbed = c * (n + v) * tokens(step) + (2.0 * c + r) * absorbed_pairs;
  return naive < absorbed ? MlaForm::naive : MlaForm::absorbed;
}

double mla_crossover_tokens(const MlaSpec& mla) {
  const auto c = static_cast<double>(mla.kv_lora_rank);
  const auto nv = static_cast<double>(mla.qk_nope_head_dim + mla.v_head_dim);
  return c * nv / (2.0 * c - nv);
}

std::string_view name(Stage stage) {
  constexpr std::array<std::string_view, kStageCount> names{
      "embed",   "attention_1", "attention_2", "dispatch", "shared",
      "experts", "combine",     "receive",     "dense",    "head"};
  return names[static_cast<std::size_t>(stage)];
}

nlohmann::json to_json(const OpGraph& graph) {
  auto blocks = nlohmann::json::array();
  for (const Block& block : graph.blocks) {
    auto nodes = nlohmann::json::array();
    for (int i = block.begin; i < block.end; ++i) {
      const OpNode& node = graph.nodes[static_cast<std::size_t>(i)];
      auto out = ops::to_json(node.op);
      const ops::OpCost cost = ops::cost(node.op);
      out["name"] = node.name;
      out["shard"] = name(node.shard);
      out["stage"] = name(node.stage);
      out["flops"] = cost.flops.value;
      out["bytes"] = ops::traffic(cost).value;
      out["compulsory_bytes"] = ops::compulsory(cost).value;
      nodes.push_back(std::move(out));
    }
    blocks.push_back({{"name", block.name}, {"repeat", block.repeat}, {"nodes", std::move(nodes)}});
  }
  return {{"blocks", std::move(blocks)}};
}

}  // namespace fathom::model
