#include "study/queueing.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

#include "catch.hpp"
#include "core/rng.hpp"
#include "study/first_token.hpp"

using namespace fathom;
using namespace fathom::study;

namespace {

bool close(double a, double b, double bound = 1e-9) {
  return std::abs(a - b) <= bound * std::abs(b);
}

double exponential(Rng& rng) { return -std::log(1.0 - rng.uniform()); }

// A mixture of two exponentials with equal loads: mean 1, squared coefficient of variation `scv`.
double hyperexponential(Rng& rng, double scv) {
  const double p = 0.5 * (1.0 + std::sqrt((scv - 1.0) / (scv + 1.0)));
  return exponential(rng) / (2.0 * (rng.uniform() < p ? p : 1.0 - p));
}

using Draw = std::function<double(Rng&)>;

// Waits of requests that queue for the next free of c servers, in a discrete-event simulation whose
// first tenth is dropped.
std::vector<double> simulated_waits(std::int64_t servers, const Draw& gap, const Draw& service) {
  constexpr int kRequests = 400'000;
  Rng rng{17};
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (std::int64_t i = 0; i < servers; ++i) free_at.push(0.0);
  std::vector<double> waits;
  double now = 0.0;
  for (int i = 0; i < kRequests; ++i) {
    now += gap(rng);
    const double start = std::max(now, free_at.top());
    free_at.pop();
    free_at.push(start + service(rng));
    if (i >= kRequests / 10) waits.push_back(start - now);
  }
  return waits;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double percentile_of(std::vector<double> values, double q) {
  const auto n = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + n, values.end());
  return values[static_cast<std::size_t>(n)];
}

}  // namespace

TEST_CASE("Erlang C is the closed form of its definition", "[study][queueing]") {
  // c = 1: the load; c = 2: 2 rho^2 / (1 + rho)
  for (const double rho : {0.1, 0.5, 0.9, 0.99}) {
    CHECK(close(erlang_c(1, rho), rho));
    CHECK(close(erlang_c(2, 2.0 * rho), 2.0 * rho * rho / (1.0 + rho)));
  }
  // c = 5, a = 4 by the sum: a^c/c! / (1 - rho) over itself plus the sum of a^k/k!
  double sum = 0.0;
  double term = 1.0;
  for (int k = 0; k < 5; ++k) {
    sum += term;
    term *= 4.0 / (k + 1);
  }
  const double busy = term / (1.0 - 0.8);
  CHECK(close(erlang_c(5, 4.0), busy / (busy + sum)));
  CHECK(erlang_c(3, 3.0) == 1.0);
  CHECK(erlang_c(3, 0.0) == 0.0);
  // stable where a^c and c! overflow
  const double large = erlang_c(100'000, 99'900.0);
  CHECK(std::isfinite(large));
  CHECK((large > 0.5 && large < 1.0));
}

TEST_CASE("the wait of M/G/1 is that of Pollaczek and Khinchine", "[study][queueing]") {
  const double scv = GENERATE(0.0, 1.0, 4.0);
  const double rho = 0.7;
  const Queue q{
      .servers = 1, .arrivals_per_s = rho / 2.0, .service = Seconds{2.0}, .service_scv = scv};
  // arrivals x E[S^2] / (2 (1 - rho))
  const double second_moment = 4.0 * (1.0 + scv);
  CHECK(close(wait_of(q).mean.value, q.arrivals_per_s * second_moment / (2.0 * (1.0 - rho))));
  CHECK(wait_of(q).mean <= kingman_bound(q));
}

TEST_CASE("Kingman's bound approaches the estimate at full load", "[study][queueing]") {
  Queue q{.servers = 1, .service = Seconds{1.0}, .arrival_scv = 2.0, .service_scv = 0.5};
  double before = 1e300;
  for (const double rho : {0.5, 0.9, 0.99, 0.9999}) {
    q.arrivals_per_s = rho;
    const double ratio = kingman_bound(q) / wait_of(q).mean;
    CHECK((ratio >= 1.0 && ratio < before));
    before = ratio;
  }
  CHECK(before < 1.001);
}

