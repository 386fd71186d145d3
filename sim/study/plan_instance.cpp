#include "study/plan_instance.hpp"

#include <algorithm>
#include <utility>

#include "study/pareto.hpp"

namespace fathom::study {
namespace {

using model::Phase;

// Of one plan's points, devices being equal, those that are not beaten in wait and capacity.
template <class Wait>
std::vector<PhasePoint> front_of(const std::vector<PhasePoint>& points, const Wait& wait) {
  std::vector<Objectives> objectives;
  objectives.reserve(points.size());
  for (const PhasePoint& p : points) objectives.push_back({wait(p).value, -p.requests_per_s, 0.0});
  std::vector<PhasePoint> front;
  for (const std::size_t i : pareto_front(objectives)) front.push_back(points[i]);
  return front;
}

Seconds tpot(const PhasePoint& p) { return p.estimate.latency; }

Seconds wait_of(const PhasePoint& p, Phase phase) {
  return phase == Phase::decode ? p.estimate.latency : prefill_wait(p);
}

/// One instance's work: which candidates can matter, their points, and clusters of copies of it.
class Study {
 public:
  Study(const PlanRequest& request, const Instance& instance, infer::StepModel& model,
        const Incumbents* known)
      : request_(request),
        in_(instance),
        model_(model),
        known_(known),
        demand_(demand_of(request)),
        least_(least_demand(request)),
        quick_(without_queues(least_)),
        price_(device_price(request, request.hardware[instance.hardware])),
        devices_(mapping::devices(instance.plan)) {
    if (known != nullptr) goals_ = known->goals;
  }

  InstanceSummary run() {
    if (known_ != nullptr) find_partners();
    evaluate(Phase::decode, in_.candidates.decode, in_.decode_bounds, decode_);
    evaluate(Phase::prefill, in_.candidates.prefill, in_.prefill_bounds, prefill_);
    if (request_.search.aggregated) size_together();
    out_.decode = front_of(decode_, tpot);
    out_.prefill = front_of(prefill_, prefill_wait);
    return std::move(out_);
  }

 private:
  // Clusters of an instance that never does better than these two points.
  Reach reach(const Sizing& size, const PhasePoint& prefill, const PhasePoint& decode) const {
    return best_case(request_, static_cast<double>(size.decode_instances * devices_), prefill,
                     decode, price_);
  }

  bool allowed(std::int64_t instances) const {
    return instances * devices_ <= request_.search.max_devices;
  }

  // Sizing never punishes a better point (plan_cluster.hpp), so if even the best figures of all
  // partners at once give no cluster worth having, no partner does.
  bool worthwhile(const PhasePoint& prefill, const PhasePoint& decode) const {
    if (!worthwhile(quick_, prefill, decode)) return false;
    return !least_.queueing || worthwhile(least_, prefill, decode);
  }

  bool worthwhile(const Demand& demand, const PhasePoint& prefill, const PhasePoint& decode) const {
    const auto size = size_aggregated(demand, prefill, decode);
    return size && allowed(size->decode_instances) &&
           !hopeless(reach(*size, prefill, decode), goals_);
  }

  static std::vector<PhasePoint> optimists(const mapping::Plan& plan,
                                           const std::vector<Candidate>& candidates,
                                           const std::vector<Optimum>& bounds) {
    std::vector<PhasePoint> out;
    out.reserve(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i)
      out.push_back(optimistic_point(plan, candidates[i], bounds[i]));
    return out;
  }

  static PhasePoint best_of(const std::vector<PhasePoint>& points) {
    PhasePoint best = points.front();
    for (const PhasePoint& p : points) widen(best, p);
    return best;
  }

  // Marks the candidates that may be half of an aggregated cluster worth having.
  void find_partners() {
    const Candidates& c = in_.candidates;
    needed_decode_.assign(c.decode.size(), false);
    needed_prefill_.assign(c.prefill.size(), false);
    if (!request_.search.aggregated || c.decode.empty() || c.prefill.empty()) return;
    const auto prefills = optimists(in_.plan, c.prefill, in_.prefill_bounds);
    const auto decodes = optimists(in_.plan, c.decode, in_.decode_bounds);
    const PhasePoint prefill = best_of(prefills);
    std::optional<PhasePoint> decode;
    for (std::size_t i = 0; i < decodes.size(); ++i) {
      needed_decode_[i] = worthwhile(prefill, decodes[i]);
      if (!needed_decode_[i]) continue;
      if (decode) {
        widen(*decode, decodes[i]);
      } else {
        decode = decodes[i];
      }
    }
    for (std::size_t i = 0; decode && i < prefills.size(); ++i)
      needed_prefill_[i] = worthwhile(prefills[i], *decode);
  }

  // A candidate whose bound is beaten, in size, wait and capacity, is beaten itself: it is on no
  // front.
  bool on_no_front(Phase phase, const Candidate& c, const Optimum& bound,
                   const Staircases& own) const {
    const bool decode = phase == Phase::decode;
    const Staircases& known =
        decode ? known_->decode[in_.precision] : known_->prefill[in_.precision];
    const double sequences = c.batch * static_cast<double>(in_.plan.dp);
    const Seconds wait =
        decode ? bound.latency : bound.latency + Seconds{sequences / bound.requests_per_s} / 2.0;
    return known.beat(devices_, wait, bound.requests_per_s) ||
           own.beat(devices_, wait, bound.requests_per_s);
  }

