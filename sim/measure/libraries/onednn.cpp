#include <cmath>
#include <cstdlib>
#include <dnnl.hpp>
#include <random>
#include <string>
#include <vector>

#include "measure/libraries/module.h"

namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kBf16 = dnnl::memory::data_type::bf16;

// Upper halves of floats in [-scale, scale).
std::vector<std::uint16_t> random_bf16(std::int64_t count, float scale) {
  std::mt19937 engine{1};
  std::vector<std::uint16_t> out(static_cast<std::size_t>(count));
  for (std::uint16_t& value : out) {
    const float number = scale * static_cast<float>(static_cast<std::int32_t>(engine())) * 0x1p-31F;
    std::uint32_t bits = 0;
    static_assert(sizeof bits == sizeof number);
    __builtin_memcpy(&bits, &number, sizeof bits);
    value = static_cast<std::uint16_t>(bits >> 16);
  }
  return out;
}

struct Linear {
  std::vector<std::uint16_t> x, w;
  std::vector<float> y;
  dnnl::engine cpu{dnnl::engine::kind::cpu, 0};
  dnnl::stream queue{cpu};
  dnnl::matmul product;
  dnnl::memory source, weight, result;

  Linear(std::int64_t rows, std::int64_t n, std::int64_t k)
      : x(random_bf16(rows * k, 1.0F)),
        w(random_bf16(n * k, 1.0F / std::sqrt(static_cast<float>(k)))),
        y(static_cast<std::size_t>(rows * n)) {
    const dnnl::memory::desc x_desc{{rows, k}, kBf16, Tag::ab};
    const dnnl::memory::desc any_weight{{k, n}, kBf16, Tag::any};  // the library's own format
    const dnnl::memory::desc y_desc{{rows, n}, dnnl::memory::data_type::f32, Tag::ab};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc chosen{cpu, x_desc, any_weight, y_desc};
#else
    const dnnl::matmul::primitive_desc chosen{dnnl::matmul::desc{x_desc, any_weight, y_desc}, cpu};
#endif
    product = dnnl::matmul{chosen};
    source = dnnl::memory{x_desc, cpu, x.data()};
    result = dnnl::memory{y_desc, cpu, y.data()};
    weight = dnnl::memory{chosen.weights_desc(), cpu};
    dnnl::memory plain{{{k, n}, kBf16, Tag::ba}, cpu, w.data()};
    dnnl::reorder{plain, weight}.execute(queue, plain, weight);
    queue.wait();
  }

  void run() {
    product.execute(queue,
                    {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, result}});
    queue.wait();
  }
};

}  // namespace

const char* fathom_baseline_name(void) { return "oneDNN bf16"; }

const char* fathom_baseline_version(void) {
  static const std::string kText = [] {
    const dnnl::version_t* v = dnnl::version();
    return std::to_string(v->major) + '.' + std::to_string(v->minor) + '.' +
           std::to_string(v->patch);
  }();
  return kText.c_str();
}

void* fathom_baseline_linear(int64_t rows, int64_t n, int64_t k) {
  try {
    return new Linear{rows, n, k};
  } catch (const dnnl::error&) {
    return nullptr;  // no bf16 on this processor
  }
}

void fathom_baseline_run(void* linear) { static_cast<Linear*>(linear)->run(); }
void fathom_baseline_free(void* linear) { delete static_cast<Linear*>(linear); }
