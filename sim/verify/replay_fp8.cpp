#include <string>

#include "kernels/ref/fp8_gemm.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using kernels::Indices;
using kernels::Tensor;
using namespace kernels::ref;

// The golden table writes NaN codes as this number.
constexpr double kNanEntry = 1e30;

bool matches_fp8(const GoldenCase& c) {
  return c.has_input("x") && c.has_weight("weight") && c.expects_prefix("act.") &&
         c.expects("weight.scale");
}

template <class T>
void put_quantised(Produced<T>& out, const std::string& prefix, const Quantised& q) {
  out.put(prefix + "codes", kernels::converted<std::int64_t>(q.codes));
  out.put(prefix + "scale", kernels::converted<T>(q.scales));
  out.put(prefix + "dequant", dequantise<T>(q));
}

template <class T>
void put_formats(const GoldenCase& c, Produced<T>& out) {
  Tensor<T> table{{256}};
  for (std::uint32_t code = 0; code < 256; ++code) {
    const double value = decode(kE4m3, code);
    table[code] = static_cast<T>(std::isnan(value) ? kNanEntry : value);
  }
  out.put("e4m3_table", table);
  if (c.has_input("rounding_probe")) {
    Tensor<double> probe = c.input<double>("rounding_probe");
    for (double& v : probe.data) v = round_e4m3(v);
    out.put("rounding_probe_saturating", kernels::converted<T>(probe));
  }
}

template <class T>
void replay_fp8(const GoldenCase& c, Produced<T>& out) {
  put_formats(c, out);
  // float32 in every run: the arithmetic under test is float32 arithmetic.
  const auto x = c.input<float>("x");
  put_quantised(out, "act.v3.", quantise(x, kActivationV3));
  put_quantised(out, "act.v32.", quantise(x, kActivationV32));
  put_quantised(out, "act.v32_ue8m0.", quantise(x, kActivationUe8m0));
  put_quantised(out, "act.tilekernels.", quantise(x, kActivationTileKernels));
  put_quantised(out, "weight.", quantise(c.weight<float>("weight"), kWeight));

  const Quantised fp4 = quantise(x, kFp4V4);
  put_quantised(out, "fp4.", fp4);
  out.put("fp4.values", elements<T>(fp4));

  if (!c.has_weight("gemm_weight")) return;
  const auto w = c.weight<float>("gemm_weight");
  const Quantised weight = quantise(w, kWeight);
  out.put("gemm.weight_codes", kernels::converted<std::int64_t>(weight.codes));
  out.put("gemm.weight_scale", kernels::converted<T>(weight.scales));
  // The GEMM is V3.2's, and so are its activations.
  const Quantised activation = quantise(x, kActivationV32);
  out.put("gemm.out", kernels::converted<T>(fp8_gemm<double>(activation, weight)));
  out.put("gemm.out_unquantised", kernels::converted<T>(linear(kernels::converted<double>(x),
                                                               kernels::converted<double>(w))));
}

}  // namespace

extern const Family kFp8;
const Family kFp8{"fp8", matches_fp8, replay_fp8<float>, replay_fp8<double>};

}  // namespace fathom::verify
