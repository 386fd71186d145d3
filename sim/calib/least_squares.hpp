#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace fathom::calib {

/// Writes the residuals at `theta`; every call writes as many.
using Residuals = std::function<void(std::span<const double> theta, std::span<double> out)>;

/// A box; a variable with low = high stays where it is.
struct Box {
  std::vector<double> low;
  std::vector<double> high;
};

struct SolverOptions {
  double loss_scale = 0.08;  // residuals far above it count linearly, far below quadratically
  double difference = 5e-3;  // step of the forward differences
  double tolerance = 1e-5;   // relative fall of the cost that still counts as progress
  int max_iterations = 60;
};

struct Solution {
  std::vector<double> theta;
  double cost = 0.0;  // sum of the soft-L1 losses
  int iterations = 0;
};

/// Minimises sum 2 c^2 (sqrt(1 + (r/c)^2) - 1) over the box by a projected Levenberg-Marquardt
/// method. Deterministic; `residual_count` is how many residuals a call writes.
Solution minimize(const Residuals& residuals, std::size_t residual_count, const Box& box,
                  std::vector<double> start, const SolverOptions& options = {});

/// Solves a·x = b for a symmetric positive definite row-major matrix; false if it is not.
bool solve_cholesky(std::vector<double>& a, std::vector<double>& b);

}  // namespace fathom::calib
