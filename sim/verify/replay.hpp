#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "kernels/tensor.hpp"
#include "verify/golden_case.hpp"

namespace fathom::verify {

/// What a replay computed, under the names that the case's `expected` uses.
template <class T>
struct Produced {
  std::map<std::string, kernels::Tensor<T>> real;
  std::map<std::string, kernels::Indices> whole;
  std::map<std::string, std::string> documents;  // JSON text

  void put(const std::string& name, kernels::Tensor<T> x) { real[name] = std::move(x); }
  void put(const std::string& name, kernels::Indices x) { whole[name] = std::move(x); }
};

/// One kind of golden case. A kind is recognised by what the case holds (keys of its config, names
/// of its tensors), never by the case's own name.
struct Family {
  std::string_view name;
  bool (*matches)(const GoldenCase&);
  void (*run_f32)(const GoldenCase&, Produced<float>&);
  void (*run_f64)(const GoldenCase&, Produced<double>&);
};

/// Every kind of case this build can replay. At most one matches a case.
std::span<const Family> families();

}  // namespace fathom::verify
