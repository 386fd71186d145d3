#include "core/dtype.hpp"

#include <fmt/format.h>

#include <string>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"

namespace fathom {
namespace {

double ceil_div(std::int64_t a, std::int64_t b) {
  const std::int64_t blocks = (a + b - 1) / b;
  return static_cast<double>(blocks);
}

// Scales stored next to a weight matrix. Square blocks: DeepSeek-V3 report, section 3.3.2, and
// `weight_block_size` = [128, 128] in the published checkpoints. Rows of 32: OCP Microscaling 1.0.
// nvfp4 adds one fp32 factor for the whole tensor to its E4M3 byte per 16.
double scale_bytes(Dtype d, std::int64_t rows, std::int64_t cols) {
  const double square_blocks = ceil_div(rows, 128) * ceil_div(cols, 128);
  switch (d) {
    case Dtype::fp8_block:
      return 4.0 * square_blocks;
    case Dtype::fp8_ue8m0:
      return square_blocks;
    case Dtype::mxfp8:
    case Dtype::mxfp4:
      return static_cast<double>(rows) * ceil_div(cols, 32);
    case Dtype::nvfp4:
      return static_cast<double>(rows) * ceil_div(cols, 16) + 4.0;
    case Dtype::fp32:
    case Dtype::bf16:
    case Dtype::fp16:
    case Dtype::fp8:
    case Dtype::int8:
    case Dtype::int64:
      return 0.0;
  }
  return 0.0;
}

}  // namespace

Bytes weight_bytes(Dtype d, std::int64_t rows, std::int64_t cols) {
  FATHOM_EXPECT(rows >= 0 && cols >= 0, "a weight matrix has a negative dimension");
  const double elements = static_cast<double>(rows) * static_cast<double>(cols);
  // An empty matrix stores nothing, not even the per-tensor factor.
  if (elements == 0.0) return Bytes{0.0};
  return elements * size_of(d) + Bytes{scale_bytes(d, rows, cols)};
}

Dtype parse_dtype(std::string_view text, std::string_view where) {
  std::array<std::string_view, kDtypeCount> names;
  std::string list;
  for (std::size_t i = 0; i < kDtypeCount; ++i) {
    names[i] = detail::kDtypeFacts[i].name;
    if (names[i] == text) return static_cast<Dtype>(i);
    list += (i == 0 ? "" : ", ") + std::string{names[i]};
  }
  throw InputError(fmt::format("{}: found \"{}\", expected one of {}{}", where, printable(text),
                               list, did_you_mean(text, names)));
}

}  // namespace fathom
