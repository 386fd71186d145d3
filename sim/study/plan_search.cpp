#include "study/plan_search.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

#include "core/parallel.hpp"
#include "study/pareto.hpp"
#include "study/plan_instance.hpp"
#include "study/plan_pairs.hpp"
#include "study/plan_reach.hpp"
#include "study/plan_rounds.hpp"

namespace fathom::study {
namespace {

std::int64_t count_of(const auto& list) { return static_cast<std::int64_t>(list.size()); }

std::vector<PlanRequest> in_each_precision(const PlanRequest& request) {
  std::vector<PlanRequest> out;
  for (const NamedPrecision& variant : precisions(request)) {
    out.push_back(request);
    out.back().options.precision = variant.precision;
  }
  return out;
}

template <class Wait>
std::vector<PhasePoint> front_of(const std::vector<PhasePoint>& points, const Wait& wait) {
  std::vector<Objectives> objectives;
  objectives.reserve(points.size());
  for (const PhasePoint& p : points) {
    objectives.push_back(
        {static_cast<double>(mapping::devices(p.plan)), wait(p).value, -p.requests_per_s});
  }
  std::vector<PhasePoint> front;
  for (const std::size_t i : pareto_front(objectives)) front.push_back(points[i]);
  return front;
}

Seconds tpot(const PhasePoint& p) { return p.estimate.latency; }

std::vector<PhasePoint> user_front(const std::vector<std::vector<PhasePoint>>& by_precision) {
  std::vector<PhasePoint> points;
  for (const auto& some : by_precision) points.insert(points.end(), some.begin(), some.end());
  std::vector<Objectives> objectives;
  objectives.reserve(points.size());
  for (const PhasePoint& p : points)
    objectives.push_back({-p.estimate.per_user.value, -p.estimate.per_device.value, 0.0});
  std::vector<PhasePoint> front;
  for (const std::size_t i : pareto_front(objectives)) front.push_back(points[i]);
  return front;
}

/// One machine's instances that nothing beats.
struct Fronts {
  std::vector<std::vector<PhasePoint>> prefill;  // by precision
  std::vector<std::vector<PhasePoint>> decode;
};

/// The stages of one search; every one works on all machines at once.
class Search {
 public:
  Search(const PlanRequest& request, const SearchOptions& options)
      : options_(options), requests_(in_each_precision(request)), pool_(requests_) {
    result_.request = request;
    list_instances();
  }

  PlanResult run() {
    prepare_instances();
    for (const Indices& round : order()) evaluate(round);
    find_fronts();
    for (std::size_t h = 0; h < result_.hardware.size(); ++h) {
      if (request().search.aggregated) serve_together(h);
    }
    if (request().search.disaggregated) serve_apart();
    explain();
    return std::move(result_);
  }

 private:
  const PlanRequest& request() const { return result_.request; }

  // Refused plans stay behind as refusals, in search order.
  void list_instances() {
    for (std::size_t h = 0; h < request().hardware.size(); ++h) {
      HardwareResult out;
      out.hardware = h;
      const hw::Cluster& cluster = request().hardware[h];
      const std::vector<mapping::Plan> plans = loaded_plans(request(), cluster);
      for (std::size_t p = 0; p < requests_.size(); ++p) {
        for (const mapping::Plan& plan : plans) {
          ++out.counts.plans;
          if (auto refusal = refusal_of(request(), cluster, plan)) {
            refusal->precision = p;
            out.refused.push_back(*std::move(refusal));
          } else {
            Instance in;
            in.hardware = h;
            in.precision = p;
            in.plan = plan;
            instances_.push_back(std::move(in));
          }
        }
      }
      result_.hardware.push_back(std::move(out));
    }
    summaries_.resize(instances_.size());
    known_.resize(result_.hardware.size());
    for (Incumbents& known : known_) {
      known.decode.resize(requests_.size());
      known.prefill.resize(requests_.size());
    }
  }

