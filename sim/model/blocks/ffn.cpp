#include <algorithm>
#include <cmath>

#include "core/portable_math.hpp"
#include "model/blocks/block_builder.hpp"

// Dense and mixture-of-experts feed-forward layers (DeepSeekMoE: V3 report, arXiv 2412.19437,
// section 2.1.2).

namespace fathom::model::blocks {
namespace {

// gate·up -> act -> down of one always-active FFN.
void ffn(BlockBuilder& b, std::string_view up, std::string_view act, std::string_view down,
         std::int64_t width, Stage stage, bool gated) {
  const std::int64_t d = b.arch.hidden_size;
  const auto w = static_cast<double>(width);
  b.linear(up, (gated ? 2 : 1) * width, d, Shard::columns, stage);
  b.elementwise(act,
                {.kind = ops::ElementwiseKind::activation,
                 .rows = b.rows,
                 .read_bytes = (gated ? 4.0 : 2.0) * w,
                 .write_bytes = 2.0 * w},
                Shard::columns, stage);
  b.cast("cast_act", w, b.precision().linear_input, Shard::columns, stage);
  b.linear(down, d, width, Shard::rows, stage);
}

void route(BlockBuilder& b, const MoeSpec& s) {
  const auto experts = static_cast<double>(s.n_routed_experts);
  b.plain_linear("gate", s.n_routed_experts, b.arch.hidden_size, Shard::replicated,
                 Stage::attention_2);
  // scores, bias, group choice, top-k: four small kernels over the logits
  b.elementwise("gate_topk",
                {.kind = ops::ElementwiseKind::misc,
                 .rows = b.rows,
                 .read_bytes = 4.0 * experts,
                 .write_bytes = 4.0 * experts,
                 .kernels = 4},
                Shard::replicated, Stage::attention_2);
}

void routed(BlockBuilder& b, const MoeSpec& s) {
  const std::int64_t d = b.arch.hidden_size;
  const auto width = static_cast<double>(d);
  const auto mi = static_cast<double>(s.moe_intermediate_size);
  const auto k = static_cast<double>(s.num_experts_per_tok);
  const auto n = static_cast<double>(s.n_routed_experts);
  const double rows = b.rows * k;
  const Precision& p = b.precision();
  // experts with at least one of `b.rows` uniformly routed tokens; map() redoes this for a whole
  // expert-parallel group
  const double touched = n * (1.0 - portable::pow(1.0 - k / n, b.rows));
  const bool masked = !b.prefill();
  const auto gemm = [&](std::int64_t out, std::int64_t in) {
    return ops::GroupedGemm{.rows = rows,
                            .experts = n,
                            .touched_experts = touched,
                            .experts_per_token = k,
                            .n = out,
                            .k = in,
                            .weight = p.experts,
                            .input = p.experts_input,
                            .gated_pair = out != d,
                            .masked = masked};
  };
  b.cast("cast_x_experts", width, p.experts_input, Shard::replicated, Stage::attention_2);
  if (b.prefill()) {  // low-latency kernels deliver rows in expert order; throughput kernels need a
                      // permute
    b.elementwise("permute",
                  {.kind = ops::ElementwiseKind::permute,
                   .rows = rows,
                   .read_bytes = row_size_of(p.experts_input).value * width,
                   .write_bytes = row_size_of(p.experts_input).value * width,
                   .repeated_bytes = row_size_of(p.experts_input).value * width * (1.0 - 1.0 / k)},
                  Shard::experts, Stage::experts);
  }
  b.add("experts.gate_up", gemm(2 * s.moe_intermediate_size, d), Shard::experts, Stage::experts);
  b.elementwise("experts.act",
                {.kind = ops::ElementwiseKind::activation,
                 .rows = rows,
                 .read_bytes = 4.0 * mi,
                 .write_bytes = 2.0 * mi},
                Shard::expert_rows, Stage::experts);
  if (b.prefill())
    b.cast("experts.cast_act", mi, p.experts_input, Shard::expert_rows, Stage::experts, rows);
  b.add("experts.down", gemm(d, s.moe_intermediate_size), Shard::expert_rows, Stage::experts);
  if (b.prefill()) {
    b.elementwise("unpermute",
                  {.kind = ops::ElementwiseKind::permute,
                   .rows = rows,
                   .read_bytes = 2.0 * width,
                   .write_bytes = 2.0 * width,
                   .repeated_bytes = 2.0 * width * (1.0 - 1.0 / k)},
                  Shard::experts, Stage::experts);
  }
}

// mHC (V4 report): per sublayer one small GEMM over the flattened streams, a weighted sum in, a mix
// out: 14 d elements a token.
void hyper_connection_in(BlockBuilder& b, Stage stage) {
  const std::int64_t n = b.arch.hc_mult;
  const auto d = static_cast<double>(b.arch.hidden_size);
  const auto streams = static_cast<double>(n) * d;
  b.plain_linear("hc_mix", n * (n + 2), n * b.arch.hidden_size, Shard::replicated, stage);
  b.elementwise("hc_pre",
                {.kind = ops::ElementwiseKind::misc,
                 .rows = b.rows,
                 .read_bytes = 2.0 * streams,
                 .write_bytes = 2.0 * d},
                Shard::replicated, stage);
}

}  // namespace

void enter_sublayer(BlockBuilder& b, Stage stage) {
  if (b.arch.hc_mult > 1) hyper_connection_in(b, stage);
  const auto d = static_cast<double>(b.arch.hidden_size);
  b.norm("norm", d, Shard::replicated, stage, d);
}

void leave_sublayer(BlockBuilder& b, Stage stage) {
  const auto d = static_cast<double>(b.arch.hidden_size);
  if (b.arch.hc_mult > 1) {
    const double streams = static_cast<double>(b.arch.hc_mult) * d;
    b.elementwise("hc_post",
                  {.kind = ops::ElementwiseKind::misc,
                   .rows = b.rows,
                   .read_bytes = 2.0 * (streams + d),
                   .write_bytes = 2.0 * streams},
                  Shard::replicated, stage);
  } else if (!b.options.fused_elementwise) {
    b.elementwise("residual_add",
                  {.kind = ops::ElementwiseKind::misc,
                   .rows = b.rows,
                   .read_bytes = 4.0 * d,
                   .write_bytes = 2.0 * d},
                  Shard::replicated, stage);
  }
}

void dense_ffn(BlockBuilder& b, const DenseFfnSpec& s) {
  b.cast("cast_x_ffn", static_cast<double>(b.arch.hidden_size), b.precision().linear_input,
         Shard::replicated, Stage::dense);
  ffn(b, s.gated ? "gate_up_proj" : "up_proj", "act", "down_proj", s.intermediate_size,
      Stage::dense, s.gated);
}

void moe(BlockBuilder& b, const MoeSpec& s) {
  route(b, s);
  if (s.shared_intermediate_size > 0) {
    ffn(b, "shared.gate_up", "shared.act", "shared.down", s.shared_intermediate_size, Stage::shared,
        true);
    if (s.shared_expert_gate)
      b.plain_linear("shared.gate", 1, b.arch.hidden_size, Shard::replicated, Stage::shared);
  }
  routed(b, s);
}

void mtp_projection(BlockBuilder& b) {
  const std::int64_t d = b.arch.hidden_size;
  const double both = 2.0 * static_cast<double>(d);
  b.norm("mtp.enorm_hnorm", both, Shard::replicated, Stage::attention_1, both);
  if (b.arch.mtp_kind ==
      MtpKind::v4) {  // separate projections of the embedding and of every residual stream
    b.linear("mtp.e_proj", d, d, Shard::replicated, Stage::attention_1);
    b.linear("mtp.h_proj", d, d, Shard::replicated, Stage::attention_1,
             b.rows * static_cast<double>(b.arch.hc_mult));
  } else {
    b.plain_linear("mtp.eh_proj", d, 2 * d, Shard::replicated, Stage::attention_1);
  }
}

void head(BlockBuilder& b, double head_rows) {
  const std::int64_t d = b.arch.hidden_size;
  if (b.arch.hc_mult > 1) {
    b.plain_linear("hc_head", b.arch.hc_mult, b.arch.hc_mult * d, Shard::replicated, Stage::head,
                   head_rows);
  }
  const auto width = static_cast<double>(d);
  b.norm("final_norm", width, Shard::replicated, Stage::head, width, head_rows);
  b.plain_linear("lm_head", b.arch.vocab_size, d, Shard::vocab, Stage::head, head_rows);
}

}  // namespace fathom::model::blocks
