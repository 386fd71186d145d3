#include "calib/least_squares.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace fathom::calib {
namespace {

double soft_l1(double r, double scale) {
  const double z = r / scale;
  return 2.0 * scale * scale * (std::sqrt(1.0 + z * z) - 1.0);
}

double total_cost(std::span<const double> residuals, double scale) {
  double sum = 0.0;
  for (const double r : residuals) sum += soft_l1(r, scale);
  return sum;
}

// The normal equations of the loss's local quadratic model (Triggs et al. 2000, "Bundle
// adjustment", section 4.3): curvature (1 + z^2)^(-3/2), gradient (1 + z^2)^(-1/2) r.
struct Normal {
  std::vector<double> hessian;  // row-major
  std::vector<double> gradient;
};

class Problem {
 public:
  Problem(const Residuals& residuals, std::size_t count, const Box& box,
          const SolverOptions& options)
      : residuals_(residuals), box_(box), options_(options), shifted_(count) {
    for (std::size_t j = 0; j < box.low.size(); ++j) {
      if (box.high[j] - box.low[j] > 1e-3) searched_.push_back(j);
    }
    jacobian_.assign(searched_.size(), std::vector<double>(count));
  }

  const std::vector<std::size_t>& searched() const { return searched_; }

  Normal linearize(std::vector<double> theta, std::span<const double> at) {
    for (std::size_t c = 0; c < searched_.size(); ++c) {
      const std::size_t j = searched_[c];
      const double kept = theta[j];
      const bool up = kept + options_.difference <= box_.high[j];
      const double step = up ? options_.difference : -options_.difference;
      theta[j] = kept + step;
      residuals_(theta, shifted_);
      theta[j] = kept;
      for (std::size_t i = 0; i < at.size(); ++i) jacobian_[c][i] = (shifted_[i] - at[i]) / step;
    }
    return accumulate(at);
  }

 private:
  Normal accumulate(std::span<const double> at) const {
    const std::size_t n = searched_.size();
    Normal normal{std::vector<double>(n * n), std::vector<double>(n)};
    std::vector<double> curvature(at.size());
    std::vector<double> pull(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double z = at[i] / options_.loss_scale;
      const double root = 1.0 / std::sqrt(1.0 + z * z);
      curvature[i] = root * root * root;
      pull[i] = root * at[i];
    }
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t i = 0; i < at.size(); ++i) normal.gradient[a] += jacobian_[a][i] * pull[i];
      for (std::size_t b = 0; b <= a; ++b) {
        double sum = 0.0;
        for (std::size_t i = 0; i < at.size(); ++i) {
          sum += jacobian_[a][i] * jacobian_[b][i] * curvature[i];
        }
        normal.hessian[a * n + b] = normal.hessian[b * n + a] = sum;
      }
    }
    return normal;
  }

  const Residuals& residuals_;
  const Box& box_;
  const SolverOptions& options_;
  std::vector<std::size_t> searched_;
  std::vector<std::vector<double>> jacobian_;  // a column per searched variable
  std::vector<double> shifted_;
};

// A damped step over the variables that are not held by a bound; clipped to the box.
std::vector<double> step_from(const std::vector<double>& theta, const Problem& problem,
                              const Normal& normal, const Box& box, double damping) {
  const auto& searched = problem.searched();
  const std::size_t n = searched.size();
  std::vector<std::size_t> free;
  for (std::size_t c = 0; c < n; ++c) {
    const std::size_t j = searched[c];
    const bool held = (theta[j] <= box.low[j] && normal.gradient[c] > 0.0) ||
                      (theta[j] >= box.high[j] && normal.gradient[c] < 0.0);
    if (!held) free.push_back(c);
  }
  std::vector<double> a(free.size() * free.size());
  std::vector<double> b(free.size());
  for (std::size_t r = 0; r < free.size(); ++r) {
    b[r] = -normal.gradient[free[r]];
    for (std::size_t c = 0; c < free.size(); ++c) {
      a[r * free.size() + c] = normal.hessian[free[r] * n + free[c]];
    }
    a[r * free.size() + r] *= 1.0 + damping;
    a[r * free.size() + r] += 1e-9 * damping + 1e-12;
  }
  std::vector<double> next = theta;
  if (!solve_cholesky(a, b)) return next;
  for (std::size_t r = 0; r < free.size(); ++r) {
    const std::size_t j = searched[free[r]];
    // A factor of e^1.5 at a time: the blends are far from linear beyond.
    next[j] = std::clamp(theta[j] + std::clamp(b[r], -1.5, 1.5), box.low[j], box.high[j]);
  }
  return next;
}

}  // namespace

bool solve_cholesky(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && sum <= 0.0) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return true;
}

Solution minimize(const Residuals& residuals, std::size_t residual_count, const Box& box,
                  std::vector<double> start, const SolverOptions& options) {
  FATHOM_EXPECT(box.low.size() == start.size() && box.high.size() == start.size(),
                "a bound for every variable");
  for (std::size_t j = 0; j < start.size(); ++j) {
    start[j] = std::clamp(start[j], box.low[j], box.high[j]);
  }
  Problem problem{residuals, residual_count, box, options};
  std::vector<double> at(residual_count);
  std::vector<double> tried(residual_count);
  residuals(start, at);
  Solution best{std::move(start), total_cost(at, options.loss_scale), 0};
  double damping = 1e-2;
  int stalls = 0;
  while (best.iterations < options.max_iterations && stalls < 2 && !problem.searched().empty()) {
    ++best.iterations;
    const Normal normal = problem.linearize(best.theta, at);
    const double before = best.cost;
    for (int attempt = 0; attempt < 8; ++attempt) {
      std::vector<double> next = step_from(best.theta, problem, normal, box, damping);
      residuals(next, tried);
      const double cost = total_cost(tried, options.loss_scale);
      if (cost < best.cost) {
        best.theta = std::move(next);
        best.cost = cost;
        at.swap(tried);
        damping = std::max(1e-6, damping * 0.3);
        break;
      }
      damping = std::min(1e8, damping * 4.0);
    }
    stalls = best.cost < before * (1.0 - options.tolerance) ? 0 : stalls + 1;
    if (best.cost >= before) break;  // no downhill step at any damping
  }
  return best;
}

}  // namespace fathom::calib
