#include "kernels/cpu/flash_prefill.hpp"

#include "core/error.hpp"
#include "kernels/cpu/attention_plan.hpp"

namespace fathom::kernels::cpu {
namespace {

FlashPrefillStrides dense_where_zero(const FlashPrefillShape& shape,
                                     const FlashPrefillStrides& strides) {
  return {.q = strides.q > 0 ? strides.q : shape.heads * shape.qk_head_dim,
          .k = strides.k > 0 ? strides.k : shape.kv_heads * shape.qk_head_dim,
          .v = strides.v > 0 ? strides.v : shape.kv_heads * shape.v_head_dim};
}

}  // namespace

FlashPrefill::FlashPrefill(const FlashPrefillShape& shape, const FlashPrefillStrides& strides,
                           Isa isa, int threads)
    : shape_(shape), strides_(dense_where_zero(shape, strides)) {
  const AttentionShape attention{.heads = shape.heads,
                                 .kv_heads = shape.kv_heads,
                                 .qk_head_dim = shape.qk_head_dim,
                                 .v_head_dim = shape.v_head_dim,
                                 .softmax_scale = shape.softmax_scale,
                                 .causal = shape.causal,
                                 .window = shape.window,
                                 .layout = {.key_stride = strides_.k, .value_stride = strides_.v}};
  plan_ = std::make_unique<AttentionPlan>(attention, attention_kernel(isa), threads);
}

FlashPrefill::FlashPrefill(FlashPrefill&&) noexcept = default;
FlashPrefill& FlashPrefill::operator=(FlashPrefill&&) noexcept = default;
FlashPrefill::~FlashPrefill() = default;

void FlashPrefill::run(const FlashPrefillInput& in, const AttentionOutput& out, ThreadPool& pool) {
  const KvSpan rows{.keys = in.k, .values = in.v, .rows = shape_.prefix_tokens + shape_.tokens};
  plan_->sequences(1).front() = {.q = in.q,
                                 .token_stride = strides_.q,
                                 .query_tokens = shape_.tokens,
                                 .cache = {&rows, 1},
                                 .out = out};
  plan_->run(pool);
}

}  // namespace fathom::kernels::cpu
