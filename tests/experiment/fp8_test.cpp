#include "experiment/fp8.hpp"

#include "catch.hpp"

using namespace fathom::experiment;

namespace {

const Fp8Experiment kSmall{.rows = 16, .cols = 256, .gemm_rows = 4, .gemm_k = {512, 8192}};

double ordinary_snr(const Fp8Result& result, const std::string& format, const std::string& input) {
  for (const FormatRow& row : result.formats) {
    if (row.format == format && row.input == input) return row.ordinary_snr_db;
  }
  FAIL("no such row");
  return 0.0;
}

}  // namespace

TEST_CASE("an FP8 experiment repeats itself", "[experiment]") {
  const Fp8Result a = run_fp8(kSmall);
  const Fp8Result b = run_fp8(kSmall);
  REQUIRE(a.formats.size() == b.formats.size());
  for (std::size_t i = 0; i < a.formats.size(); ++i) {
    CHECK(a.formats[i].error == b.formats[i].error);
  }
  CHECK(a.gemms.front().tensor_core.rms == b.gemms.front().tensor_core.rms);
}

TEST_CASE("FP8 keeps more than FP4, and small FP4 blocks resist outliers better", "[experiment]") {
  const Fp8Result result = run_fp8(kSmall);
  for (const char* input : {"gaussian", "outlier channels"}) {
    CHECK(ordinary_snr(result, "mxfp8", input) > ordinary_snr(result, "nvfp4", input));
    CHECK(ordinary_snr(result, "nvfp4", input) > ordinary_snr(result, "mxfp4", input));
  }
}

TEST_CASE("tensor-core sums lose more with k, promoted sums do not", "[experiment]") {
  for (const GemmRow& row : run_fp8(kSmall).gemms) {
    CAPTURE(row.input, row.k);
    CHECK(row.float32.rms < row.promoted.rms);
    CHECK(row.promoted.rms < row.tensor_core.rms);
    // 128 products, each cut at most one unit 13 bits below the sum, and the cancellation of a
    // zero-mean sum: no growth with k.
    CHECK(row.promoted.rms < 0.01);
  }
  const auto gemms = run_fp8(kSmall).gemms;
  CHECK(gemms[1].tensor_core.rms > gemms[0].tensor_core.rms);
  CHECK(gemms[3].tensor_core.rms > gemms[2].tensor_core.rms);
}
