#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sweep/rows.hpp"
#include "sweep/summary.hpp"

namespace fathom::sweep {

/// Feasible rows, evenly spaced among all feasible ones: every stride-th, beginning with the first.
struct RowSample {
  std::vector<Row> rows;
  std::int64_t stride = 1;
  std::int64_t of = 0;  // feasible rows there are
};

/// Takes at most `most` rows in one pass over blocks of ascending numbers: when they no longer fit,
/// every second is dropped and half as many are taken from then on.
class RowSampler {
 public:
  RowSampler(const Layout& layout, std::size_t most);
  void add(const Block& block);
  RowSample take() { return std::move(sample_); }

 private:
  void thin();

  std::size_t inputs_ = 0;
  std::size_t results_ = 0;
  std::size_t most_ = 0;
  RowSample sample_;
};

/// Adds rows that the sample lacks, in number order: of equal numbers one.
void merge_rows(RowSample& sample, const std::vector<Row>& rows);

}  // namespace fathom::sweep
