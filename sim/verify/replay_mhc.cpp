#include <string>

#include "kernels/ref/hyper_connections.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using namespace kernels;

constexpr std::string_view kIterations = "sinkhorn_iter";  // followed by how many

bool matches_mhc(const GoldenCase& golden) {
  return golden.has_input("mixes") && golden.has_input("residual") && golden.has_input("fn");
}

ref::HyperConnectionSpec read_spec(const GoldenCase& golden) {
  JsonReader config = golden.config_reader();
  return {.hc_mult = config.integer("hc_mult", 1),
          .hc_sinkhorn_iters = config.integer("sinkhorn_iters", 1, 1000),
          .hc_eps = config.number("eps", 0.0, 1.0),
          .norm_eps = config.number("norm_eps", 0.0, 1.0),
          .post_mult = config.number("post_mult", 0.0, 100.0)};
}

/// `x` with all dimensions but its last `kept` made one.
template <class T>
Tensor<T> by_token(Tensor<T> x, std::ptrdiff_t kept) {
  Shape shape(x.shape.end() - kept, x.shape.end());
  shape.insert(shape.begin(), x.size() / element_count(shape));
  return std::move(x).reshaped(shape);
}

template <class T>
void replay_mhc(const GoldenCase& golden, Produced<T>& out) {
  const auto spec = read_spec(golden);
  const Tensor<T> stored = golden.input<T>("residual");
  const Tensor<T> residual = by_token(stored, 2);
  const ref::HyperConnectionWeights<T> w{.fn = golden.input<T>("fn"),
                                         .base = golden.input<T>("base"),
                                         .scale = golden.input<T>("scale")};
  const Tensor<T> mixes = by_token(golden.input<T>("mixes"), 1);
  const auto put = [&](const std::string& name, Tensor<T> x) {
    Shape shape(stored.shape.begin(), stored.shape.end() - 2);
    shape.insert(shape.end(), x.shape.begin() + 1, x.shape.end());
    out.put(name, std::move(x).reshaped(shape));
  };
  const ref::StreamMix<T> mix = ref::hc_split(spec, mixes, w);
  put("pre", mix.pre);
  put("post", mix.post);
  put("comb_logits", mix.comb_logits);
  put("comb", mix.comb);
  put("pre_applied", ref::hc_weighted_sum(residual, mix.pre));
  put("post_applied", ref::hc_post(by_token(golden.input<T>("x"), 1), residual, mix));
  put("mixes_from_residual", ref::hc_mixes(residual, w.fn, spec.norm_eps));
  put("head_mix", ref::hc_head_mix(spec, mixes, w));
  for (const auto& e : golden.expected()) {
    if (!e.name.starts_with(kIterations)) continue;
    const int iterations = std::stoi(e.name.substr(kIterations.size()));
    out.put(e.name,
            ref::sinkhorn_normalise(golden.input<T>("sinkhorn_logits"), iterations, spec.hc_eps));
  }
}

}  // namespace

extern const Family kMhc;
const Family kMhc{"mhc_sinkhorn", matches_mhc, replay_mhc<float>, replay_mhc<double>};

}  // namespace fathom::verify
