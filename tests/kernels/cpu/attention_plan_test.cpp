#include "kernels/cpu/attention_plan.hpp"

#include <vector>

#include "attention_samples.hpp"
#include "catch.hpp"
#include "named_kernels.hpp"

namespace fathom::kernels::cpu {

using namespace samples;

namespace {

struct Case {
  AttentionShape shape;
  std::int64_t tokens = 1;
  std::int64_t keys = 0;
  std::int64_t page = 1 << 20;
};

AttentionShape dense(AttentionShape shape) {
  shape.softmax_scale = 1.0 / std::sqrt(static_cast<double>(shape.qk_head_dim));
  shape.layout.key_stride = shape.kv_heads * shape.qk_head_dim;
  shape.layout.value_stride =
      shape.shared_kv ? shape.layout.key_stride : shape.kv_heads * shape.v_head_dim;
  return shape;
}

AttentionShape mla(std::int64_t heads, std::int64_t rank, std::int64_t rope) {
  return dense({.heads = heads,
                .kv_heads = 1,
                .qk_head_dim = rank + rope,
                .v_head_dim = rank,
                .shared_kv = true});
}

AttentionShape gqa(std::int64_t heads, std::int64_t kv_heads, std::int64_t qk, std::int64_t v,
                   std::int64_t window = 0) {
  return dense(
      {.heads = heads, .kv_heads = kv_heads, .qk_head_dim = qk, .v_head_dim = v, .window = window});
}

struct Result {
  std::vector<float> out, log_sum_exp;
  bool operator==(const Result&) const = default;
};

Result attend(const AttentionKernel& kernel, const Case& c, const Sequence& s, int threads) {
  ThreadPool pool{threads, false};
  AttentionPlan plan{c.shape, kernel, threads};
  const auto spans = pages_of(c.shape, s, c.page);
  Result result{poisoned(c.tokens * c.shape.heads * c.shape.v_head_dim),
                poisoned(c.tokens * c.shape.heads)};
  plan.sequences(1).front() = {
      .q = s.q.data(),
      .token_stride = c.shape.heads * c.shape.qk_head_dim,
      .query_tokens = c.tokens,
      .cache = spans,
      .out = {.fp32 = result.out.data(), .log_sum_exp = result.log_sum_exp.data()}};
  plan.run(pool);
  return result;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {mla(16, 512, 64), 1, 1},
      {mla(16, 512, 64), 1, 100},
      {mla(16, 512, 64), 2, 1500, 64},
      {mla(128, 512, 64), 1, 700, 64},
      {mla(7, 64, 32), 3, 333, 7},
      {mla(24, 40, 10), 2, 130},
      {mla(8, 96, 32), 4, 2500, 64},
      {mla(40, 64, 32), 1, 290, 64},
      {gqa(2, 1, 64, 64), 1, 300},
      {gqa(12, 1, 96, 96), 1, 700, 16},
      {gqa(8, 1, 128, 128), 1, 1025},
      {gqa(32, 8, 64, 64), 2, 257, 16},
      {gqa(4, 4, 128, 128), 1, 640},
      {gqa(6, 2, 80, 80), 1, 77},
      {gqa(5, 5, 33, 17), 3, 50, 5},
      {gqa(4, 2, 64, 64, 40), 5, 300, 64},
      {gqa(3, 3, 192, 128), 150, 150},
      {gqa(4, 2, 128, 128), 70, 300},
      {gqa(2, 2, 64, 96, 33), 97, 200},
      // more heads than walk together, in several ranges
      {gqa(40, 20, 64, 64), 1, 2300, 64},
      {gqa(24, 12, 32, 32, 700), 2, 1900, 7},
  };
  return all;
}

}  // namespace

TEST_CASE("attention on every instruction set is the reference on the same bf16 inputs",
          "[cpu][attention]") {
  const auto index = GENERATE(range(std::size_t{0}, cases().size()));
  const Case& c = cases()[index];
  const Sequence s = random_sequence(c.shape, c.tokens, c.keys, 7 * index + 1);
  const auto want = expected(c.shape, s);
  for (const auto& [form, kernel] : named_kernels()) {
    CAPTURE(index, form);
    const Result got = attend(kernel, c, s, 1);
    const Difference d = difference(got.out, want.out);
    CHECK(d.frobenius < bound_of(kernel));
    CHECK(d.largest < 2.0 * bound_of(kernel));
    for (const int threads : {2, 3}) CHECK(attend(kernel, c, s, threads) == got);
  }
}

}  // namespace fathom::kernels::cpu
