#include "measure/baseline_eigen.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <cmath>
#include <memory>

#include "measure/random_data.hpp"

namespace fathom::measure {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix random_matrix(std::int64_t rows, std::int64_t columns, float scale, std::uint64_t seed) {
  Matrix out{rows, columns};
  fill_random(std::span{out.data(), static_cast<std::size_t>(out.size())}, scale, seed);
  return out;
}

std::string version() {
  return fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
}

}  // namespace

Baseline eigen_linear(std::int64_t rows, std::int64_t n, std::int64_t k, std::uint64_t seed) {
  struct Data {
    Matrix x, w, y;
  };
  const float scale = 1.0F / std::sqrt(static_cast<float>(k));
  const auto d = std::make_shared<Data>(Data{
      random_matrix(rows, k, 1.0F, seed), random_matrix(n, k, scale, seed + 1), Matrix{rows, n}});
  return {"Eigen fp32", version(), [d] { d->y.noalias() = d->x * d->w.transpose(); }};
}

Baseline eigen_mla_decode(std::int64_t queries, std::int64_t context_tokens, HeadDims dims,
                          std::uint64_t seed) {
  struct Data {
    Matrix q, cache, scores, out;
    std::int64_t v_dim;
  };
  const auto d = std::make_shared<Data>(Data{random_matrix(queries, dims.qk, 1.0F, seed),
                                             random_matrix(context_tokens, dims.qk, 1.0F, seed + 1),
                                             Matrix{queries, context_tokens},
                                             Matrix{queries, dims.v}, dims.v});
  const auto run = [d] {
    d->scores.noalias() = d->q * d->cache.transpose();
    for (Eigen::Index row = 0; row < d->scores.rows(); ++row) {
      auto scores = d->scores.row(row).array();
      scores = (scores - scores.maxCoeff()).exp();
      scores /= scores.sum();
    }
    d->out.noalias() = d->scores * d->cache.leftCols(d->v_dim);
  };
  return {"Eigen fp32, two products and a softmax", version(), run};
}

}  // namespace fathom::measure
