#include "collectives/measure_collectives.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "collectives/token_exchange.hpp"
#include "core/error.hpp"
#include "kernels/cpu/buffer.hpp"
#include "measure/stopwatch.hpp"

namespace fathom::collectives {
namespace {

using kernels::cpu::Buffer;

constexpr std::int64_t kSmallest = 1024;
constexpr int kWarmUp = 3;
constexpr int kMostCalls = 1000;
// A rank that had its CPU for less than this share of a round waited for it.
constexpr double kLeastCpuShare = 0.95;
constexpr std::size_t kLeastQuiet = 5;

struct Case {
  CollectiveReading reading;
  std::function<void()> run;
  std::function<std::int64_t()> wrong;  // elements, of the last run on poisoned outputs
};

struct Floats {
  Buffer<float> in, out;
  Floats(std::int64_t ins, std::int64_t outs) : in(ins), out(outs) {
    std::ranges::fill(out.span(), std::numeric_limits<float>::quiet_NaN());
  }
};

// Whole numbers below 1024 that tell rank and place apart; sums over ranks stay exact in fp32.
float element(int rank, std::int64_t i) {
  return static_cast<float>((i * 31 + (i >> 10) * 17 + rank * 397) % 1024);
}

template <class Expected>
std::int64_t count_wrong(const Buffer<float>& out, const Expected& expected) {
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < out.size(); ++i)
    if (!(out[i] == expected(i))) ++wrong;  // NaN is wrong too
  return wrong;
}

// Each rank's part of a message of about `bytes`, in floats.
std::int64_t part_of(std::int64_t bytes, int ranks) {
  return std::max<std::int64_t>(1, bytes / 4 / ranks);
}

Case plain_case(CollectiveKind kind, std::int64_t bytes, Communicator& ranks) {
  const int n = ranks.ranks();
  const int me = ranks.rank();
  const std::int64_t part = part_of(bytes, n);
  const std::int64_t all = part * n;
  const std::int64_t own = kind == CollectiveKind::all_gather ? part : all;
  const auto d = std::make_shared<Floats>(own, all);
  for (std::int64_t i = 0; i < own; ++i) d->in[i] = element(me, i);
  Case out{.reading = {.kind = kind, .payload = Bytes{4.0 * static_cast<double>(all)}}};
  if (kind == CollectiveKind::all_reduce) {
    out.run = [d, &ranks] { ranks.all_reduce(d->in.span(), d->out.span()); };
    out.wrong = [d, n] {
      return count_wrong(d->out, [n](std::int64_t i) {
        float sum = 0.0F;
        for (int r = 0; r < n; ++r) sum += element(r, i);
        return sum;
      });
    };
  } else if (kind == CollectiveKind::all_gather) {
    out.run = [d, &ranks] { ranks.all_gather(d->in.span(), d->out.span()); };
    out.wrong = [d, part] {
      return count_wrong(
          d->out, [part](std::int64_t i) { return element(static_cast<int>(i / part), i % part); });
    };
  } else {
    out.run = [d, &ranks] { ranks.all_to_all(d->in.span(), d->out.span()); };
    out.wrong = [d, part, me] {
      return count_wrong(d->out, [part, me](std::int64_t i) {
        return element(static_cast<int>(i / part), me * part + i % part);
      });
    };
  }
  return out;
}

// Dispatch and combine of the same tokens; both can be repeated.
std::vector<Case> token_cases(std::int64_t tokens, Communicator& ranks, std::uint64_t seed) {
  const TokenShape shape{.tokens = tokens};
  const auto exchange = std::make_shared<TokenExchange>(shape, ranks, seed);
  CollectiveReading reading{.kind = CollectiveKind::dispatch,
                            .payload = Bytes{2.0 * static_cast<double>(tokens * shape.hidden)},
                            .rows = tokens};
  std::vector<Case> out;
  exchange->poison();
  out.push_back({reading, [exchange] { exchange->dispatch(); },
                 [exchange] { return exchange->wrong_rows(); }});
  reading.kind = CollectiveKind::combine;
  const auto combine = [exchange, ready = false]() mutable {
    if (!ready) {
      exchange->dispatch();
      exchange->run_experts();
    }
    ready = true;
    exchange->combine();
  };
  out.push_back({reading, combine, [exchange] { return exchange->wrong_sums(); }});
  return out;
}

struct Timed {
  double seconds = 0.0;  // of one call, on the slowest rank
  bool quiet = true;     // on every rank
};

Timed round(const std::function<void()>& run, int calls, Communicator& ranks) {
  ranks.barrier();
  const double cpu = measure::thread_seconds();
  const double start = measure::wall_seconds();
  for (int i = 0; i < calls; ++i) run();
  const double wall = measure::wall_seconds() - start;
  const double used = measure::thread_seconds() - cpu;
  return {ranks.max(wall) / calls, !ranks.any(used < kLeastCpuShare * wall)};
}

void read(Case& c, Communicator& ranks, const CollectiveOptions& options,
          const std::stop_token& stop) {
  c.run();
  FATHOM_EXPECT(!ranks.any(c.wrong() != 0), "a collective delivered something else");
  for (int i = 0; i < kWarmUp; ++i) c.run();
  // Of ranks.max(): the same number everywhere, and so is every decision that depends on time.
  const double once = round(c.run, 1, ranks).seconds;
  c.reading.calls = std::clamp(static_cast<int>(std::ceil(options.shortest / once)), 1, kMostCalls);
  std::vector<double> quiet, all;
  const double deadline = measure::wall_seconds() + options.seconds;
  while (static_cast<int>(quiet.size()) < options.rounds) {
    const bool late = !all.empty() && measure::wall_seconds() > deadline;
    if (ranks.any(stop.stop_requested() || late)) break;
    const Timed timed = round(c.run, c.reading.calls, ranks);
    all.push_back(timed.seconds);
    if (timed.quiet) quiet.push_back(timed.seconds);
  }
  // On a machine with more ranks than CPUs no round is quiet: better all of them, and said so.
  c.reading.disturbed = quiet.size() < std::min(kLeastQuiet, all.size());
  const std::vector<double>& kept = c.reading.disturbed ? all : quiet;
  c.reading.dropped = static_cast<std::int64_t>(all.size() - kept.size());
  c.reading.time_s = measure::summarize(kept);
}

using Plan = std::vector<std::pair<CollectiveKind, std::int64_t>>;  // bytes, or tokens

// Sizes up to the largest, and what fits: a rank holds up to six copies of a message, and the
// arrivals of all others.
Plan plan(Communicator& ranks, const CollectiveOptions& options, std::int64_t available) {
  const auto wanted = [&](CollectiveKind kind) {
    return options.only.empty() || std::ranges::any_of(options.only, [&](const std::string& text) {
             return name(kind).find(text) != std::string_view::npos;
           });
  };
  const double share = static_cast<double>(available) / (8.0 * ranks.ranks());
  // The same on all ranks, although each sees its own moment of free memory.
  const auto room = static_cast<std::int64_t>(-ranks.max(-share));
  const std::int64_t largest = std::min(options.largest, room);
  const std::int64_t row = 2 * TokenShape{}.hidden;
  Plan out;
  for (std::size_t k = 0; k < kCollectiveKinds; ++k) {
    const auto kind = static_cast<CollectiveKind>(k);
    if (!wanted(kind)) continue;
    const bool tokens = kind == CollectiveKind::dispatch || kind == CollectiveKind::combine;
    for (std::int64_t size = tokens ? 1 : kSmallest; size * (tokens ? row : 1) <= largest;
         size *= options.size_step)
      out.emplace_back(kind, size);
  }
  if (out.empty())
    throw InputError{fmt::format(
        "--only {}: no such collective; there are all_reduce, all_gather, all_to_all, dispatch "
        "and combine",
        fmt::join(options.only, " "))};
  return out;
}

Case prepare(CollectiveKind kind, std::int64_t size, Communicator& ranks, std::uint64_t seed) {
  if (kind == CollectiveKind::dispatch) return token_cases(size, ranks, seed).front();
  if (kind == CollectiveKind::combine) return token_cases(size, ranks, seed).back();
  return plain_case(kind, size, ranks);
}

}  // namespace

RanksMeasurement measure_collectives(Communicator& ranks, const CollectiveOptions& options,
                                     std::stop_token stop) {
  RanksMeasurement out{.machine = measure::this_machine(),
                       .mpi = ranks.version(),
                       .ranks = ranks.ranks(),
                       .seed = options.seed};
  // mpirun binds a rank to a core of its own; the machine that they share is what may be busy.
  out.machine.cpus = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  const Plan all = plan(ranks, options, out.machine.available_bytes);
  for (std::size_t i = 0; i < all.size() && !ranks.any(stop.stop_requested()); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(all.size()),
                       std::string{name(all[i].first)});
    Case one = prepare(all[i].first, all[i].second, ranks, options.seed);
    read(one, ranks, options, stop);
    if (one.reading.time_s.count > 0) out.readings.push_back(one.reading);
  }
  out.complete = !ranks.any(stop.stop_requested());
  out.model = fit_ranks(out.readings, out.ranks);
  return out;
}

}  // namespace fathom::collectives
