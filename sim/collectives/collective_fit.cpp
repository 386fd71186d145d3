#include "collectives/collective_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calib/least_squares.hpp"
#include "collectives/token_exchange.hpp"
#include "net/collective_time.hpp"

namespace fathom::collectives {
namespace {

constexpr std::array<std::string_view, kCollectiveKinds> kNames{
    "all_reduce", "all_gather", "all_to_all", "dispatch", "combine"};
// Two parameters, and one size to leave out, must leave something over.
constexpr std::size_t kLeastSizes = 4;

hw::Family family_of(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::all_reduce:
      return hw::Family::all_reduce;
    case CollectiveKind::all_gather:
      return hw::Family::all_gather;
    case CollectiveKind::all_to_all:
      return hw::Family::all_to_all;
    case CollectiveKind::dispatch:
      return hw::Family::dispatch;
    case CollectiveKind::combine:
      return hw::Family::combine;
  }
  return hw::Family::all_reduce;
}

net::CommTime comm_time(const ops::Op& op, const hw::Cluster& cluster) {
  if (const auto* exchange = std::get_if<ops::ExpertExchange>(&op))
    return net::time_of(*exchange, cluster);
  return net::time_of(std::get<ops::Collective>(op), cluster);
}

hw::Cluster one_domain(int ranks, BytesPerSecond bandwidth, Seconds latency) {
  hw::Cluster out;
  out.id = "local_ranks";
  out.devices_per_node = ranks;
  out.tiers.push_back({.name = "shared memory",
                       .group = ranks,
                       .bandwidth = bandwidth,
                       .peer_bandwidth = bandwidth,
                       .latency = latency});
  return out;
}

// How many link latencies a call is made of: its time where a latency takes a second and bytes
// take none.
double latencies(const CollectiveReading& reading, int ranks) {
  const BytesPerSecond endless{std::numeric_limits<double>::infinity()};
  return comm_time(op_of(reading, ranks), one_domain(ranks, endless, Seconds{1.0})).total.value;
}

struct Point {
  double bytes, seconds;
  Bytes payload;
};

double line(std::span<const double> theta, double bytes) {
  return std::exp(theta[0]) + bytes * std::exp(theta[1]);
}

// ln(alpha) and ln(1 / beta) by relative errors: a line through five decades of sizes is otherwise
// the line of its largest.
std::vector<double> fit_line(const std::vector<Point>& points) {
  const auto by_bytes = [](const Point& a, const Point& b) { return a.bytes < b.bytes; };
  const auto [small, large] = std::minmax_element(points.begin(), points.end(), by_bytes);
  const std::vector<double> start{std::log(small->seconds),
                                  std::log(large->seconds / large->bytes)};
  // From a nanosecond and a thousand times the start's bandwidth upwards, as free as it gets.
  const double wide = std::log(1e3);
  const calib::Box box{{std::log(1e-9), start[1] - wide}, {start[0] + wide, start[1] + wide}};
  const auto residuals = [&](std::span<const double> theta, std::span<double> out) {
    for (std::size_t i = 0; i < points.size(); ++i)
      out[i] = std::log(line(theta, points[i].bytes) / points[i].seconds);
  };
  return calib::minimize(residuals, points.size(), box, start, {.max_iterations = 200}).theta;
}

AlphaBeta fit_kind(CollectiveKind kind, const std::vector<Point>& points) {
  AlphaBeta out{.kind = kind};
  const std::vector<double> theta = fit_line(points);
  out.alpha = Seconds{std::exp(theta[0])};
  out.beta = BytesPerSecond{std::exp(-theta[1])};
  std::vector<double> own, without, measured;
  for (std::size_t left = 0; left < points.size(); ++left) {
    std::vector<Point> rest = points;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(left));
    own.push_back(line(theta, points[left].bytes));
    without.push_back(line(fit_line(rest), points[left].bytes));
    measured.push_back(points[left].seconds);
    out.left_out.push_back({points[left].payload, without.back() / measured.back() - 1.0});
  }
  out.in_sample = calib::score(own, measured);
  out.leave_one_out = calib::score(without, measured);
  return out;
}

// The fastest collective gives the link, the cheapest call per level its latency; the others have
// shares and extra costs, so that no share is above one and no cost below zero.
hw::Cluster cluster_of(const std::vector<AlphaBeta>& fits, int ranks) {
  BytesPerSecond bandwidth;
  Seconds latency{std::numeric_limits<double>::infinity()};
  const auto levels = [&](const AlphaBeta& fit) {
    return latencies({.kind = fit.kind, .rows = 1}, ranks);
  };
  for (const AlphaBeta& fit : fits) {
    bandwidth = std::max(bandwidth, fit.beta);
    latency = std::min(latency, fit.alpha / levels(fit));
  }
  hw::Cluster out = one_domain(ranks, bandwidth, latency);
  for (const AlphaBeta& fit : fits) {
    hw::Efficiency entry;
    entry.near = fit.beta / bandwidth;
    entry.overhead = fit.alpha - levels(fit) * latency;
    entry.evidence = hw::Evidence::measured;
    out.efficiency.table[static_cast<std::size_t>(family_of(fit.kind))].fill(entry);
  }
  return out;
}

}  // namespace

std::string_view name(CollectiveKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

ops::Op op_of(const CollectiveReading& r, int ranks) {
  const ops::RankGroup group{.size = ranks};
  const auto collective = [&](ops::CollectiveKind kind) {
    return ops::Collective{.kind = kind, .group = group, .payload = r.payload};
  };
  if (r.kind == CollectiveKind::all_reduce) return collective(ops::CollectiveKind::all_reduce);
  if (r.kind == CollectiveKind::all_gather) return collective(ops::CollectiveKind::all_gather);
  if (r.kind == CollectiveKind::all_to_all) return collective(ops::CollectiveKind::all_to_all);
  const TokenShape tokens{.tokens = r.rows};
  const auto rows = static_cast<double>(r.rows);
  return ops::ExpertExchange{.direction = r.kind == CollectiveKind::dispatch
                                              ? ops::Exchange::dispatch
                                              : ops::Exchange::combine,
                             .group = group,
                             .tokens = rows,
                             .copies = static_cast<double>(tokens.choices),
                             .experts = static_cast<double>(tokens.experts),
                             .copy_bytes = r.payload / rows};
}

Bytes moved(const CollectiveReading& reading, int ranks) {
  return comm_time(op_of(reading, ranks), one_domain(ranks, BytesPerSecond{1.0}, Seconds{}))
      .near_bytes;
}

RanksModel fit_ranks(const std::vector<CollectiveReading>& readings, int ranks) {
  RanksModel out;
  for (std::size_t k = 0; k < kCollectiveKinds; ++k) {
    const auto kind = static_cast<CollectiveKind>(k);
    std::vector<Point> quiet, all;
    for (const CollectiveReading& r : readings) {
      if (r.kind != kind || r.time_s.count == 0) continue;
      all.push_back({moved(r, ranks).value, r.time_s.median, r.payload});
      if (!r.disturbed) quiet.push_back(all.back());
    }
    const std::vector<Point>& points = quiet.size() >= kLeastSizes ? quiet : all;
    if (points.size() >= kLeastSizes) out.fits.push_back(fit_kind(kind, points));
  }
  if (!out.fits.empty()) out.cluster = cluster_of(out.fits, ranks);
  return out;
}

Seconds modelled(const CollectiveReading& reading, const RanksModel& model, int ranks) {
  return comm_time(op_of(reading, ranks), model.cluster).total;
}

}  // namespace fathom::collectives
