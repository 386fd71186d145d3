#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>

#include "kernels/tensor.hpp"

namespace fathom::verify {

/// A NumPy array as read from a file: one of the three element types that golden cases use.
using Array = std::variant<kernels::Tensor<float>, kernels::Tensor<double>, kernels::Indices>;

/// The largest array that is read, in elements.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 28U;

/// Reads a `.npy` file (format versions 1 to 3; `<f4`, `<f8`, `<i8`; C order). InputError, naming
/// the file as `shown`, for: missing, not a file, wrong magic, malformed header, another dtype or
/// order, a size that differs from the header (truncated or trailing bytes), too many elements.
Array read_npy(const std::filesystem::path& path, const std::string& shown);

/// "float32", "float64" or "int64": the names that case.json uses.
std::string dtype_name(const Array& array);
const kernels::Shape& shape_of(const Array& array);

}  // namespace fathom::verify
