#pragma once

#include <string_view>

#include "model/graph.hpp"
#include "model/lower.hpp"

namespace fathom::model::blocks {

/// What every block needs: the shape's totals, number formats and where nodes go.
class BlockBuilder {
 public:
  BlockBuilder(const ArchSpec& model, const StepShape& shape, const LowerOptions& lowering,
               OpGraph& out)
      : arch(model),
        step(shape),
        options(lowering),
        rows(tokens(shape)),
        seqs(sequences(shape)),
        graph_(out) {}

  const ArchSpec& arch;
  const StepShape& step;
  const LowerOptions& options;
  double rows;  // new tokens
  double seqs;

  bool prefill() const { return step.phase == Phase::prefill; }
  const Precision& precision() const { return options.precision; }

  void add(std::string_view node, const ops::Op& op, Shard shard, Stage stage) {
    graph_.nodes.push_back({node, op, shard, stage});
  }
  /// A quantised projection x[m, in] -> y[m, out].
  void linear(std::string_view node, std::int64_t out, std::int64_t in, Shard shard, Stage stage,
              double m = -1.0) {
    add(node,
        ops::Gemm{.m = m < 0.0 ? rows : m,
                  .n = out,
                  .k = in,
                  .weight = precision().linear,
                  .input = precision().linear_input},
        shard, stage);
  }
  /// A projection that stays in the unquantised format (router, compressors, head).
  void plain_linear(std::string_view node, std::int64_t out, std::int64_t in, Shard shard,
                    Stage stage, double m = -1.0) {
    add(node,
        ops::Gemm{.m = m < 0.0 ? rows : m,
                  .n = out,
                  .k = in,
                  .weight = precision().other,
                  .input = precision().other},
        shard, stage);
  }
  void elementwise(std::string_view node, const ops::Elementwise& op, Shard shard, Stage stage) {
    add(node, op, shard, stage);
  }
  /// Quantises `width` elements a row before an FP8 (or narrower) product; nothing when fused or in
  /// BF16.
  void cast(std::string_view node, double width, Dtype to, Shard shard, Stage stage,
            double m = -1.0) {
    if (options.fused_elementwise || size_of(to).value >= 2.0) return;
    elementwise(node,
                {.kind = ops::ElementwiseKind::cast,
                 .rows = m < 0.0 ? rows : m,
                 .read_bytes = 2.0 * width,
                 .write_bytes = row_size_of(to).value * width},
                shard, stage);
  }
  /// Normalises `width` elements a row; `weight` of them have a weight of their own.
  void norm(std::string_view node, double width, Shard shard, Stage stage, double weight,
            double m = -1.0) {
    elementwise(node,
                {.kind = ops::ElementwiseKind::norm,
                 .rows = m < 0.0 ? rows : m,
                 .read_bytes = 2.0 * width,
                 .write_bytes = 2.0 * width,
                 .weight_bytes = 2.0 * weight},
                shard, stage);
  }

 private:
  OpGraph& graph_;
};

// One overload per attention kind: projections, core, output projection; norms and residuals stand
// around it.
void attention(BlockBuilder& b, const GqaSpec& spec);
void attention(BlockBuilder& b, const MlaSpec& spec);
void attention(BlockBuilder& b, const CompressedSpec& spec);
void attention(BlockBuilder& b, const LinearAttentionSpec& spec);
void attention(BlockBuilder& b, const TpaSpec& spec);
void dense_ffn(BlockBuilder& b, const DenseFfnSpec& spec);
void moe(BlockBuilder& b, const MoeSpec& spec);
/// Norm before and residual add after a sublayer, or their mHC counterparts.
void enter_sublayer(BlockBuilder& b, Stage stage);
void leave_sublayer(BlockBuilder& b, Stage stage);
void mtp_projection(BlockBuilder& b);
void head(BlockBuilder& b, double head_rows);

}  // namespace fathom::model::blocks