  void prepare_instances() {
    std::map<std::array<std::int64_t, 4>, Indices> groups;  // that share a BoundTable
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      const Instance& in = instances_[i];
      groups[{static_cast<std::int64_t>(in.hardware), static_cast<std::int64_t>(in.precision),
              in.plan.tp, in.plan.cp}]
          .push_back(i);
    }
    std::vector<Indices> list;
    for (auto& [key, members] : groups) list.push_back(std::move(members));
    share_of_progress(0.0, 0.2, count_of(list));
    parallel_for(count_of(list), options_.threads, [&](std::int64_t g) {
      prepare_group(list[static_cast<std::size_t>(g)]);
      step_done();
    });
    for (Instance& in : instances_) collect(in);
  }

  void prepare_group(const Indices& members) {
    const Instance& first = instances_[members.front()];
    const PlanRequest& of_precision = requests_[first.precision];
    std::vector<std::string> notes;
    infer::StepModel model =
        step_model(of_precision, of_precision.hardware[first.hardware], first.plan, &notes);
    BoundTable bounds(of_precision, model);
    for (const std::size_t i : members)
      prepare(of_precision, model, options_.exhaustive ? nullptr : &bounds, instances_[i]);
    instances_[members.front()].notes = std::move(notes);
  }

  void collect(Instance& in) {
    HardwareResult& out = result_.hardware[in.hardware];
    std::ranges::move(in.candidates.refused, std::back_inserter(out.refused));
    out.counts.decode_points += in.candidates.decode.size();
    out.counts.prefill_points += in.candidates.prefill.size();
    for (std::string& note : in.notes) {
      if (std::ranges::find(out.notes, note) == out.notes.end())
        out.notes.push_back(std::move(note));
    }
  }

  std::vector<Indices> order() const {
    if (!options_.exhaustive) return rounds(requests_, instances_);
    Indices all(instances_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return {all};
  }

  void evaluate(const Indices& round) {
    const double begin = 0.2 + 0.7 * static_cast<double>(looked_at_) / total();
    looked_at_ += round.size();
    share_of_progress(begin, 0.2 + 0.7 * static_cast<double>(looked_at_) / total(),
                      count_of(round));
    parallel_for(count_of(round), options_.threads, [&](std::int64_t n) {
      const std::size_t i = round[static_cast<std::size_t>(n)];
      const Instance& in = instances_[i];
      const Incumbents* known = options_.exhaustive ? nullptr : &known_[in.hardware];
      summaries_[i] = pool_.with(in, [&](infer::StepModel& model) {
        return summarise(requests_[in.precision], in, model, known);
      });
      step_done();
    });
    for (const std::size_t i : round) {
      const Instance& in = instances_[i];
      learn(summaries_[i], in.precision, ServingResult::kKept, known_[in.hardware]);
      count(in, summaries_[i]);
    }
    for (const std::size_t i : round) forget_beaten(i);
  }

  double total() const { return static_cast<double>(std::max<std::size_t>(1, instances_.size())); }

  void count(const Instance& in, const InstanceSummary& s) {
    SearchCounts& counts = result_.hardware[in.hardware].counts;
    counts.evaluated += s.evaluated;
    counts.pruned += in.candidates.decode.size() + in.candidates.prefill.size() - s.evaluated;
  }

  void forget_beaten(std::size_t i) {
    const Incumbents& known = known_[instances_[i].hardware];
    const std::size_t p = instances_[i].precision;
    std::erase_if(summaries_[i].decode, [&](const PhasePoint& x) {
      return known.decode[p].beat(mapping::devices(x.plan), tpot(x), x.requests_per_s);
    });
    std::erase_if(summaries_[i].prefill, [&](const PhasePoint& x) {
      return known.prefill[p].beat(mapping::devices(x.plan), prefill_wait(x), x.requests_per_s);
    });
  }

  void find_fronts() {
    fronts_.resize(result_.hardware.size());
    for (Fronts& f : fronts_) {
      f.decode.resize(requests_.size());
      f.prefill.resize(requests_.size());
    }
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      forget_beaten(i);
      Fronts& f = fronts_[instances_[i].hardware];
      const std::size_t p = instances_[i].precision;
      std::ranges::move(summaries_[i].decode, std::back_inserter(f.decode[p]));
      std::ranges::move(summaries_[i].prefill, std::back_inserter(f.prefill[p]));
    }
    for (std::size_t h = 0; h < fronts_.size(); ++h) {
      for (auto& points : fronts_[h].decode) points = front_of(points, tpot);
      for (auto& points : fronts_[h].prefill) points = front_of(points, prefill_wait);
      result_.hardware[h].front = user_front(fronts_[h].decode);
    }
  }

