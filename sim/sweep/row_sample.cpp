#include "sweep/row_sample.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/error.hpp"

namespace fathom::sweep {
namespace {

std::vector<double> slice(const std::vector<double>& all, std::size_t row, std::size_t width) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * width);
  return {begin, begin + static_cast<std::ptrdiff_t>(width)};
}

}  // namespace

RowSampler::RowSampler(const Layout& layout, std::size_t most)
    : inputs_(layout.inputs.size()), results_(layout.results.size()), most_(most) {
  FATHOM_EXPECT(most > 0, "a sample has room for a row");
}

void RowSampler::thin() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sample_.rows.size(); i += 2) {
    if (kept != i) sample_.rows[kept] = std::move(sample_.rows[i]);
    ++kept;
  }
  sample_.rows.resize(kept);
  sample_.stride *= 2;
}

void RowSampler::add(const Block& block) {
  for (std::size_t row = 0; row < block.rows(); ++row) {
    if (block.reason[row] >= 0) continue;
    const bool wanted = sample_.of++ % sample_.stride == 0;
    if (!wanted) continue;
    if (sample_.rows.size() == most_) {
      thin();
      // This row is on the finer grid; it stays only if it is on the coarser one as well.
      if ((sample_.of - 1) % sample_.stride != 0) continue;
    }
    sample_.rows.push_back({.number = block.numbers[row],
                            .inputs = slice(block.inputs, row, inputs_),
                            .results = slice(block.results, row, results_)});
  }
}

void merge_rows(RowSample& sample, const std::vector<Row>& rows) {
  std::vector<Row> added(rows);
  std::ranges::sort(added, {}, &Row::number);
  std::vector<Row> all;
  std::ranges::merge(sample.rows, added, std::back_inserter(all), {}, &Row::number, &Row::number);
  const auto doubled = std::ranges::unique(all, {}, &Row::number);
  all.erase(doubled.begin(), doubled.end());
  sample.rows = std::move(all);
}

}  // namespace fathom::sweep
