#include "timing/time_graph.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "timing/fitted.hpp"
#include "timing/trace.hpp"

namespace fathom::timing {
namespace {

using mapping::Lane;
using model::Stage;

// SMs that throughput all-to-all kernels hold while the other micro-batch computes.
double sm_share(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                const TimingOptions& options) {
  if (!options.overlap || cluster.device.sm_count <= 0.0) return 1.0;
  double reserved = 0.0;
  for (const mapping::MappedNode& node : graph.nodes) {
    const auto* exchange = std::get_if<ops::ExpertExchange>(&node.op);
    if (exchange == nullptr || exchange->part != ops::ExchangePart::whole) continue;
    reserved =
        std::max(reserved, cluster.efficiency.lookup(family_of(node.op), Math::bf16).sm_reserved);
  }
  return 1.0 - reserved / cluster.device.sm_count;
}

bool outside_layers(Stage stage) { return stage == Stage::head || stage == Stage::embed; }

bool has_dispatch(const mapping::MappedGraph& graph, const model::Block& block) {
  for (int i = block.begin; i < block.end; ++i) {
    const mapping::MappedNode& node = graph.nodes[static_cast<std::size_t>(i)];
    if (node.stage == Stage::dispatch && node.lane != Lane::compute) return true;
  }
  return false;
}

bool experts_whole(const mapping::MappedGraph& graph, const model::Block& block,
                   const hw::Cluster& cluster) {
  for (int i = block.begin; i < block.end; ++i) {
    const auto* op = std::get_if<ops::GroupedGemm>(&graph.nodes[static_cast<std::size_t>(i)].op);
    if (op != nullptr) return times_experts_whole(*op, cluster);
  }
  return false;
}

/// Kinds of layers share most of their operators: the same call in one of the last blocks has the
/// same time, and mostly follows the call that the last node was found at. Names are static
/// storage, so their addresses tell most nodes apart.
class Seen {
 public:
  Seen(const mapping::MappedGraph& graph, const TimedGraph& timed) : graph_(graph) {
    constexpr std::size_t kBlocksBack = 2;
    for (std::size_t b = timed.blocks.size(); b-- > 0 && blocks_ < kBlocksBack;) {
      const model::Block& block = timed.blocks[b];
      if (block.kind == model::kOuterBlock) continue;
      if (blocks_++ == 0) next_ = static_cast<std::size_t>(block.begin);
      begin_ = static_cast<std::size_t>(block.begin);
      end_ = std::max(end_, static_cast<std::size_t>(block.end));
    }
  }

  /// Index of an equal call, if there is one. An equal product often comes right before (a
  /// projection to values and to their gate).
  std::optional<std::size_t> find(std::size_t i, bool first) {
    const mapping::MappedNode& node = graph_.nodes[i];
    const bool product = std::holds_alternative<ops::Gemm>(node.op);
    if (product && !first && graph_.nodes[i - 1].op == node.op) return i - 1;
    if (next_ < end_ && same(next_, node)) return next_++;
    for (std::size_t n = begin_; n < end_; ++n) {
      if (!same(n, node)) continue;
      next_ = n + 1;
      return n;
    }
    return std::nullopt;
  }

 private:
  bool same(std::size_t n, const mapping::MappedNode& node) const {
    const mapping::MappedNode& other = graph_.nodes[n];
    return other.name.data() == node.name.data() && other.op == node.op;
  }

  const mapping::MappedGraph& graph_;
  std::size_t blocks_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t next_ = 0;
};

// Times calls, or knows them from the last graph. What it returns is as if nothing else ran.
class Clock {
 public:
  Clock(const hw::Cluster& cluster, const InSitu& in_situ, Remembered& memory)
      : cluster_(cluster), in_situ_(in_situ), memory_(memory) {
    if (memory.sm_share != in_situ.sm_share) memory = {.sm_share = in_situ.sm_share};
  }

  bool knows(const ops::Op& op, std::size_t n) const {
    return n < memory_.calls.size() && memory_.calls[n] == op;
  }
  const OpTime& time(std::size_t n) const { return memory_.times[n]; }

  /// The call of node n, which equals that of another node of this graph if one is given.
  void take(const ops::Op& op, std::size_t n, std::optional<std::size_t> equal) {
    if (n >= memory_.calls.size()) {
      memory_.calls.resize(n + 1);
      memory_.times.resize(n + 1);
    }
    memory_.calls[n] = op;
    memory_.times[n] = equal ? memory_.times[*equal] : time_of(op, cluster_, in_situ_);
  }

