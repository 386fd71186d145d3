#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "catch.hpp"
#include "train/schedules/dualpipe.hpp"
#include "train/schedules/dualpipev.hpp"
#include "train/schedules/interleaved.hpp"
#include "train/schedules/one_f_one_b.hpp"
#include "train/timeline.hpp"

using namespace fathom::train;

namespace {

struct Case {
  std::string name;
  PipelineSchedule schedule;
  std::int64_t chunks = 0;  // per module
};

/// Schedules of many sizes.
std::vector<Case> all_cases() {
  std::vector<Case> out;
  for (const std::int64_t ranks : {1, 2, 3, 6, 9}) {
    for (const std::int64_t n : {1, 2, 5, 12}) out.push_back({"1f1b", one_f_one_b(ranks, n), n});
    for (const std::int64_t n : {2 * ranks, 2 * ranks + 1, 4 * ranks + 3}) {
      out.push_back({"dualpipev", dualpipev(ranks, n), n});
    }
  }
  for (const std::int64_t ranks : {2, 4, 6, 10, 12}) {
    for (const std::int64_t n : {2 * ranks, 2 * ranks + 2, 4 * ranks}) {
      out.push_back({"dualpipe", dualpipe(ranks, n), n / 2});
    }
  }
  for (const std::int64_t ranks : {2, 3, 4}) {
    for (const std::int64_t chunks : {1, 2, 3}) {
      const InterleavedSpec spec{ranks, 4 * ranks, chunks, ranks};
      out.push_back({"interleaved", interleaved(spec), 4 * ranks});
    }
  }
  return out;
}

/// Idle time of the least busy rank.
double bubble(const PipelineSchedule& schedule, const ChunkTimes& times) {
  const auto timeline = simulate(schedule, times);
  REQUIRE(timeline);
  return timeline->makespan - *std::min_element(timeline->busy.begin(), timeline->busy.end());
}

// Costs without a common divisor, so that no formula holds by accident. A forward is as long as an
// input gradient and a weight gradient no longer: the domain of DualPipe's bubble formula.
const ChunkTimes kCosts[] = {
    {},
    {.forward = 1.0, .backward = 2.0, .weight = 1.0, .overlapped = 2.5},
    {.forward = 1.0, .backward = 1.8, .weight = 0.8, .overlapped = 2.8},
    {.forward = 1.3, .backward = 2.4, .weight = 1.1, .overlapped = 3.1},
};

}  // namespace

TEST_CASE("every chunk passes every module once forward and once backward", "[train][invariant]") {
  for (const Case& c : all_cases()) {
    CAPTURE(c.name, c.chunks, c.schedule.orders.size());
    for (std::size_t rank = 0; rank < c.schedule.orders.size(); ++rank) {
      std::multiset<std::tuple<char, std::int64_t, std::int64_t>> done;
      for (const PipelineOp& op : c.schedule.orders[rank]) {
        if (op.kind == OpKind::forward || op.kind == OpKind::overlapped) {
          done.insert({'F', op.module, op.chunk});
        }
        if (op.kind == OpKind::overlapped)
          done.insert({'B', op.backward_module, op.backward_chunk});
        if (op.kind == OpKind::backward) done.insert({'B', op.module, op.chunk});
        if (op.kind == OpKind::weight_gradient) done.insert({'B', op.module, op.chunk});
      }
      const auto modules = static_cast<std::int64_t>(c.schedule.stages[rank].size());
      REQUIRE(done.size() == static_cast<std::size_t>(2 * modules * c.chunks));
      for (std::int64_t m = 0; m < modules; ++m) {
        for (std::int64_t chunk = 0; chunk < c.chunks; ++chunk) {
          REQUIRE(done.count({'F', m, chunk}) == 1);
          REQUIRE(done.count({'B', m, chunk}) == 1);
        }
      }
    }
  }
}

TEST_CASE("weight gradients follow their input gradients, first in first out", "[train]") {
  for (const Case& c : all_cases()) {
    for (const auto& order : c.schedule.orders) {
      std::vector<std::pair<std::int64_t, std::int64_t>> deferred;
      std::size_t done = 0;
      for (const PipelineOp& op : order) {
        if (op.kind == OpKind::input_gradient) deferred.emplace_back(op.module, op.chunk);
        if (op.kind != OpKind::weight_gradient) continue;
        REQUIRE(done < deferred.size());
        REQUIRE(deferred[done++] == std::pair{op.module, op.chunk});
      }
      REQUIRE(done == deferred.size());
    }
  }
}

TEST_CASE("no schedule is stuck", "[train][invariant]") {
  for (const Case& c : all_cases()) {
    CAPTURE(c.name, c.chunks, c.schedule.orders.size());
    CHECK(simulate(c.schedule, {}));
  }
}

TEST_CASE("what one rank sends the other receives, in the same order", "[train][invariant]") {
  using Link = std::tuple<std::int64_t, std::int64_t>;  // from, to
  for (const Case& c : all_cases()) {
    CAPTURE(c.name, c.chunks, c.schedule.orders.size());
    std::map<Link, std::vector<bool>> sent;  // whether a gradient
    std::map<Link, std::vector<bool>> received;
    for (std::size_t r = 0; r < c.schedule.orders.size(); ++r) {
      const auto rank = static_cast<std::int64_t>(r);
      for (const PipelineOp& op : c.schedule.orders[r]) {
        for (const Transfer& t : op.transfers) {
          if (t.send) sent[{rank, t.peer}].push_back(t.gradient);
          if (!t.send) received[{t.peer, rank}].push_back(t.gradient);
        }
      }
    }
    REQUIRE(sent.size() == received.size());
    for (const auto& [link, kinds] : sent) REQUIRE(kinds == received[link]);
  }
}