TEST_CASE("the tail of M/M/1 decays with what is left of the server", "[study][queueing]") {
  const double rho = 0.8;
  const Wait w = wait_of({.servers = 1, .arrivals_per_s = rho, .service = Seconds{1.0}});
  for (const double t : {0.0, 1.0, 10.0}) {
    CHECK(close(beyond(w, Seconds{t}), rho * std::exp(-(1.0 - rho) * t)));
  }
  CHECK(percentile(w, 0.1) == Seconds{});  // one in five does not wait
  for (const double q : {0.5, 0.9, 0.99}) CHECK(close(beyond(w, percentile(w, q)), 1.0 - q));
}

TEST_CASE("at full load the wait has no end", "[study][queueing]") {
  const Wait w = wait_of({.servers = 2, .arrivals_per_s = 2.0, .service = Seconds{1.0}});
  CHECK(w.probability == 1.0);
  CHECK(std::isinf(w.mean.value));
  CHECK(beyond(w, Seconds{1e9}) == 1.0);
}

TEST_CASE("one long line waits less than several short ones", "[study][queueing][property]") {
  Seconds before{1e300};
  for (const std::int64_t servers : {1, 2, 4, 8, 16, 64}) {
    const Queue q{.servers = servers,
                  .arrivals_per_s = 0.85 * static_cast<double>(servers),
                  .service = Seconds{1.0}};
    CHECK(wait_of(q).mean < before);
    before = wait_of(q).mean;
  }
}

TEST_CASE("waits and tails of M/M/c are those of a simulation", "[study][queueing]") {
  const auto [servers, rho] =
      GENERATE(table<std::int64_t, double>({{1, 0.7}, {4, 0.85}, {16, 0.9}}));
  const double rate = rho * static_cast<double>(servers);
  const auto waits = simulated_waits(
      servers, [&](Rng& r) { return exponential(r) / rate; }, exponential);
  const Wait w = wait_of({.servers = servers, .arrivals_per_s = rate, .service = Seconds{1.0}});
  CAPTURE(servers, rho, w.mean.value, mean_of(waits));
  CHECK(close(w.mean.value, mean_of(waits), 0.08));  // 360,000 correlated waits
  CHECK(close(percentile(w, 0.9).value, percentile_of(waits, 0.9), 0.08));
  CHECK(close(percentile(w, 0.99).value, percentile_of(waits, 0.99), 0.08));
}

// Allen-Cunneen interpolates between M/M/c and M/D/c, and a tail with one slope is coarser still.
TEST_CASE("waits of G/G/c are within a fifth of a simulation's, far tails within a quarter",
          "[study][queueing]") {
  struct Case {
    double arrival_scv;
    double service_scv;
  };
  const auto c = GENERATE(Case{1.0, 0.0}, Case{4.0, 0.0}, Case{1.0, 4.0}, Case{3.0, 2.0});
  const std::int64_t servers = GENERATE(1, 4);
  const double rate = 0.85 * static_cast<double>(servers);
  const auto variable = [](double scv) -> Draw {
    if (scv == 0.0) return [](Rng&) { return 1.0; };
    if (scv == 1.0) return exponential;
    return [scv](Rng& r) { return hyperexponential(r, scv); };
  };
  const auto gap = variable(c.arrival_scv);
  const auto waits = simulated_waits(
      servers, [&](Rng& r) { return gap(r) / rate; }, variable(c.service_scv));
  const Wait w = wait_of({.servers = servers,
                          .arrivals_per_s = rate,
                          .service = Seconds{1.0},
                          .arrival_scv = c.arrival_scv,
                          .service_scv = c.service_scv});
  CAPTURE(servers, c.arrival_scv, c.service_scv, w.mean.value, mean_of(waits),
          percentile(w, 0.9).value, percentile_of(waits, 0.9));
  CHECK(close(w.mean.value, mean_of(waits), 0.2));
  CHECK(close(percentile(w, 0.9).value, percentile_of(waits, 0.9), 0.2));
  CHECK(close(percentile(w, 0.99).value, percentile_of(waits, 0.99), 0.25));
}

