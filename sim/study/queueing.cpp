#include "study/queueing.hpp"

#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace fathom::study {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double load(const Queue& q) {
  return q.arrivals_per_s * q.service.value / static_cast<double>(q.servers);
}

}  // namespace

double erlang_c(std::int64_t servers, double offered) {
  FATHOM_EXPECT(servers > 0 && offered >= 0.0, "a queue needs a server and an offered load");
  if (offered >= static_cast<double>(servers)) return 1.0;
  double blocked = 1.0;  // Erlang B with k servers; no term overflows, unlike a^c / c!
  for (std::int64_t k = 1; k <= servers; ++k) {
    blocked = offered * blocked / (static_cast<double>(k) + offered * blocked);
  }
  const double rho = offered / static_cast<double>(servers);
  return blocked / (1.0 - rho * (1.0 - blocked));
}

Wait wait_of(const Queue& q) {
  const double rho = load(q);
  if (rho >= 1.0) return {1.0, Seconds{kInfinity}};
  const double delayed = erlang_c(q.servers, q.arrivals_per_s * q.service.value);
  const double variability = (q.arrival_scv + q.service_scv) / 2.0;
  const Seconds until_free = q.service / (static_cast<double>(q.servers) * (1.0 - rho));
  return {delayed, delayed * variability * until_free};
}

double beyond(const Wait& w, Seconds t) {
  if (t < Seconds{}) return 1.0;
  if (w.mean <= Seconds{} || w.probability <= 0.0) return 0.0;
  if (std::isinf(w.mean.value)) return 1.0;
  return w.probability * std::exp(-w.probability * (t / w.mean));
}

Seconds percentile(const Wait& w, double q) {
  if (w.probability <= 1.0 - q || w.mean <= Seconds{}) return {};
  return w.mean * (std::log(w.probability / (1.0 - q)) / w.probability);
}

Seconds kingman_bound(const Queue& q) {
  FATHOM_EXPECT(q.servers == 1, "Kingman's bound is for one server");
  const double rho = load(q);
  if (rho >= 1.0) return Seconds{kInfinity};
  if (q.arrivals_per_s <= 0.0) return {};
  const double gap = 1.0 / q.arrivals_per_s;
  const double variance =
      q.arrival_scv * gap * gap + q.service_scv * q.service.value * q.service.value;
  return Seconds{q.arrivals_per_s * variance / (2.0 * (1.0 - rho))};
}

std::string_view queueing_basis() {
  return "Waits are those of a G/G/c queue in a steady state at the given rate: Erlang C times "
         "(arrival scv + service scv) / 2 (Allen-Cunneen), with an exponential tail; percentiles "
         "of burstier traffic than its scv says, and of loads that change faster than a queue "
         "drains, are worse.";
}

}  // namespace fathom::study
