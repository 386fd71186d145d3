#include "mapping/map.hpp"

#include "catch.hpp"
#include "model/hf_config.hpp"
#include "model/lower.hpp"
#include "ops/attention.hpp"

using namespace fathom;
using namespace fathom::mapping;

namespace {

const hw::Cluster& h800() {
  static const hw::Cluster cluster = hw::load_cluster("h800");
  return cluster;
}

struct Mapped {
  model::ArchSpec arch;
  MappedGraph graph;
};

Mapped map_model(const char* name, const Plan& plan, const model::StepShape& step,
                 std::int64_t micro_batches = 1) {
  Mapped out{model::load_model(name).arch, {}};
  model::LowerOptions options;
  options.precision = model::default_precision(out.arch);
  const model::OpGraph whole =
      model::lower(out.arch, local_step(step, plan, micro_batches), options);
  out.graph = map(whole, {.arch = out.arch,
                          .plan = plan,
                          .cluster = h800(),
                          .precision = options.precision,
                          .phase = step.phase,
                          .micro_batches = micro_batches});
  return out;
}

Flops compute_flops(const MappedGraph& graph) {
  Flops sum;
  for (const model::Block& block : graph.blocks) {
    for (int i = block.begin; i < block.end; ++i) {
      sum += block.repeat * ops::cost(graph.nodes[static_cast<std::size_t>(i)].op).flops;
    }
  }
  return sum;
}

int count(const MappedGraph& graph, std::string_view name) {
  int n = 0;
  for (const MappedNode& node : graph.nodes) n += node.name == name ? 1 : 0;
  return n;
}

model::StepShape decode(double sequences, double context, double query = 1.0) {
  return {model::Phase::decode, {{sequences, query, context}}, 0};
}
model::StepShape prefill(double prompts, double length) {
  return {model::Phase::prefill, {{prompts, length, 0}}, 0};
}

}  // namespace

