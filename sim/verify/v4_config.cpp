#include "verify/v4_config.hpp"

namespace fathom::verify {
namespace {

constexpr double kLargest = 1e9;  // of any rotary setting
constexpr std::int64_t kLargestDim = std::int64_t{1} << 20;

}  // namespace

kernels::ref::V4RopeSettings v4_rope_settings(JsonReader& config) {
  return {.rope_head_dim = config.integer("rope_head_dim", 2, kLargestDim),
          .rope_theta = config.number("rope_theta", 1.0, kLargest),
          .compress_rope_theta = config.number("compress_rope_theta", 1.0, kLargest),
          .original_seq_len = config.integer_or("original_seq_len", 0),
          .rope_factor = config.number("rope_factor", 1.0, kLargest),
          .beta_fast = config.number_or("beta_fast", 32.0, 0.0, kLargest),
          .beta_slow = config.number_or("beta_slow", 1.0, 0.0, kLargest)};
}

kernels::ref::V4AttentionSpec v4_attention_spec(JsonReader& config, bool compresses) {
  return {.n_heads = config.integer("n_heads", 1, kLargestDim),
          .head_dim = config.integer("head_dim", 1, kLargestDim),
          .rope_head_dim = config.integer("rope_head_dim", 2, kLargestDim),
          .o_groups = config.integer("o_groups", 1, kLargestDim),
          .window_size = config.integer("window_size", 1, kLargestDim),
          .index_n_heads = config.integer_or("index_n_heads", 0, 0, kLargestDim),
          .index_head_dim = config.integer_or("index_head_dim", 0, 0, kLargestDim),
          .index_topk = config.integer_or("index_topk", 0),
          .norm_eps = config.number_or("norm_eps", 1e-6, 0.0, 1.0),
          .rope = kernels::ref::v4_rope(v4_rope_settings(config), compresses),
          .quantised = config.boolean_or("quant", false)};
}

}  // namespace fathom::verify