TEST_CASE("1F1B idles for (ranks - 1) forwards and backwards", "[train][law]") {
  for (const ChunkTimes& times : kCosts) {
    for (const std::int64_t ranks : {1, 2, 5, 8}) {
      const double expected = static_cast<double>(ranks - 1) * (times.forward + times.backward);
      CHECK(std::abs(bubble(one_f_one_b(ranks, 3 * ranks), times) - expected) < 1e-9);
    }
  }
}

TEST_CASE("v interleaved chunks cut the bubble of 1F1B to a v-th", "[train][law]") {
  for (const std::int64_t chunks : {1, 2, 4}) {
    const std::int64_t ranks = 4;
    // A chunk of the model is a v-th of a rank's layers.
    const auto v = static_cast<double>(chunks);
    const ChunkTimes times{.forward = 1.0 / v, .backward = 2.0 / v, .weight = 1.0 / v};
    const double got = bubble(interleaved({ranks, 4 * ranks, chunks, ranks}), times);
    CHECK(std::abs(got - static_cast<double>(ranks - 1) * 3.0 / v) < 1e-9);
  }
}

TEST_CASE("DualPipe idles for (PP / 2 - 1) (F&B + B - 3 W)", "[train][law]") {
  for (const ChunkTimes& times : kCosts) {
    for (const std::int64_t ranks : {2, 4, 6, 8, 12}) {
      const double unit = times.overlapped + times.backward - 3.0 * times.weight;
      const std::int64_t gaps = ranks / 2 - 1;
      const double expected = static_cast<double>(gaps) * unit;
      CAPTURE(ranks, times.weight);
      CHECK(std::abs(bubble(dualpipe(ranks, 4 * ranks), times) - expected) < 1e-9);
      // The cut half of a pipeline twice as long behaves like the whole one.
      CHECK(std::abs(bubble(dualpipev(ranks / 2, 2 * ranks), times) - expected) < 1e-9);
    }
  }
}

TEST_CASE("1F1B rank r holds the activations of ranks - r chunks", "[train][law]") {
  const auto peaks = peak_activations(one_f_one_b(6, 20));
  CHECK(peaks == std::vector<std::int64_t>{6, 5, 4, 3, 2, 1});
  CHECK(peak_activations(one_f_one_b(6, 2)).front() == 2);
}

TEST_CASE("DualPipe holds the activations of at most PP + 1 chunks", "[train][law]") {
  for (const std::int64_t ranks : {2, 4, 8, 12}) {
    for (const auto peak : peak_activations(dualpipe(ranks, 4 * ranks))) {
      CHECK(peak <= ranks + 1);
    }
  }
}

TEST_CASE("an order that waits for itself is stuck", "[train]") {
  PipelineSchedule schedule = one_f_one_b(2, 2);
  // Rank 0 asks for a gradient before it has sent anything.
  std::ranges::reverse(schedule.orders[0]);
  CHECK_FALSE(simulate(schedule, {}));
}

TEST_CASE("no operation starts before the one in front of it ends", "[train][invariant]") {
  const PipelineSchedule schedule = dualpipe(4, 10);
  const auto timeline = simulate(schedule, {});
  REQUIRE(timeline);
  for (std::size_t rank = 0; rank < schedule.orders.size(); ++rank) {
    double end = 0.0;
    double busy = 0.0;
    for (const OpSpan& span : timeline->spans[rank]) {
      REQUIRE(span.start >= end);
      end = span.end;
      busy += span.end - span.start;
    }
    CHECK(std::abs(busy - timeline->busy[rank]) < 1e-9);
    CHECK(end <= timeline->makespan);
  }
}

TEST_CASE("interleaving runs a group through a chunk before the next chunk", "[train]") {
  const InterleavedSpec spec{.ranks = 2, .microbatches = 3, .chunks = 2, .group = 2};
  const std::vector<VirtualMicrobatch> table{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {2, 0}, {2, 1}};
  CHECK(schedule_table(spec) == table);
  CHECK(warmup_forwards(spec, 0) == 2 + 2);
  CHECK(warmup_forwards(spec, 1) == 2);
  CHECK(warmup_forwards({4, 1, 2, 4}, 0) == 2);  // never more than there is
  CHECK(signed_order(spec, 1) ==
        std::vector<std::int64_t>{1, 1, 2, -2, 2, -2, 1, -1, 2, -1, -2, -1});
}

TEST_CASE("operations are written as module and chunk", "[train]") {
  CHECK(to_text({.kind = OpKind::forward, .module = 1, .chunk = 3}) == "F:1:3");
  CHECK(to_text({OpKind::overlapped, 0, 3, 1, 2}) == "FB:0:3:1:2");
  const PipelineOp exchange{.kind = OpKind::exchange,
                            .transfers = {{true, false, 2}, {false, true, 2}}};
  CHECK(to_text(exchange) == "X:s2,r2");
  CHECK(to_single_module_text(exchange) == "send_f+recv_b");
  CHECK(to_single_module_text({.kind = OpKind::backward, .chunk = 4}) == "B:4");
}

TEST_CASE("sizes that a schedule cannot serve are refused", "[train]") {
  CHECK_THROWS(dualpipe(3, 12));
  CHECK_THROWS(dualpipe(4, 6));
  CHECK_THROWS(dualpipe(4, 9));
  CHECK_THROWS(dualpipev(4, 7));
  CHECK_THROWS(one_f_one_b(0, 1));
}
