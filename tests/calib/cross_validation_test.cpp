#include "calib/cross_validation.hpp"

#include <array>
#include <cmath>
#include <set>

#include "calib/calibrate.hpp"
#include "calib/folds.hpp"
#include "calib/transfer.hpp"
#include "catch.hpp"
#include "synthetic.hpp"

using namespace fathom;
using namespace fathom::calib;

namespace {

// All-reduce times that obey the NCCL form exactly, up to `noise`, on a device with these links.
Dataset all_reduces(const std::string& device, double scale_up, double noise) {
  const forms::Form& form = forms::form_of("nccl");
  std::vector<double> truth;
  for (const auto& range : form.ranges("all_reduce")) truth.push_back(range.start * 1.1);
  Dataset out{.family = "nccl", .device = device, .file = device + ".csv"};
  std::mt19937_64 engine{9};
  for (const double ranks : {2.0, 4.0, 8.0}) {
    for (int i = 0; i < 30; ++i) {
      const double bytes = 1024.0 * std::pow(1.7, i);
      Measurement row{.group = "all_reduce",
                      .transfer_group = "all_reduce",
                      .slice = "bytes=" + std::to_string(i),
                      .labels = "all_reduce",
                      .shape = {ranks, bytes},
                      .exact = {ranks},
                      .axes = {bytes},
                      .size = bytes,
                      .roof_s = bytes / scale_up};
      row.latency_s = form.seconds("all_reduce", truth, row.shape, {.scale_up = scale_up}) *
                      std::exp(noise * synthetic::normal(engine));
      row.line = std::ssize(out.rows) + 2;
      out.rows.push_back(row);
    }
  }
  return out;
}

Corpus two_devices(double noise = 0.02) {
  return {{all_reduces("slow", 200e9, noise), all_reduces("fast", 450e9, noise)},
          {{"slow", {.scale_up = 200e9}}, {"fast", {.scale_up = 450e9}}}};
}

}  // namespace

TEST_CASE("a slice is in one fold, on every device, and folds are even", "[calib]") {
  const Corpus corpus = two_devices();
  const auto reports = cross_validate(corpus, {});
  std::map<std::string, std::set<int>> folds;
  std::map<int, int> sizes;
  for (const DatasetReport& report : reports) {
    for (const Predicted& p : report.rows) {
      folds[p.row->slice].insert(p.fold);
      ++sizes[p.fold];
    }
  }
  CHECK(folds.size() == 30);
  for (const auto& [slice, in] : folds) CHECK(in.size() == 1);
  REQUIRE(sizes.size() == 5);
  for (const auto& [fold, rows] : sizes) CHECK(rows == 2 * 3 * 30 / 5);
}

TEST_CASE("left-out slices that obey the form are predicted within their noise", "[calib]") {
  const auto reports = cross_validate(two_devices(0.02), {});
  for (const DatasetReport& report : reports) {
    // the median of |noise| is 0.67 sigma = 1.3 %, its 90 % quantile 1.64 sigma = 3.3 %
    CHECK(report.at(Fidelity::fitted).median < 0.025);
    CHECK(report.at(Fidelity::fitted).p90 < 0.06);
    CHECK(report.coverage[static_cast<std::size_t>(Fidelity::fitted)] > 0.8);
  }
}

TEST_CASE("cross-validation is the same on one thread and on three", "[calib][property]") {
  const Corpus corpus = two_devices();
  const auto one = cross_validate(corpus, {.threads = 1});
  const auto three = cross_validate(corpus, {.threads = 3});
  REQUIRE(one.size() == three.size());
  for (std::size_t r = 0; r < one.size(); ++r) {
    for (std::size_t i = 0; i < one[r].rows.size(); ++i) {
      CHECK(one[r].rows[i].seconds == three[r].rows[i].seconds);
    }
  }
}

TEST_CASE("flagged rows are neither fitted nor scored", "[calib]") {
  Corpus corpus = two_devices(0.0);
  corpus.datasets[0].rows[7].latency_s = 1e-9;
  corpus.datasets[0].rows[7].flag = "shorter than a launch";
  const auto reports = cross_validate(corpus, {});
  CHECK(reports[0].flagged == 1);
  CHECK(reports[0].rows.size() == 89);
  CHECK(reports[0].at(Fidelity::fitted).worst < 1.5);
}

TEST_CASE("what obeys a form on one device is predicted on another by its data sheet", "[calib]") {
  const Corpus corpus = two_devices(0.0);
  const auto scores = transfer_scores(corpus, {{{"slow"}, "fast"}}, {});
  REQUIRE(scores.size() == 1);
  CHECK(scores[0].fitted.rows == 90);
  CHECK(scores[0].fitted.median < 0.03);
  CHECK(scores[0].scaled.rows == 90);
  CHECK(scores[0].scaled.median < 0.03);
}

TEST_CASE("twelve large rows keep large shapes from being extrapolated blindly", "[calib]") {
  const auto scores = extrapolation_scores(two_devices(0.02), {});
  REQUIRE(scores.size() == 2);
  for (const ExtrapolationScore& s : scores) {
    CHECK(s.bare.rows == 45);
    CHECK(s.anchored.rows == 45 - 12);
    CHECK(s.anchored.median < 0.05);
  }
}

TEST_CASE("a held-out table is scored with what another one taught", "[calib]") {
  const Corpus training = two_devices(0.0);
  Corpus held_out = training;
  for (Dataset& d : held_out.datasets) d.rows.resize(10);
  const auto reports = validate_against(training, held_out, {});
  REQUIRE(reports.size() == 2);
  for (const DatasetReport& r : reports) CHECK(r.at(Fidelity::measured).median < 0.01);
}

TEST_CASE("a calibration holds a value, a start and a band for every parameter", "[calib]") {
  const auto found = calibrate(two_devices(0.02), {});
  REQUIRE(found.size() == 2);
  const auto ranges = forms::form_of("nccl").ranges("all_reduce");
  for (const DatasetCalibration& d : found) {
    REQUIRE(d.groups.size() == 1);
    const SubFit& g = d.groups.front();
    CHECK(g.rows == 90);
    REQUIRE(g.parameters.size() == ranges.size());
    for (std::size_t j = 0; j < ranges.size(); ++j) {
      CHECK(g.parameters[j].name == ranges[j].name);
      CHECK(g.parameters[j].start == ranges[j].start);
    }
    CHECK(g.in_sample.median <= g.fitted.median * 1.2);
    for (const Band& b : g.band.bands) CHECK(b.low < b.high);
  }
}
