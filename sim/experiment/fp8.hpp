#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/ref/quant_error.hpp"

namespace fathom::experiment {

/// What number formats lose on synthetic tensors, and what accumulation loses in an FP8 GEMM.
struct Fp8Experiment {
  std::int64_t rows = 128;   // of the quantised tensors
  std::int64_t cols = 1024;  // channels
  /// Every so many channels one is an outlier, `outlier_scale` times as large as the others.
  std::int64_t outlier_every = 256;
  double outlier_scale = 300.0;
  std::int64_t gemm_rows = 8;  // outputs per GEMM: gemm_rows^2
  std::vector<std::int64_t> gemm_k = {512, 1024, 2048, 4096, 8192, 16384};
  std::uint64_t seed = 1;
  bool operator==(const Fp8Experiment&) const = default;
};

/// One format on one kind of input.
struct FormatRow {
  std::string format;
  std::string input;  // "gaussian" or "outlier channels"
  double bits_per_element = 0.0;
  kernels::ref::QuantError error;
  /// Signal to noise over the channels that are no outliers: outliers dominate `error.snr_db`, and
  /// as the largest of their block they are stored best.
  double ordinary_snr_db = 0.0;
};

/// Error of one way to add up the same FP8 products, against their exact sum.
struct AccumulationError {
  double rms = 0.0;  // of the errors, relative to the root mean square of the exact outputs
  double max = 0.0;  // largest error of an output, relative to the same
};

/// Accumulation errors of y = a b^T at one k. Operands are per-tensor e4m3, non-negative (uniform)
/// or zero-mean (gaussian), so that only the additions differ. The "nearly 2 %" of the DeepSeek-V3
/// report (section 3.3.2, k = 4096, unspecified random matrices) lies between the two.
struct GemmRow {
  std::string input;  // "gaussian" or "uniform"
  std::int64_t k = 0;
  AccumulationError float32;      // every product added to a float32 register
  AccumulationError promoted;     // tensor core, into float32 every 128 products (DeepSeek-V3)
  AccumulationError tensor_core;  // tensor core throughout: about 14 bits on Hopper
};

struct Fp8Result {
  std::vector<FormatRow> formats;
  std::vector<GemmRow> gemms;
};

/// The same result for the same experiment, on any number of threads.
Fp8Result run_fp8(const Fp8Experiment& experiment);

}  // namespace fathom::experiment
