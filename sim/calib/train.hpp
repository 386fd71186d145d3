#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "calib/fit.hpp"
#include "calib/measurement.hpp"

namespace fathom::calib {

/// Rows far off both the form and their neighbours while the neighbours agree: hiccups of one
/// measurement, not of the kernel. Indices into `rows`.
std::vector<std::size_t> isolated_spikes(std::span<const Measurement* const> rows,
                                         std::span<const double> log_ratios);

/// A sub-fit and what its rows leave over.
struct Trained {
  Fit fit;
  std::vector<const Measurement*> rows;  // without the spikes
  std::vector<double> log_ratios;        // ln(measured / fitted) of `rows`
  std::vector<const Measurement*> spikes;
};

/// Fits, flags isolated spikes and fits again without them. With no samples at all the parameters
/// are the start values.
Trained train(const forms::Form& form, std::string_view group, std::span<const Sample> samples,
              const FitOptions& options = {});

}  // namespace fathom::calib
