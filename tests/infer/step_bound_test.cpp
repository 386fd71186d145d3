#include "infer/step_bound.hpp"

#include "catch.hpp"
#include "core/rng.hpp"
#include "infer/serving_point.hpp"
#include "model/hf_config.hpp"

using namespace fathom;
using namespace fathom::infer;

namespace {

std::int64_t pick(Rng& random, std::initializer_list<std::int64_t> list) {
  return *(list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size())));
}

mapping::Plan random_plan(Rng& random) {
  mapping::Plan plan{.tp = pick(random, {1, 2, 4, 8}),
                     .pp = pick(random, {1, 2, 3}),
                     .ep = 1,
                     .dp = pick(random, {1, 2, 8, 32}),
                     .cp = pick(random, {1, 1, 2})};
  plan.ep = std::max<std::int64_t>(1, mapping::ranks_per_stage(plan) / pick(random, {1, 1, 2}));
  plan.redundant_experts = pick(random, {0, 0, 32, 64});
  plan.expert_load = random.uniform() < 0.5 ? 1.0 : 1.3;
  plan.two_batch_overlap = random.uniform() < 0.5;
  plan.all_to_all = static_cast<mapping::AllToAll>(pick(random, {0, 1, 2, 3, 4}));
  return plan;
}

// The bound of one step, as a search asks for it, and what the step really takes.
struct Both {
  Seconds least;
  Seconds latency;
};

Both both(StepModel& m, const model::StepShape& step) {
  const bool decode = step.phase == model::Phase::decode;
  const std::int64_t pieces =
      (m.plan.two_batch_overlap ? 2 : 1) * (decode ? m.plan.pp : std::int64_t{1});
  const model::StepShape local = mapping::local_step(step, m.plan, pieces);
  const double share = sm_share(m.plan, step.phase, m.cluster);
  StepModel common = m;
  // only tp and cp of the common model may count
  common.plan = {.tp = m.plan.tp, .cp = m.plan.cp};
  const OwnWork own = own_work(common, {.local = local, .sm_share = share});
  const StepTime real = evaluate(m, step);
  // stages of a prefill step work on different steps at once: its cycle is one stage's
  return {least_latency(with_experts(own, m, share), m.plan.two_batch_overlap ? 2 : 1),
          decode ? std::min(real.latency, real.cycle) : real.latency};
}

}  // namespace

TEST_CASE("no step is faster than its bound", "[infer][bound][property]") {
  const std::string name = GENERATE("deepseek-v3.2", "deepseek-v3", "deepseek-v4-pro",
                                    "qwen3-235b-a22b", "llama-3.1-70b");
  const std::string hardware = GENERATE("h800", "b200", "mi300x");
  const model::Model model = model::load_model(name);
  const hw::Cluster cluster = hw::load_cluster(hardware);
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  Rng random{name.size() * 31 + hardware.size()};
  int tried = 0;
  for (int i = 0; i < 400 && tried < 60; ++i) {
    const mapping::Plan plan = random_plan(random);
    if (mapping::infeasible(model.arch, plan, cluster)) continue;
    ++tried;
    StepModel m = make_step_model(model.arch, cluster, plan, options);
    model::StepShape step;
    step.phase = random.uniform() < 0.6 ? model::Phase::decode : model::Phase::prefill;
    const bool decode = step.phase == model::Phase::decode;
    const auto sequences = static_cast<double>(plan.dp * plan.pp * pick(random, {2, 6, 40, 200}));
    step.groups = {{sequences, decode ? 1.0 : static_cast<double>(pick(random, {64, 1000, 4096})),
                    static_cast<double>(pick(random, {0, 500, 20000}))}};
    const Both b = both(m, step);
    CAPTURE(name, hardware, mapping::describe(plan), decode, sequences);
    CHECK(b.least <= b.latency);
    CHECK(b.least.value > 0.0);
  }
  CHECK(tried > 10);
}

TEST_CASE("the bound of a dense model on one device leaves out only embedding and head",
          "[infer][bound]") {
  const model::Model model = model::load_model("llama-3.1-8b");
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  StepModel m = make_step_model(model.arch, hw::load_cluster("h200"), {}, options);
  const model::StepShape step{.phase = model::Phase::decode, .groups = {{8.0, 1.0, 2000.0}}};
  const Both b = both(m, step);
  Seconds outer;
  for (const timing::TimedNode& node : m.timed.nodes) {
    if (node.stage == model::Stage::embed || node.stage == model::Stage::head)
      outer += node.time.total;
  }
  CHECK(std::abs((b.least + outer) / b.latency - 1.0) < 1e-6);
}
