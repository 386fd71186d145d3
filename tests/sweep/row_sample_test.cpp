#include "sweep/row_sample.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace fathom::sweep;

namespace {

const Layout kLayout{.inputs = {{.name = "/plan/tp"}}, .results = {{.name = "tpot_s"}}};

// Rows [begin, end) with their number as input; every third cannot run when `gaps`.
Block block_of(std::int64_t begin, std::int64_t end, bool gaps = false) {
  Block block{.begin = begin, .end = end, .reasons = {"no room"}};
  for (std::int64_t number = begin; number < end; ++number) {
    block.numbers.push_back(number);
    block.inputs.push_back(static_cast<double>(number));
    block.results.push_back(1.0);
    block.reason.push_back(gaps && number % 3 == 0 ? 0 : -1);
  }
  return block;
}

RowSample sample_of(std::int64_t rows, std::size_t most, std::int64_t block_rows) {
  RowSampler sampler(kLayout, most);
  for (std::int64_t at = 0; at < rows; at += block_rows)
    sampler.add(block_of(at, std::min(rows, at + block_rows)));
  return sampler.take();
}

}  // namespace

TEST_CASE("a sample holds every row while they fit", "[sweep]") {
  const RowSample sample = sample_of(100, 100, 7);
  CHECK(sample.stride == 1);
  CHECK(sample.rows.size() == 100);
  CHECK(sample.of == 100);
}

TEST_CASE("a sample is evenly spaced from the first row and at least half full",
          "[sweep][property]") {
  const std::int64_t rows = GENERATE(1, 100, 101, 199, 200, 201, 1000, 4097);
  const std::int64_t block_rows = GENERATE(1, 64, 5000);
  CAPTURE(rows, block_rows);
  const RowSample sample = sample_of(rows, 100, block_rows);
  CHECK(sample.of == rows);
  // ceil(rows / stride), the stride being the least power of two with which they fit.
  CHECK(static_cast<std::int64_t>(sample.rows.size()) ==
        (rows + sample.stride - 1) / sample.stride);
  CHECK(sample.rows.size() <= 100);
  if (sample.stride > 1) CHECK(sample.rows.size() >= 50);
  for (std::size_t i = 0; i < sample.rows.size(); ++i)
    CHECK(sample.rows[i].number == static_cast<std::int64_t>(i) * sample.stride);
}

TEST_CASE("rows that cannot run are not in a sample", "[sweep]") {
  RowSampler sampler(kLayout, 10);
  sampler.add(block_of(0, 9, true));
  const RowSample sample = sampler.take();
  CHECK(sample.of == 6);
  CHECK(std::ranges::none_of(sample.rows, [](const Row& row) { return row.number % 3 == 0; }));
}

TEST_CASE("merged rows come once and in order", "[sweep]") {
  RowSample sample = sample_of(8, 4, 8);  // 0, 2, 4, 6
  merge_rows(sample, {{.number = 5}, {.number = 4}, {.number = 1}});
  std::vector<std::int64_t> numbers;
  for (const Row& row : sample.rows) numbers.push_back(row.number);
  CHECK(numbers == std::vector<std::int64_t>{0, 1, 2, 4, 5, 6});
}