  void evaluate(Phase phase, const std::vector<Candidate>& candidates,
                const std::vector<Optimum>& bounds, std::vector<PhasePoint>& points) {
    const std::vector<bool>& partners = phase == Phase::decode ? needed_decode_ : needed_prefill_;
    Staircases own;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const bool skip =
          known_ != nullptr && !partners[i] && on_no_front(phase, candidates[i], bounds[i], own);
      if (skip) continue;
      ++out_.evaluated;
      auto point = evaluate_point(request_, model_, candidates[i], phase);
      if (!point) continue;
      point->precision = in_.precision;
      own.add(devices_, wait_of(*point, phase), point->requests_per_s);
      points.push_back(*std::move(point));
    }
  }

  // The aggregated clusters of this plan. Memory is asked last: it costs most.
  void size_together() {
    if (decode_.empty() || prefill_.empty()) return;
    const PhasePoint any_prefill = best_of(prefill_);
    for (const PhasePoint& decode : decode_) {
      if (known_ != nullptr && !worthwhile(any_prefill, decode)) continue;
      for (const PhasePoint& prefill : prefill_) try_pair(prefill, decode);
    }
  }

  void try_pair(const PhasePoint& prefill, const PhasePoint& decode) {
    if (demand_.queueing && known_ != nullptr && !worthwhile(quick_, prefill, decode)) return;
    const auto size = size_aggregated(demand_, prefill, decode);
    if (!size || !allowed(size->decode_instances)) return;
    if (hopeless(reach(*size, prefill, decode), goals_)) return;
    ClusterPlan found =
        make_cluster_plan(request_, in_.hardware, Serving::aggregated, prefill, decode, *size);
    if (!affordable(request_, found) || !out_.together.wants(found)) return;
    found.decode_memory = shared_memory(request_, model_, decode, prefill);
    if (!found.decode_memory.fits()) return;
    found.prefill_memory = found.decode_memory;
    out_.together.offer(found);
    const Reach own = out_.together.goals();
    goals_.devices = std::min(goals_.devices, own.devices);
    goals_.tpot = std::min(goals_.tpot, own.tpot);
    goals_.usd = std::min(goals_.usd, own.usd);
  }

  const PlanRequest& request_;
  const Instance& in_;
  infer::StepModel& model_;
  const Incumbents* known_;
  Demand demand_;
  Demand least_;
  Demand quick_;
  std::optional<double> price_;
  std::int64_t devices_;
  Reach goals_;
  std::vector<bool> needed_decode_;
  std::vector<bool> needed_prefill_;
  std::vector<PhasePoint> decode_;
  std::vector<PhasePoint> prefill_;
  InstanceSummary out_;
};

}  // namespace

void learn(const InstanceSummary& s, std::size_t precision, std::size_t kept, Incumbents& known) {
  for (const PhasePoint& p : s.decode)
    known.decode[precision].add(mapping::devices(p.plan), tpot(p), p.requests_per_s);
  for (const PhasePoint& p : s.prefill)
    known.prefill[precision].add(mapping::devices(p.plan), prefill_wait(p), p.requests_per_s);
  if (!s.together.smallest) return;
  const Reach reach = s.together.goals();
  known.goals.tpot = std::min(known.goals.tpot, reach.tpot);
  known.goals.usd = std::min(known.goals.usd, reach.usd);
  // One cluster per plan is listed, up to `kept`: larger ones than the last are not.
  const auto at = std::ranges::upper_bound(known.sizes, s.together.smallest->devices);
  known.sizes.insert(at, s.together.smallest->devices);
  if (known.sizes.size() > kept) known.sizes.resize(kept);
  if (known.sizes.size() == kept) known.goals.devices = static_cast<double>(known.sizes.back());
}

void assume(const Instance& instance, infer::StepModel& model) {
  model.plan = instance.plan;
  model.classes = instance.classes;
  model.weights = instance.weights;
  model.weights_mtp = instance.weights_mtp;
  model.programs.clear();  // prepared for another plan's stages
}

void prepare(const PlanRequest& request, infer::StepModel& model, BoundTable* bounds,
             Instance& in) {
  const model::ArchSpec& arch = request.model.arch;
  in.classes = mapping::rank_classes(arch, in.plan);
  for (const mapping::RankClass& c : in.classes) {
    const model::Precision& p = model.options.precision;
    in.weights.push_back(mapping::weight_bytes(arch, in.plan, p, c, false));
    in.weights_mtp.push_back(mapping::weight_bytes(arch, in.plan, p, c, true));
  }
  assume(in, model);
  in.candidates = candidates_of(request, model);
  for (Refusal& r : in.candidates.refused) r.precision = in.precision;
  if (bounds == nullptr) return;
  for (const Candidate& c : in.candidates.decode)
    in.decode_bounds.push_back(bounds->decode(plan_of(in.plan, c), c));
  for (const Candidate& c : in.candidates.prefill)
    in.prefill_bounds.push_back(bounds->prefill(plan_of(in.plan, c), c));
}

InstanceSummary summarise(const PlanRequest& request, const Instance& instance,
                          infer::StepModel& model, const Incumbents* known) {
  assume(instance, model);
  return Study(request, instance, model, known).run();
}

std::array<double, 4> promise(const PlanRequest& request, const Instance& in) {
  std::array<double, 4> out{};
  const double target = demand_of(request).tpot.value;
  double speed = 0.0;
  for (const Optimum& o : in.decode_bounds) {
    if (o.latency.value <= target) out[0] = std::min(out[0], -o.requests_per_s);
    out[1] = std::min(out[1], -o.requests_per_s);
    speed = std::max(speed, 1.0 / o.latency.value);
  }
  out[2] = -speed;
  for (const Optimum& o : in.prefill_bounds) out[3] = std::min(out[3], -o.requests_per_s);
  return out;
}

}  // namespace fathom::study
