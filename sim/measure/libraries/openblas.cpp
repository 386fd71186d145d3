#include <cblas.h>

#include <random>
#include <string>
#include <vector>

#include "measure/libraries/module.h"

namespace {

std::vector<float> random_floats(std::int64_t count) {
  std::mt19937 engine{1};
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out)
    value = static_cast<float>(static_cast<std::int32_t>(engine())) * 0x1p-31F;
  return out;
}

struct Linear {
  blasint rows, n, k;
  std::vector<float> x, w, y;
};

}  // namespace

const char* fathom_baseline_name(void) { return "OpenBLAS fp32"; }

const char* fathom_baseline_version(void) {
  static const std::string kText = [] {
    const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE …"
    const auto start = config.find(' ');
    return start == std::string::npos
               ? config
               : config.substr(start + 1, config.find(' ', start + 1) - start - 1);
  }();
  return kText.c_str();
}

void* fathom_baseline_linear(int64_t rows, int64_t n, int64_t k) {
  openblas_set_num_threads(1);
  return new Linear{
      static_cast<blasint>(rows), static_cast<blasint>(n),
      static_cast<blasint>(k),    random_floats(rows * k),
      random_floats(n * k),       std::vector<float>(static_cast<std::size_t>(rows * n))};
}

void fathom_baseline_run(void* linear) {
  auto* l = static_cast<Linear*>(linear);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, l->rows, l->n, l->k, 1.0F, l->x.data(), l->k,
              l->w.data(), l->k, 0.0F, l->y.data(), l->n);
}

void fathom_baseline_free(void* linear) { delete static_cast<Linear*>(linear); }
