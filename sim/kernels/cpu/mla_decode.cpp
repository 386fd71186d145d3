#include "kernels/cpu/mla_decode.hpp"

#include "core/error.hpp"
#include "kernels/cpu/attention_plan.hpp"

namespace fathom::kernels::cpu {

MlaDecode::MlaDecode(const MlaDecodeShape& shape, Isa isa, int threads) : shape_(shape) {
  const std::int64_t row = shape.kv_lora_rank + shape.qk_rope_head_dim;
  const AttentionShape attention{.heads = shape.heads,
                                 .kv_heads = 1,
                                 .qk_head_dim = row,
                                 .v_head_dim = shape.kv_lora_rank,
                                 .shared_kv = true,
                                 .softmax_scale = shape.softmax_scale,
                                 .causal = shape.causal,
                                 .layout = {.storage = shape.storage,
                                            .key_stride = row,
                                            .value_stride = row,
                                            .scale_group = shape.scale_group}};
  plan_ = std::make_unique<AttentionPlan>(attention, attention_kernel(isa), threads);
}

MlaDecode::MlaDecode(MlaDecode&&) noexcept = default;
MlaDecode& MlaDecode::operator=(MlaDecode&&) noexcept = default;
MlaDecode::~MlaDecode() = default;

void MlaDecode::run(const Bf16* q, std::span<const KvSequence> caches, const AttentionOutput& out,
                    ThreadPool& pool) {
  FATHOM_EXPECT(static_cast<std::int64_t>(caches.size()) == shape_.sequences, "a cache each");
  const std::int64_t row = shape_.kv_lora_rank + shape_.qk_rope_head_dim;
  const std::int64_t query_rows = shape_.query_tokens * shape_.heads;
  const auto sequences = plan_->sequences(shape_.sequences);
  for (std::size_t i = 0; i < caches.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) * query_rows;
    sequences[i] = {.q = q + at * row,
                    .token_stride = shape_.heads * row,
                    .query_tokens = shape_.query_tokens,
                    .cache = caches[i],
                    .out = from_row(out, at, shape_.kv_lora_rank)};
  }
  plan_->run(pool);
}

}  // namespace fathom::kernels::cpu
