#pragma once

#include <cstdint>
#include <string_view>

#include "core/units.hpp"

namespace fathom::study {

/// G/G/c: requests wait in one line for the next free of `servers` alike.
struct Queue {
  std::int64_t servers = 1;
  double arrivals_per_s = 0.0;
  Seconds service;           // mean
  double arrival_scv = 1.0;  // squared coefficient of variation of gaps; 1: Poisson, 0: clockwork
  double service_scv = 1.0;  // ... of service times; 1: exponential, 0: all the same
};

/// The wait before service, in a steady state.
struct Wait {
  double probability = 0.0;  // of having to wait at all
  Seconds mean;              // over all requests, also those that do not wait
  bool operator==(const Wait&) const = default;
};

/// Probability that all servers are busy in M/M/c with `offered` = arrivals x service < servers:
/// Erlang's C formula, by the stable recursion of his B formula. 1 when offered >= servers.
double erlang_c(std::int64_t servers, double offered);

/// Allen-Cunneen: the wait of M/M/c times (arrival_scv + service_scv) / 2 (Allen, Probability,
/// Statistics, and Queueing Theory, 2nd ed. 1990, section 5.5). Exact for M/M/c and M/G/1;
/// infinite at and beyond full load.
Wait wait_of(const Queue& queue);

/// P(wait > t) with the exponential tail that has the right probability and mean: p exp(-p t /
/// mean). Exact for M/M/c.
double beyond(const Wait& wait, Seconds t);

/// The wait that the share q of requests does not exceed, by the same tail.
Seconds percentile(const Wait& wait, double q);

/// Kingman's upper bound of the mean wait of G/G/1 (Kingman, Proc. Camb. Phil. Soc. 57 (1961) 902):
/// arrivals (gap variance + service variance) / (2 (1 - load)). One server only.
Seconds kingman_bound(const Queue& queue);

/// A sentence for reports: what waits rest on.
std::string_view queueing_basis();

}  // namespace fathom::study
