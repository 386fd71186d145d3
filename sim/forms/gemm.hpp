#pragma once

#include <span>
#include <vector>

#include "forms/form.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {

/// batch independent products c[m,n] = a[m,k] b[k,n].
struct Product {
  double batch = 1.0;
  double m = 0.0;
  double n = 0.0;
  double k = 0.0;
  Precision precision;
};

/// What a tiled product costs on one device and stack.
struct TileRates {
  double compute_share = 1.0;
  double memory_share = 1.0;
  double feed_gb_s = 1.0;   // operands one SM takes from L2
  double wave_quant = 1.0;  // see waves()
  double wave_us = 0.0;     // prologue and epilogue of one round
  double blend = 1.0;
  double k_ns = 0.0;      // one CTA's serial walk along k
  double split_us = 0.0;  // merging of split-k partial sums
  double pad = 0.0;       // excess cost of a partly filled tile
};

enum class TileFamily { cublas, deepgemm, unsplit };

/// Best over tile shapes and split-k of blend(tensor time, operand feed, memory, serial k) + waves:
/// the library's heuristic is taken to be perfect. No allocation, below a microsecond.
double product_seconds(const Product& product, const TileRates& rates, TileFamily family,
                       const DeviceFigures& device);

/// gemm, mla_bmm, infersim_gemm.
std::vector<Form> gemm_forms();

}  // namespace fathom::forms
