#include "experiment/fp8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/rng.hpp"
#include "kernels/ref/fp8_gemm.hpp"

namespace fathom::experiment {
namespace {

using kernels::Tensor;
using namespace kernels::ref;

constexpr std::int64_t kPromotionInterval = 128;  // DeepSeek-V3 report, section 3.3.2

using Draw = double (Rng::*)();

Tensor<float> filled(kernels::Shape shape, Rng& random, Draw draw) {
  Tensor<float> out{std::move(shape)};
  for (float& v : out.data) v = static_cast<float>((random.*draw)());
  return out;
}

bool is_outlier(const Fp8Experiment& e, std::int64_t channel) {
  return channel % e.outlier_every == 0;
}

void add_outliers(Tensor<float>& x, const Fp8Experiment& e) {
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (is_outlier(e, i % x.dim(-1))) x[i] *= static_cast<float>(e.outlier_scale);
  }
}

/// 10 log10 of signal over noise in the channels that are no outliers.
double ordinary_snr_db(const Fp8Experiment& e, const Tensor<float>& x, const Quantised& q) {
  const Tensor<float> restored = dequantise<float>(q);
  double signal = 0.0;
  double noise = 0.0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (is_outlier(e, i % x.dim(-1))) continue;
    const double value = x[i];
    const double error = static_cast<double>(restored[i]) - value;
    signal += value * value;
    noise += error * error;
  }
  return 10.0 * std::log10(signal / noise);
}

void add_format_rows(const Fp8Experiment& e, const std::string& input, const Tensor<float>& x,
                     Fp8Result& out) {
  const std::array<std::pair<const char*, BlockFormat>, 7> formats{{
      {"e4m3 per tensor", kPerTensor},
      {"e4m3 1x128", kActivationV3},
      {"e4m3 1x128 ue8m0", kActivationUe8m0},
      {"e4m3 128x128", kWeight},
      {"mxfp8", kMxfp8},
      {"mxfp4", kMxfp4},
      {"nvfp4", kNvfp4},
  }};
  for (const auto& [name, format] : formats) {
    const Quantised q = quantise(x, format);
    out.formats.push_back({.format = name,
                           .input = input,
                           .bits_per_element = bits_per_element(format),
                           .error = quant_error(x, q),
                           .ordinary_snr_db = ordinary_snr_db(e, x, q)});
  }
}

/// Exact output and error of one GEMM, entry by entry.
class ErrorSum {
 public:
  void add(double got, double exact) {
    const double error = std::abs(got - exact);
    max_ = std::max(max_, error);
    noise_ += error * error;
    signal_ += exact * exact;
    ++count_;
  }
  AccumulationError result() const {
    if (signal_ == 0.0) return {};
    return {std::sqrt(noise_ / signal_), max_ / std::sqrt(signal_ / count_)};
  }

 private:
  double max_ = 0.0;
  double noise_ = 0.0;
  double signal_ = 0.0;
  double count_ = 0.0;
};

GemmRow gemm_row(std::string input, const Tensor<float>& a, const Tensor<float>& b) {
  const Tensor<float> ea = elements<float>(quantise(a, kPerTensor));
  const Tensor<float> eb = elements<float>(quantise(b, kPerTensor));
  const TensorCore core;
  ErrorSum float32;
  ErrorSum promoted;
  ErrorSum tensor_core;
  for (std::int64_t i = 0; i < ea.rows(); ++i) {
    for (std::int64_t j = 0; j < eb.rows(); ++j) {
      double exact = 0.0;  // every product and sum of e4m3 values here fits a double
      for (std::size_t c = 0; c < ea.row(i).size(); ++c) {
        exact += static_cast<double>(ea.row(i)[c]) * static_cast<double>(eb.row(j)[c]);
      }
      float32.add(float32_dot(ea.row(i), eb.row(j)), exact);
      promoted.add(tensor_core_dot(core, kPromotionInterval, ea.row(i), eb.row(j)), exact);
      tensor_core.add(tensor_core_dot(core, 0, ea.row(i), eb.row(j)), exact);
    }
  }
  return {std::move(input), a.dim(-1), float32.result(), promoted.result(), tensor_core.result()};
}

}  // namespace

Fp8Result run_fp8(const Fp8Experiment& e) {
  FATHOM_EXPECT(e.rows > 0 && e.cols > 0 && e.outlier_every > 0, "an experiment without data");
  Rng random{e.seed};
  Fp8Result out;
  Tensor<float> x = filled({e.rows, e.cols}, random, &Rng::normal);
  add_format_rows(e, "gaussian", x, out);
  add_outliers(x, e);
  add_format_rows(e, "outlier channels", x, out);
  const std::array<std::pair<const char*, Draw>, 2> inputs{
      {{"gaussian", &Rng::normal}, {"uniform", &Rng::uniform}}};
  for (const auto& [name, draw] : inputs) {
    for (const std::int64_t k : e.gemm_k) {
      const Tensor<float> a = filled({e.gemm_rows, k}, random, draw);
      const Tensor<float> b = filled({e.gemm_rows, k}, random, draw);
      out.gemms.push_back(gemm_row(name, a, b));
    }
  }
  return out;
}

}  // namespace fathom::experiment