 private:
  const hw::Cluster& cluster_;
  const InSitu& in_situ_;
  Remembered& memory_;
};

void time_nodes(const mapping::MappedGraph& graph, const model::Block& block,
                const hw::Cluster& cluster, Clock& clock, TimedGraph& out) {
  const bool whole = experts_whole(graph, block, cluster);
  Seen seen{graph, out};
  for (int i = block.begin; i < block.end; ++i) {
    const auto n = static_cast<std::size_t>(i);
    const mapping::MappedNode& node = graph.nodes[n];
    out.nodes.push_back({.name = node.name, .lane = node.lane, .stage = node.stage});
    TimedNode& timed = out.nodes.back();
    if (!clock.knows(node.op, n)) clock.take(node.op, n, seen.find(n, i == block.begin));
    timed.time = clock.time(n);
    if (whole && node.stage == Stage::experts && std::holds_alternative<ops::Elementwise>(node.op))
      timed.time.total = Seconds{};  // inside the experts' fitted time
  }
  out.blocks.push_back(block);
}

std::span<TimedNode> nodes_of(TimedGraph& timed, const model::Block& block) {
  return std::span(timed.nodes)
      .subspan(static_cast<std::size_t>(block.begin),
               static_cast<std::size_t>(block.end - block.begin));
}

// Share of a layer's computing during which its all-to-alls run, spread evenly: as long as both
// lanes are busy, one micro-batch's compute lies beside the other's wires.
double time_beside(const mapping::MappedGraph& graph, TimedGraph& timed) {
  const auto block = std::ranges::find_if(
      graph.blocks, [&](const model::Block& one) { return has_dispatch(graph, one); });
  if (block == graph.blocks.end()) return 1.0;
  Seconds computing;
  Seconds wires;
  for (const TimedNode& node : nodes_of(timed, *block)) {
    (node.lane == Lane::compute ? computing : wires) += node.time.total;
  }
  return std::min(1.0, wires / computing);
}

// Kernels that share the device with communication, timed as if it ran all the time until here.
void free_from_communication(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                             InSitu in_situ, TimedGraph& out) {
  in_situ.beside = time_beside(graph, out);
  if (in_situ.beside >= 1.0) return;
  for (std::size_t n = 0; n < out.nodes.size(); ++n) {
    OpTime& time = out.nodes[n].time;
    if (cluster.efficiency.lookup(time.family, time.cost.math).overlapped > 0.0)
      time = time_of(graph.nodes[n].op, cluster, in_situ);
  }
}

// Cuts a block's nodes, in order, into tasks.
void cut_tasks(const mapping::MappedGraph& graph, const model::Block& block, TimedGraph& out) {
  LayerTasks tasks;
  Seconds once;
  Seconds clock;
  const bool branch = has_dispatch(graph, block);
  for (TimedNode& node : nodes_of(out, block)) {
    node.start = clock;
    clock += node.time.total;
    node.end = clock;
    if (outside_layers(node.stage)) {
      once += node.time.total;
    } else if (node.stage == Stage::shared && branch) {
      tasks.branch += node.time.total;
    } else {
      tasks.append(node.lane, node.stage, node.time.total);
    }
  }
  out.tasks.push_back(tasks);
  out.once.push_back(once);
}

double times_per_step(const model::Block& block, std::size_t index, const StageProgram& program) {
  if (block.kind == model::kOuterBlock) {
    return static_cast<double>(std::ranges::count(program.outer, static_cast<int>(index)));
  }
  return static_cast<double>(std::ranges::count(program.sequence, static_cast<int>(index)));
}

}  // namespace

void time_graph(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                const TimingOptions& options, TimedGraph& out, Remembered& memory) {
  out.nodes.clear();
  out.tasks.clear();
  out.once.clear();
  out.blocks.clear();
  const InSitu in_situ{sm_share(graph, cluster, options)};
  Clock clock{cluster, in_situ, memory};
  for (const model::Block& block : graph.blocks) time_nodes(graph, block, cluster, clock, out);
  if (in_situ.sm_share < 1.0) free_from_communication(graph, cluster, in_situ, out);
  for (const model::Block& block : graph.blocks) cut_tasks(graph, block, out);
}

TimedGraph time_graph(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                      const TimingOptions& options) {
  TimedGraph out;
  Remembered nothing;
  time_graph(graph, cluster, options, out, nothing);
  return out;
}

std::vector<Trace> traces(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                          const TimingOptions& options) {
  InSitu in_situ{sm_share(graph, cluster, options)};
  if (in_situ.sm_share < 1.0) {
    // of kernels that are timed as if communication ran all the time, as time_graph() has it
    TimedGraph first;
    Remembered nothing;
    Clock clock{cluster, in_situ, nothing};
    for (const model::Block& block : graph.blocks) time_nodes(graph, block, cluster, clock, first);
    in_situ.beside = time_beside(graph, first);
  }
  std::vector<Trace> out;
  for (const model::Block& block : graph.blocks) {
    const bool whole = experts_whole(graph, block, cluster);
    for (int i = block.begin; i < block.end; ++i) {
      const mapping::MappedNode& node = graph.nodes[static_cast<std::size_t>(i)];
      Trace& trace = out.emplace_back(trace_of(node.op, cluster, in_situ));
      trace.inside_experts = whole && node.stage == Stage::experts &&
                             std::holds_alternative<ops::Elementwise>(node.op);
      if (trace.inside_experts) trace.time.total = Seconds{};
    }
  }
  return out;
}

StageProgram stage_program(const mapping::RankClass& rank_class,
                           const mapping::MappedGraph& graph) {
  StageProgram program;
  std::vector<int> block_of_kind;
  for (std::size_t i = 0; i < graph.blocks.size(); ++i) {
    const model::Block& block = graph.blocks[i];
    const int index = static_cast<int>(i);
    if (block.kind >= 0) block_of_kind.push_back(index);
    if (block.kind == model::kOuterBlock && block.name == "embedding" && rank_class.embedding)
      program.outer.push_back(index);
    if (block.kind == model::kOuterBlock && block.name == "head" && rank_class.head)
      program.outer.push_back(index);
  }
  for (const int kind : rank_class.sequence) {
    program.sequence.push_back(block_of_kind[static_cast<std::size_t>(kind)]);
  }
  program.folding = find_folding(program.sequence);
  for (std::size_t i = 0; i < graph.blocks.size(); ++i) {
    if (graph.blocks[i].kind != model::kMtpBlock || !rank_class.head) continue;
    for (int n = 0; n < graph.blocks[i].repeat; ++n)
      program.sequence.push_back(static_cast<int>(i));
  }
  return program;
}

StepEstimate summarize(const TimedGraph& timed, const StageProgram& program, int micro_batches,
                       const TimingOptions& options) {
  StepEstimate out;
  const Schedule layers =
      schedule(program.sequence, timed.tasks, micro_batches, options.order, program.folding);
  out.latency = layers.makespan;
  out.lane_busy = layers.busy;
  for (std::size_t b = 0; b < timed.blocks.size(); ++b) {
    const model::Block& block = timed.blocks[b];
    const double count = times_per_step(block, b, program);
    if (count == 0.0) continue;
    // embedding and head (also those of the MTP modules) run once for all micro-batches, after the
    // layers
    out.latency += count * timed.once[b];
    for (int i = block.begin; i < block.end; ++i) {
      const auto n = static_cast<std::size_t>(i);
      const TimedNode& node = timed.nodes[n];
      const double calls =
          count * (outside_layers(node.stage) ? 1.0 : static_cast<double>(micro_batches));
      if (outside_layers(node.stage)) {
        out.lane_busy[static_cast<std::size_t>(node.lane)] += count * node.time.total;
      }
      out.by_bound[static_cast<std::size_t>(node.time.bound)] += calls * node.time.total;
      out.by_evidence[static_cast<std::size_t>(node.time.evidence)] += calls * node.time.total;
      if (node.time.total.value > 0.0) out.launches += calls * node.time.kernels;
      out.flops += calls * node.time.cost.flops;
      out.device_bytes += calls * traffic(node.time.cost);
    }
  }
  out.exposed_communication = out.latency - out.lane_busy[static_cast<std::size_t>(Lane::compute)];
  return out;
}

nlohmann::json to_json(const TimedGraph& graph) {
  auto blocks = nlohmann::json::array();
  for (const model::Block& block : graph.blocks) {
    auto nodes = nlohmann::json::array();
    for (int i = block.begin; i < block.end; ++i) {
      const TimedNode& n = graph.nodes[static_cast<std::size_t>(i)];
      nodes.push_back({{"name", n.name},
                       {"lane", mapping::name(n.lane)},
                       {"stage", model::name(n.stage)},
                       {"start_s", n.start.value},
                       {"end_s", n.end.value},
                       {"ideal_s", n.time.ideal.value},
                       {"bound", name(n.time.bound)},
                       {"efficiency_family", hw::name(n.time.family)},
                       {"evidence", hw::name(n.time.evidence)},
                       {"fidelity", name(n.time.fidelity)}});
      if (n.time.fidelity != Fidelity::roofline) nodes.back()["form"] = hw::name(n.time.form);
    }
    blocks.push_back({{"name", block.name}, {"repeat", block.repeat}, {"nodes", std::move(nodes)}});
  }
  return {{"blocks", std::move(blocks)}};
}

nlohmann::json to_json(const StepEstimate& e) {
  nlohmann::json lanes;
  nlohmann::json bounds;
  nlohmann::json evidence;
  for (std::size_t i = 0; i < mapping::kLaneCount; ++i) {
    lanes[std::string(mapping::name(static_cast<Lane>(i)))] = e.lane_busy[i].value;
  }
  Seconds total;
  for (const Seconds s : e.by_evidence) total += s;
  for (std::size_t i = 0; i < kBoundCount; ++i) {
    bounds[std::string(name(static_cast<Bound>(i)))] = e.by_bound[i].value;
  }
  for (std::size_t i = 0; i < hw::kEvidenceCount; ++i) {
    evidence[std::string(hw::name(static_cast<hw::Evidence>(i)))] =
        total.value > 0.0 ? e.by_evidence[i] / total : 0.0;
  }
  return {
      {"latency_s", e.latency.value},  {"exposed_communication_s", e.exposed_communication.value},
      {"lane_busy_s", lanes},          {"time_by_bound_s", bounds},
      {"share_by_evidence", evidence}, {"launches", e.launches},
      {"flops", e.flops.value},        {"device_bytes", e.device_bytes.value}};
}

}  // namespace fathom::timing
