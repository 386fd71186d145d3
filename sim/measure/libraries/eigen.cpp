// Eigen's products in fp32. Compiled once into the program, for whatever processor the build is
// for, and again as modules for wider vectors: Eigen chooses its instructions when it is compiled,
// and a baseline on SSE2 would flatter every other kernel on a machine with AVX-512.

#include <Eigen/Core>
#include <cmath>
#include <random>
#include <string>

#include "measure/libraries/module.h"

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Uniform in [-scale, scale), four values a draw.
Matrix random_matrix(Eigen::Index rows, Eigen::Index columns, float scale) {
  std::mt19937_64 engine{1};
  Matrix out{rows, columns};
  for (Eigen::Index i = 0; i < out.size();) {
    std::uint64_t bits = engine();
    for (int j = 0; j < 4 && i < out.size(); ++j, ++i, bits >>= 16)
      out.data()[i] = scale * 0x1p-15F * static_cast<float>(static_cast<std::int16_t>(bits));
  }
  return out;
}

struct Work {
  virtual ~Work() = default;
  virtual void run() = 0;
};

struct Linear final : Work {
  Matrix x, w, y;

  Linear(Eigen::Index rows, Eigen::Index n, Eigen::Index k)
      : x(random_matrix(rows, k, 1.0F)),
        w(random_matrix(n, k, 1.0F / std::sqrt(static_cast<float>(k)))),
        y(rows, n) {}
  void run() override { y.noalias() = x * w.transpose(); }
};

struct MlaDecode final : Work {
  Matrix q, cache, scores, out;
  Eigen::Index v_dim;

  MlaDecode(Eigen::Index queries, Eigen::Index context, Eigen::Index qk_dim, Eigen::Index value)
      : q(random_matrix(queries, qk_dim, 1.0F / std::sqrt(static_cast<float>(qk_dim)))),
        cache(random_matrix(context, qk_dim, 1.0F)),
        scores(queries, context),
        out(queries, value),
        v_dim(value) {}
  void run() override {
    scores.noalias() = q * cache.transpose();
    for (Eigen::Index i = 0; i < scores.rows(); ++i) {
      auto row = scores.row(i).array();
      row = (row - row.maxCoeff()).exp();
      row /= row.sum();
    }
    out.noalias() = scores * cache.leftCols(v_dim);
  }
};

}  // namespace

const char* fathom_baseline_name(void) {
#if defined(EIGEN_VECTORIZE_AVX512)
  return "Eigen fp32 (AVX-512)";
#elif defined(EIGEN_VECTORIZE_AVX2) && defined(EIGEN_VECTORIZE_FMA)
  return "Eigen fp32 (AVX2)";
#else
  return "Eigen fp32 (plain build)";
#endif
}

const char* fathom_baseline_version(void) {
  static const std::string kText = std::to_string(EIGEN_WORLD_VERSION) + '.' +
                                   std::to_string(EIGEN_MAJOR_VERSION) + '.' +
                                   std::to_string(EIGEN_MINOR_VERSION);
  return kText.c_str();
}

void* fathom_baseline_linear(int64_t rows, int64_t n, int64_t k) { return new Linear{rows, n, k}; }

void* fathom_baseline_mla_decode(int64_t queries, int64_t context_tokens, int64_t qk_dim,
                                 int64_t v_dim) {
  return new MlaDecode{queries, context_tokens, qk_dim, v_dim};
}

void fathom_baseline_run(void* work) { static_cast<Work*>(work)->run(); }
void fathom_baseline_free(void* work) { delete static_cast<Work*>(work); }
