#include "core/dtype.hpp"

#include "catch.hpp"
#include "input_error.hpp"

namespace fathom {
namespace {

TEST_CASE("fp4 is half a byte", "[core][dtype]") {
  CHECK(size_of(Dtype::mxfp4) == Bytes{0.5});
  CHECK(size_of(Dtype::nvfp4) == Bytes{0.5});
}

TEST_CASE("a row of 128 block-scaled values carries one scale", "[core][dtype]") {
  CHECK(128.0 * row_size_of(Dtype::fp8_block) == Bytes{128.0 + 4.0});
  CHECK(128.0 * row_size_of(Dtype::fp8_ue8m0) == Bytes{128.0 + 1.0});
  CHECK(32.0 * row_size_of(Dtype::mxfp8) == Bytes{32.0 + 1.0});
  CHECK(16.0 * row_size_of(Dtype::nvfp4) == Bytes{8.0 + 1.0});
}

TEST_CASE("unscaled weights take their elements and nothing else", "[core][dtype]") {
  CHECK(weight_bytes(Dtype::bf16, 7168, 2048) == Bytes{2.0 * 7168.0 * 2048.0});
  CHECK(weight_bytes(Dtype::fp8, 7168, 2048) == Bytes{7168.0 * 2048.0});
}

TEST_CASE("block-scaled weights round the number of blocks up", "[core][dtype]") {
  // 576 x 7168 is kv_a_proj_with_mqa of DeepSeek-V3: 576 = 4.5 blocks of 128, so 5 x 56 scales.
  const double elements = 576.0 * 7168.0;
  CHECK(weight_bytes(Dtype::fp8_block, 576, 7168) == Bytes{elements + 4.0 * 5.0 * 56.0});
  CHECK(weight_bytes(Dtype::fp8_ue8m0, 576, 7168) == Bytes{elements + 5.0 * 56.0});
}

TEST_CASE("row-scaled weights pad each row on its own", "[core][dtype]") {
  // 33 columns are two groups of 32 and three of 16.
  CHECK(weight_bytes(Dtype::mxfp8, 10, 33) == Bytes{330.0 + 10.0 * 2.0});
  CHECK(weight_bytes(Dtype::mxfp4, 10, 33) == Bytes{165.0 + 10.0 * 2.0});
  CHECK(weight_bytes(Dtype::nvfp4, 10, 33) == Bytes{165.0 + 10.0 * 3.0 + 4.0});
}

TEST_CASE("an empty matrix takes no bytes in any dtype", "[core][dtype]") {
  for (std::size_t i = 0; i < kDtypeCount; ++i) {
    CHECK(weight_bytes(static_cast<Dtype>(i), 0, 128) == Bytes{0.0});
  }
}

TEST_CASE("a negative dimension is our mistake, not the user's", "[core][dtype]") {
  CHECK_THROWS_AS(weight_bytes(Dtype::bf16, -1, 4), BugError);
}

TEST_CASE("every dtype parses from its own name", "[core][dtype]") {
  for (std::size_t i = 0; i < kDtypeCount; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    CHECK(parse_dtype(name(dtype), "--dtype") == dtype);
  }
}

TEST_CASE("an unknown dtype is answered with the nearest one", "[core][dtype]") {
  const auto message = test::message_of([] { parse_dtype("FP8-block", "--dtype"); });
  CHECK(message ==
        "--dtype: found \"FP8-block\", expected one of fp32, bf16, fp16, fp8, fp8_block, "
        "fp8_ue8m0, mxfp8, int8, mxfp4, nvfp4, int64; did you mean 'fp8_block'?");
}

}  // namespace
}  // namespace fathom