namespace {

// Prompts that wait for the next step of the first free instance, which takes up to `batch` of them
// and always lasts as long: time from arrival to the end of the step.
std::vector<double> simulated_first_tokens(std::int64_t instances, int batch, double rate,
                                           double step) {
  constexpr int kRequests = 200'000;
  Rng rng{5};
  std::vector<double> free_at(static_cast<std::size_t>(instances), 0.0);
  std::deque<double> line;
  std::vector<double> times;
  double next = exponential(rng) / rate;
  while (times.size() < kRequests) {
    auto& server = *std::ranges::min_element(free_at);
    const double start = line.empty() ? std::max(server, next) : server;
    for (; next <= start; next += exponential(rng) / rate) line.push_back(next);
    server = start + step;
    for (int i = 0; i < batch && !line.empty(); ++i) {
      times.push_back(start + step - line.front());
      line.pop_front();
    }
  }
  return times;
}

}  // namespace

TEST_CASE("first tokens of batched prefill come no later than estimated, and not much sooner",
          "[study][queueing]") {
  // Steps of 1 s for up to `batch` prompts: half a step under way, the wait, the step itself.
  const auto [instances, batch] = GENERATE(table<std::int64_t, int>({{1, 4}, {2, 8}, {4, 2}}));
  const double capacity = static_cast<double>(batch);
  const double rate = 0.8 * capacity * static_cast<double>(instances);
  const auto times = simulated_first_tokens(instances, batch, rate, 1.0);
  const Wait w = wait_of({.servers = instances,
                          .arrivals_per_s = rate,
                          .service = Seconds{1.0 / capacity},
                          .service_scv = 0.0});
  const FirstToken first{.own = Seconds{1.0}, .under_way = Seconds{1.0}, .wait = w};
  CAPTURE(instances, batch, mean(first).value, mean_of(times), percentile(first, 0.99).value,
          percentile_of(times, 0.99));
  CHECK(mean_of(times) <= mean(first).value);
  CHECK(mean_of(times) >= 0.6 * mean(first).value);
  CHECK(percentile_of(times, 0.99) <= percentile(first, 0.99).value * 1.02);
  CHECK(percentile_of(times, 0.99) >= 0.6 * percentile(first, 0.99).value);
}

TEST_CASE("the time to first token is the sum of its parts", "[study][queueing]") {
  const Wait w{0.6, Seconds{0.9}};
  const std::vector<PromptShare> prompts{{0.75, 0.5}, {0.25, 2.5}};  // mean 1
  const FirstToken first{.fixed = Seconds{0.1},
                         .own = Seconds{0.4},
                         .under_way = Seconds{0.2},
                         .wait = w,
                         .prompts = prompts};
  CHECK(close(mean(first).value, 0.1 + 0.4 + 0.1 + 0.9));
  // the integral of the tail is the mean
  double integral = 0.0;
  constexpr double kStep = 1e-3;
  for (double t = 0.5 * kStep; t < 60.0; t += kStep) integral += kStep * beyond(first, Seconds{t});
  CHECK(close(integral, mean(first).value, 1e-4));
  for (const double q : {0.5, 0.9, 0.99, 0.999}) {
    CHECK(close(beyond(first, percentile(first, q)), 1.0 - q, 1e-6));
  }
}

TEST_CASE("without a wait only the prompt and the step under way vary", "[study][queueing]") {
  const FirstToken first{.own = Seconds{1.0}, .under_way = Seconds{0.5}};
  CHECK(close(percentile(first, 0.9).value, 1.45, 1e-9));
  CHECK(beyond(first, Seconds{1.5}) == 0.0);
}