  PairFronts fronts(const Machines& m) const {
    return {fronts_[m.prefill].prefill, fronts_[m.decode].decode};
  }

  void serve_together(std::size_t h) {
    FoundClusters found;
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      if (instances_[i].hardware != h || !summaries_[i].together.smallest) continue;
      found.smallest.push_back(*summaries_[i].together.smallest);
      found.winners.offer(summaries_[i].together);
    }
    add(h, Serving::aggregated, std::move(found));
  }

  void add(std::size_t h, Serving serving, FoundClusters found) {
    ServingResult& out = result_.hardware[h].serving.emplace_back();
    out.serving = serving;
    keep(std::move(found), ServingResult::kKept, out);
    if (out.candidates.empty())
      explain_nothing(request(), result_.hardware[h], fronts({h, h}), out);
  }

  void serve_apart() {
    std::vector<Machines> all;
    const std::size_t machines = result_.hardware.size();
    for (std::size_t h = 0; h < machines; ++h) all.push_back({h, h});
    for (std::size_t a = 0; request().search.pair_hardware && a < machines; ++a) {
      for (std::size_t b = 0; b < machines; ++b) {
        if (a != b) all.push_back({a, b});
      }
    }
    share_of_progress(0.9, 0.97, count_of(all));
    auto found = parallel_map(count_of(all), options_.threads, [&](std::int64_t n) {
      const Machines& m = all[static_cast<std::size_t>(n)];
      step_done();
      return pair_phases(requests_, m, fronts(m), options_.exhaustive);
    });
    for (std::size_t n = 0; n < all.size(); ++n) {
      const Machines& m = all[n];
      if (m.prefill == m.decode) {
        add(m.decode, Serving::disaggregated, std::move(found[n]));
        continue;
      }
      PairResult& out = result_.pairs.emplace_back();
      out.prefill_hardware = m.prefill;
      out.decode_hardware = m.decode;
      out.serving.serving = Serving::disaggregated;
      keep(std::move(found[n]), PairResult::kKept, out.serving);
    }
  }

  void explain() {
    std::vector<ClusterPlan*> kept;
    const auto collect_from = [&](ServingResult& s) {
      for (ClusterPlan& c : s.candidates) kept.push_back(&c);
    };
    for (HardwareResult& h : result_.hardware) {
      for (ServingResult& s : h.serving) collect_from(s);
    }
    for (PairResult& p : result_.pairs) collect_from(p.serving);
    share_of_progress(0.97, 1.0, count_of(kept));
    parallel_for(count_of(kept), options_.threads, [&](std::int64_t n) {
      ClusterPlan& c = *kept[static_cast<std::size_t>(n)];
      explain_limits(requests_[c.decode.precision], c);
      step_done();
    });
  }

  void share_of_progress(double begin, double end, std::int64_t steps) {
    begin_ = begin;
    per_step_ = (end - begin) / static_cast<double>(std::max<std::int64_t>(1, steps));
    steps_ = 0;
  }

  void step_done() {
    const auto steps = static_cast<double>(++steps_);
    if (options_.progress) options_.progress(begin_ + per_step_ * steps);
  }

  const SearchOptions& options_;
  PlanResult result_;
  std::vector<PlanRequest> requests_;  // by precision
  ModelPool pool_;
  std::vector<Instance> instances_;  // by machine, precision, plan
  std::vector<InstanceSummary> summaries_;
  std::vector<Incumbents> known_;  // by machine
  std::vector<Fronts> fronts_;
  std::size_t looked_at_ = 0;
  double begin_ = 0.0;
  double per_step_ = 0.0;
  std::atomic<std::int64_t> steps_{0};
};

}  // namespace

PlanResult search_plans(const PlanRequest& request, const SearchOptions& options) {
  return Search(request, options).run();
}

}  // namespace fathom::study
