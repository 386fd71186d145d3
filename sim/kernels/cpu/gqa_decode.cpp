#include "kernels/cpu/gqa_decode.hpp"

#include "core/error.hpp"
#include "kernels/cpu/attention_plan.hpp"

namespace fathom::kernels::cpu {

GqaDecode::GqaDecode(const GqaDecodeShape& shape, Isa isa, int threads) : shape_(shape) {
  const AttentionShape attention{.heads = shape.heads,
                                 .kv_heads = shape.kv_heads,
                                 .qk_head_dim = shape.qk_head_dim,
                                 .v_head_dim = shape.v_head_dim,
                                 .softmax_scale = shape.softmax_scale,
                                 .window = shape.window,
                                 .layout = {.storage = shape.storage,
                                            .key_stride = shape.kv_heads * shape.qk_head_dim,
                                            .value_stride = shape.kv_heads * shape.v_head_dim,
                                            .scale_group = shape.scale_group}};
  plan_ = std::make_unique<AttentionPlan>(attention, attention_kernel(isa), threads);
}

GqaDecode::GqaDecode(GqaDecode&&) noexcept = default;
GqaDecode& GqaDecode::operator=(GqaDecode&&) noexcept = default;
GqaDecode::~GqaDecode() = default;

void GqaDecode::run(const Bf16* q, std::span<const KvSequence> caches, const AttentionOutput& out,
                    ThreadPool& pool) {
  FATHOM_EXPECT(static_cast<std::int64_t>(caches.size()) == shape_.sequences, "a cache each");
  const std::int64_t query_rows = shape_.query_tokens * shape_.heads;
  const auto sequences = plan_->sequences(shape_.sequences);
  for (std::size_t i = 0; i < caches.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) * query_rows;
    sequences[i] = {.q = q + at * shape_.qk_head_dim,
                    .token_stride = shape_.heads * shape_.qk_head_dim,
                    .query_tokens = shape_.query_tokens,
                    .cache = caches[i],
                    .out = from_row(out, at, shape_.v_head_dim)};
  }
  plan_->run(pool);
}

}  // namespace fathom::kernels::cpu
