#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calib/bands.hpp"
#include "calib/cross_validation.hpp"
#include "calib/ratio_fit.hpp"

namespace fathom::calib {

struct CalibratedParameter {
  std::string name;
  double value = 0.0;
  double start = 0.0;
  bool moved =
      false;  // by more than 2 %: the others are constants that the data do not speak about
};

struct FlaggedRow {
  std::int64_t line = 0;
  std::string why;
};

/// What one sub-fit found, on all of its rows, and how far that carries.
struct SubFit {
  std::string group;
  std::vector<CalibratedParameter> parameters;
  std::int64_t rows = 0;   // rows that were not flagged
  Score in_sample;         // of the fitted form
  Score fitted;            // leave-slice-out
  Score measured;          // leave-slice-out, with the smoothed ratio
  BandTable::Thirds band;  // of the fitted form
  RatioFit ratios;         // empty unless asked for
  std::vector<FlaggedRow> flagged;
};

/// A row as it was measured and as a fit without its slice predicts it.
struct LeftOutRow {
  double measured_s = 0.0;
  double predicted_s = 0.0;
};

/// One family on one device and stack.
struct DatasetCalibration {
  std::string family, device, stack, file;
  std::vector<SubFit> groups;
  std::vector<LeftOutRow> left_out;  // with the smoothed ratio
};

/// Fits every sub-fit on all of its rows and scores it leave-slice-out. `ratio_shapes`: keep ratios
/// of at most so many shapes beside each fit.
std::vector<DatasetCalibration> calibrate(const Corpus& corpus, const ValidationOptions& options,
                                          std::size_t ratio_shapes = 0);

}  // namespace fathom::calib
