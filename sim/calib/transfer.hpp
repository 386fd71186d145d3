#pragma once

#include <string>
#include <vector>

#include "calib/cross_validation.hpp"

namespace fathom::calib {

/// Forms fitted on some devices and asked about another by its data sheet alone.
struct TransferScore {
  std::string family;
  std::string from;  // "h100 + h200"
  std::string to;
  Score fitted;  // the form with the other device's figures
  Score scaled;  // measured rows of the last source times form(to) / form(source), same shapes
};

struct TransferRoute {
  std::vector<std::string> from;
  std::string to;
};
/// H100 to H200, both to B200, H800 to H20.
std::vector<TransferRoute> default_routes();

std::vector<TransferScore> transfer_scores(const Corpus& corpus,
                                           const std::vector<TransferRoute>& routes,
                                           const ValidationOptions& options);

/// Forms fitted on the smaller half of every sub-fit's rows and asked about the larger.
struct ExtrapolationScore {
  std::string family;
  std::string device;
  Score bare;
  Score anchored;  // 12 rows of the largest quarter join the fit; they are not scored
};
std::vector<ExtrapolationScore> extrapolation_scores(const Corpus& corpus,
                                                     const ValidationOptions& options);

}  // namespace fathom::calib
