#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <variant>

namespace fathom::kernels::ref {

// Scalings of rotary frequencies, one struct per scheme. Lengths are in tokens.

/// Linear position interpolation (arXiv 2306.15595).
struct LinearRope {
  double factor = 1.0;
};
/// Static NTK-aware scaling: a larger base instead of closer positions ("NTK-aware scaled RoPE",
/// described in arXiv 2309.00071, section 3.1).
struct NtkRope {
  double factor = 1.0;
};
/// NTK-aware scaling by the length in use, once that exceeds the trained one.
struct DynamicNtkRope {
  double factor = 1.0;
  double max_position_embeddings = 0.0;  // trained length
  double seq_len = 0.0;                  // length in use
};
/// YaRN (arXiv 2309.00071, section 3.2).
struct YarnRope {
  double factor = 1.0;
  double original_max_position_embeddings = 0.0;
  double beta_fast = 32.0;  // rotations within the original length above which nothing is scaled
  double beta_slow = 1.0;   // and below which everything is
};
/// Llama 3.1 (transformers modeling_rope_utils.py, _compute_llama3_parameters).
struct Llama3Rope {
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  double original_max_position_embeddings = 0.0;
};
using RopeScaling =
    std::variant<std::monostate, LinearRope, NtkRope, DynamicNtkRope, YarnRope, Llama3Rope>;

struct RopeSpec {
  std::int64_t dim = 0;  // rotated elements of a head, even
  double theta = 10000.0;
  RopeScaling scaling;
};

/// YaRN's attention temperature 0.1 mscale ln(factor) + 1, or 1 where nothing is stretched.
inline double yarn_mscale(double factor, double mscale = 1.0) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

/// Hugging Face's factor on both cos and sin under YaRN; an mscale of 0 stands for "not given"
/// (transformers modeling_rope_utils.py, _compute_yarn_parameters).
inline double yarn_attention_factor(double factor, double mscale, double mscale_all_dim) {
  if (mscale == 0.0 || mscale_all_dim == 0.0) return yarn_mscale(factor);
  return yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all_dim);
}

/// DeepSeek's softmax scale: the temperature enters squared, once for q and once for k
/// (DeepSeek-V3 inference/model.py, MLA.__init__).
inline double yarn_softmax_scale(std::int64_t qk_head_dim, double factor, double mscale) {
  const double m = yarn_mscale(factor, mscale);
  return m * m / std::sqrt(static_cast<double>(qk_head_dim));
}

/// NTK-aware base: the slowest wavelength stretches by `factor`, the fastest stays.
inline double ntk_theta(const RopeSpec& rope, double factor) {
  const auto dim = static_cast<double>(rope.dim);
  return rope.theta * std::pow(factor, dim / (dim - 2.0));
}

/// Dimension whose frequency makes `rotations` turns within the original length (arXiv 2309.00071,
/// equation 16 solved for the dimension).
inline double yarn_correction_dim(const RopeSpec& rope, const YarnRope& yarn, double rotations) {
  return static_cast<double>(rope.dim) *
         std::log(yarn.original_max_position_embeddings / (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(rope.theta));
}

}  // namespace fathom::kernels::ref
