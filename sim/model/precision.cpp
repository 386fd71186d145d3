#include "model/precision.hpp"

#include <nlohmann/json.hpp>

namespace fathom::model {

Dtype input_for(Dtype weight) {
  switch (weight) {
    case Dtype::mxfp4:
      return Dtype::fp8_ue8m0;  // W4A8: V4 keeps FP8 activations beside FP4 experts
    case Dtype::fp32:
      return Dtype::bf16;
    default:
      return weight;
  }
}

Precision default_precision(const ArchSpec& arch) {
  Precision p;
  p.linear = arch.checkpoint.linear;
  p.experts = arch.checkpoint.experts;
  p.other = arch.checkpoint.other;
  p.linear_input = input_for(p.linear);
  p.experts_input = input_for(p.experts);
  // experts quantised to FP8 or less receive FP8 rows (DeepSeek-V3 report, section 3.3.3); sums
  // travel back in BF16
  p.dispatch = p.experts_input == Dtype::bf16 ? Dtype::bf16 : Dtype::fp8_block;
  return p;
}

nlohmann::json to_json(const Precision& p) {
  return {{"linear", name(p.linear)},
          {"experts", name(p.experts)},
          {"other", name(p.other)},
          {"linear_input", name(p.linear_input)},
          {"experts_input", name(p.experts_input)},
          {"kv", name(p.kv.kv)},
          {"dispatch", name(p.dispatch)},
          {"combine", name(p.combine)}};
}

}  // namespace fathom::model