TEST_CASE("tensor-parallel shards of a dense model add up to the whole", "[mapping][property]") {
  const auto tp = GENERATE(2, 4, 8);
  const model::StepShape step = prefill(2, 512);
  const Flops whole = compute_flops(map_model("llama-3.1-8b", {}, step).graph);
  const Flops shard = compute_flops(map_model("llama-3.1-8b", {.tp = tp}, step).graph);
  CHECK(tp * shard / whole == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("data-parallel replicas with balanced experts add up to the whole",
          "[mapping][property]") {
  const auto ranks = GENERATE(2, 8, 32);
  const model::StepShape step = decode(64, 1000);
  const Flops whole = compute_flops(map_model("deepseek-v3", {}, step).graph);
  const Flops rank =
      compute_flops(map_model("deepseek-v3", {.ep = ranks, .dp = ranks}, step).graph);
  CHECK(ranks * rank / whole == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("context-parallel ranks share the pairs of a prompt equally", "[mapping][property]") {
  const auto cp = GENERATE(2, 4, 8);
  const model::StepShape local =
      local_step({model::Phase::prefill, {{3, 4096, 1024}}, 0}, {.cp = cp}, 1);
  CHECK(cp * model::visible_pairs(local) ==
        Approx(3 * ops::causal_pairs(4096, 1024)).epsilon(1e-12));
}

TEST_CASE("context-parallel decode ranks share the cached rows", "[mapping][property]") {
  const Mapped one = map_model("deepseek-v3", {}, decode(8, 8192));
  const Mapped four = map_model("deepseek-v3", {.cp = 4}, decode(8, 8192));
  const auto rows = [](const MappedGraph& g) {
    for (const MappedNode& n : g.nodes) {
      if (const auto* a = std::get_if<ops::LatentAttention>(&n.op)) return *a;
    }
    return ops::LatentAttention{};
  };
  CHECK(4.0 * rows(four.graph).kv_tokens == Approx(rows(one.graph).kv_tokens).epsilon(1e-9));
  CHECK(rows(four.graph).query_tokens ==
        Approx(rows(one.graph).query_tokens).epsilon(1e-9));  // every rank sees every query
  CHECK(count(four.graph, "cp_all_gather_q") > 0);
  CHECK(count(four.graph, "cp_reduce_scatter_o") > 0);
}

TEST_CASE("tensor parallelism leaves the latent whole on every rank", "[mapping]") {
  const Mapped tp = map_model("deepseek-v3", {.tp = 8, .ep = 8}, decode(8, 4096));
  for (const MappedNode& n : tp.graph.nodes) {
    if (const auto* a = std::get_if<ops::LatentAttention>(&n.op)) {
      CHECK(a->heads == 16);
      CHECK(a->kv_tokens == 8 * 4097);
      CHECK(a->row_bytes == Bytes{1152});
    }
  }
}

TEST_CASE("each plan gets the collectives it needs and no other", "[mapping]") {
  const Mapped tp = map_model("deepseek-v3", {.tp = 8, .ep = 8}, decode(8, 100));
  CHECK(count(tp.graph, "dispatch") == 0);
  CHECK(count(tp.graph, "all_reduce_experts") == 1);
  CHECK(count(tp.graph, "all_gather_logits") == 1);
  const Mapped ep = map_model("deepseek-v3", {.ep = 8, .dp = 8}, decode(64, 100));
  CHECK(count(ep.graph, "dispatch") == 3);  // SM-busy send, net, SM-busy receive
  CHECK(count(ep.graph, "combine") == 3);
  CHECK(count(ep.graph, "all_reduce") == 0);
  const Mapped prompt = map_model("deepseek-v3", {.ep = 8, .dp = 8}, prefill(8, 512));
  CHECK(count(prompt.graph, "dispatch") == 1);  // throughput kernels: one operator on the wire
  const Mapped gather = map_model("deepseek-v3", {.ep = 4, .dp = 8}, decode(64, 100));
  CHECK(count(gather.graph, "gather_tokens") == 1);
  CHECK(count(gather.graph, "scatter_tokens") == 1);
  const Mapped single = map_model("deepseek-v3", {}, decode(8, 100));
  for (const MappedNode& n : single.graph.nodes) CHECK_FALSE(ops::is_communication(n.op));
}

TEST_CASE("128 uniformly routed tokens touch 251.6 of 256 experts", "[mapping]") {
  // E (1 - (1 - k/E)^n) with E = 256, k = 8, n = 128
  const Mapped m = map_model("deepseek-v3", {}, decode(128, 100));
  for (const MappedNode& n : m.graph.nodes) {
    if (const auto* g = std::get_if<ops::GroupedGemm>(&n.op))
      CHECK(g->touched_experts == Approx(251.6).epsilon(2e-4));
  }
}

TEST_CASE("an unbalanced load adds rows to the slowest rank's experts only", "[mapping]") {
  Plan plan{.ep = 8, .dp = 8};
  const Flops even = compute_flops(map_model("deepseek-v3", plan, prefill(8, 512)).graph);
  plan.expert_load = 1.5;
  const Mapped hot = map_model("deepseek-v3", plan, prefill(8, 512));
  Flops routed;
  for (const model::Block& b : hot.graph.blocks) {
    for (int i = b.begin; i < b.end; ++i) {
      const ops::Op& op = hot.graph.nodes[static_cast<std::size_t>(i)].op;
      if (std::holds_alternative<ops::GroupedGemm>(op)) routed += b.repeat * ops::cost(op).flops;
    }
  }
  CHECK(compute_flops(hot.graph).value == Approx((even + routed / 3.0).value).epsilon(1e-9));
}

TEST_CASE("the head runs once for all micro-batches", "[mapping]") {
  const Mapped one = map_model("deepseek-v3", {.ep = 8, .dp = 8}, decode(128, 100));
  const Mapped two = map_model("deepseek-v3", {.ep = 8, .dp = 8}, decode(128, 100), 2);
  const auto head_rows = [](const MappedGraph& g) {
    for (const MappedNode& n : g.nodes) {
      if (n.name == "lm_head") return std::get<ops::Gemm>(n.op).m;
    }
    return 0.0;
  };
  CHECK(head_rows(one.graph) == 16.0);
  CHECK(head_rows(two.graph) == 16.0);
}
