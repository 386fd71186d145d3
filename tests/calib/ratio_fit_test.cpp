#include "calib/ratio_fit.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/json_reader.hpp"
#include "hw/ratio_table.hpp"
#include "synthetic.hpp"

using namespace fathom;
using namespace fathom::calib;

namespace {

// The fit as an efficiency file would hold it, read back.
hw::RatioTable table(const RatioFit& fit) {
  nlohmann::json scales;
  for (std::size_t c = 0; c < fit.scales.size(); ++c)
    scales[std::string(synthetic::kColumns.at(c))] = fit.scales[c];
  const nlohmann::json document{{"scales", scales},
                                {"shapes", fit.shapes},
                                {"weights", fit.weights},
                                {"median_error", fit.left_out.median},
                                {"p90_error", fit.left_out.p90}};
  JsonReader reader{document, "x.json#"};
  return hw::read_ratio_table(reader, synthetic::kColumns);
}

// What the form does not know: a slow swing with size, of 20 %.
double swing(const Measurement& row) {
  return 0.2 * std::sin(std::log2(row.shape[0]) / 3.0) * std::cos(std::log2(row.shape[1]) / 4.0);
}

struct Swinging {
  std::vector<Measurement> rows = synthetic::rows({5.0, 0.7, 2.0});
  std::vector<const Measurement*> pointers = synthetic::pointers(rows);
  std::vector<double> log_ratios;
  Swinging() {
    for (const Measurement& row : rows) log_ratios.push_back(swing(row));
  }
};

}  // namespace

TEST_CASE("at a measured shape the ratio is about the measured one", "[calib][ratios]") {
  const Swinging s;
  const RatioFit fit = fit_ratios(s.pointers, s.log_ratios, 200);
  REQUIRE(fit.shapes.size() == s.rows.size());
  const hw::RatioTable ratios = table(fit);
  for (std::size_t i = 0; i < s.rows.size(); ++i)
    CHECK(ratios.at(s.rows[i].shape).log_ratio == Approx(s.log_ratios[i]).margin(0.02));
}

TEST_CASE("a slice that was left out is predicted better than by the bare form",
          "[calib][ratios]") {
  const Swinging s;
  const RatioFit fit = fit_ratios(s.pointers, s.log_ratios, 200);
  std::vector<double> bare;
  for (const double r : s.log_ratios) bare.push_back(std::abs(std::exp(-r) - 1.0));
  CHECK(fit.left_out.rows == 144);
  CHECK(fit.left_out.median < 0.3 * quantile(bare, 0.5));
}

TEST_CASE("far from all measured shapes the ratio is one, and on the way it does not jump",
          "[calib][ratios]") {
  const Swinging s;
  const hw::RatioTable ratios = table(fit_ratios(s.pointers, s.log_ratios, 60));
  const std::vector<double> last = s.rows.back().shape;
  CHECK_FALSE(ratios.at(std::vector{last[0] * 32.0, last[1]}).covered);
  CHECK_FALSE(ratios.at(std::vector{last[0], last[1] * 32.0}).covered);
  double before = ratios.at(last).log_ratio;
  for (double octaves = 0.0; octaves < 6.0; octaves += 0.001) {
    const double now = ratios.at(std::vector{last[0] * std::exp2(octaves), last[1]}).log_ratio;
    CHECK(std::abs(now - before) < 0.01);
    before = now;
  }
  CHECK(before == 0.0);
}

TEST_CASE("fewer shapes are kept spread over all of them, and noise is not learnt",
          "[calib][ratios]") {
  Swinging s;
  CHECK(fit_ratios(s.pointers, s.log_ratios, 40).shapes.size() == 40);
  std::mt19937_64 engine{7};
  for (double& r : s.log_ratios) r = 0.1 * synthetic::normal(engine);
  const RatioFit fit = fit_ratios(s.pointers, s.log_ratios, 200);
  std::vector<double> bare;
  for (const double r : s.log_ratios) bare.push_back(std::abs(std::exp(-r) - 1.0));
  CHECK(fit.left_out.median < 1.15 * quantile(bare, 0.5));
}
