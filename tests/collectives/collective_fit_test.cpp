#include "collectives/collective_fit.hpp"

#include <cmath>

#include "catch.hpp"

using namespace fathom;
using namespace fathom::collectives;

namespace {

CollectiveReading reading(CollectiveKind kind, double payload) {
  CollectiveReading out{.kind = kind, .payload = Bytes{payload}};
  if (kind == CollectiveKind::dispatch || kind == CollectiveKind::combine)
    out.rows = static_cast<std::int64_t>(payload / 14336.0);  // 7168 bf16 a token
  return out;
}

// Sizes of one collective whose times are exactly alpha + moved / beta.
std::vector<CollectiveReading> exact(CollectiveKind kind, int ranks, double alpha, double beta) {
  std::vector<CollectiveReading> out;
  for (double payload = 14336.0; payload < 6e7; payload *= 4.0) {
    out.push_back(reading(kind, payload));
    const double time = alpha + moved(out.back(), ranks).value / beta;
    out.back().time_s = {.median = time, .low = time, .high = time, .count = 20};
  }
  return out;
}

}  // namespace

TEST_CASE("a rank moves what a ring of its collective moves", "[collectives]") {
  const int n = GENERATE(2, 3, 8);
  const double share = (n - 1.0) / n;
  CHECK(moved(reading(CollectiveKind::all_reduce, 1e6), n).value == Approx(2.0 * share * 1e6));
  CHECK(moved(reading(CollectiveKind::all_gather, 1e6), n).value == Approx(share * 1e6));
  CHECK(moved(reading(CollectiveKind::all_to_all, 1e6), n).value == Approx(share * 1e6));
  // One copy to each of the n (1 - (1 - 1/n)^8) ranks that eight experts reach, less the own one.
  const double copies = n * (1.0 - std::pow(1.0 - 1.0 / n, 8.0)) * share;
  CHECK(moved(reading(CollectiveKind::dispatch, 14336.0), n).value == Approx(copies * 14336.0));
}

TEST_CASE("the fit finds the alpha and beta that made the times", "[collectives]") {
  const auto kind =
      GENERATE(CollectiveKind::all_reduce, CollectiveKind::all_to_all, CollectiveKind::combine);
  const RanksModel model = fit_ranks(exact(kind, 4, 12e-6, 3e9), 4);
  REQUIRE(model.fits.size() == 1);
  CHECK(model.fits[0].alpha.value == Approx(12e-6).epsilon(1e-3));
  CHECK(model.fits[0].beta.value == Approx(3e9).epsilon(1e-3));
  CHECK(model.fits[0].leave_one_out.p90 < 0.01);
}

TEST_CASE("the network model on the fitted link is alpha plus bytes over beta", "[collectives]") {
  const int ranks = 4;
  std::vector<CollectiveReading> all;
  double alpha = 2e-6, beta = 4e9;
  for (const auto kind :
       {CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::all_to_all,
        CollectiveKind::dispatch, CollectiveKind::combine}) {
    const auto some = exact(kind, ranks, alpha, beta);
    all.insert(all.end(), some.begin(), some.end());
    alpha *= 1.7;
    beta *= 0.8;
  }
  const RanksModel model = fit_ranks(all, ranks);
  REQUIRE(model.fits.size() == kCollectiveKinds);
  for (const CollectiveReading& r : all)
    CHECK(modelled(r, model, ranks).value == Approx(r.time_s.median).epsilon(5e-3));
}

TEST_CASE("three sizes are too few for two parameters and one left out", "[collectives]") {
  auto few = exact(CollectiveKind::all_reduce, 2, 1e-6, 1e9);
  few.resize(3);
  CHECK(fit_ranks(few, 2).fits.empty());
}
