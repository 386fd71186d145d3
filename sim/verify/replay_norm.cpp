#include "kernels/ref/norm.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;

bool matches_norm(const GoldenCase& golden) {
  return golden.has_input("x") && golden.has_input("weight") &&
         (golden.expects("rmsnorm") || golden.expects("fused_out") || golden.expects("layernorm"));
}

template <class T>
void replay_norm(const GoldenCase& golden, Produced<T>& out) {
  const double eps = golden.config_reader().number_or("eps", 1e-6, 0.0, 1.0);
  const Tensor<T> x = golden.input<T>("x");
  const Tensor<T> weight = golden.input<T>("weight");
  out.put("rmsnorm", ref::rms_norm<T>(x, weight, eps));
  if (golden.has_input("residual")) {
    auto fused = ref::add_rms_norm<T>(x, golden.input<T>("residual"), weight, eps);
    out.put("fused_out", std::move(fused.out));
    out.put("fused_residual", std::move(fused.residual));
  }
  if (golden.has_input("ln_bias")) {
    out.put("layernorm", ref::layer_norm<T>(x, weight, golden.input<T>("ln_bias"), eps));
  }
}

}  // namespace

extern const Family kNorm;
const Family kNorm{"norm", matches_norm, replay_norm<float>, replay_norm<double>};

}  // namespace fathom::verify
