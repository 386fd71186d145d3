#include "report/builders/estimate_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"
#include "study/class_memory.hpp"
#include "timing/timeline.hpp"

namespace fathom::report {
namespace {

using lang::say;
using mapping::Lane;
using model::Stage;
using study::OperatorRow;
using timing::PlacedTask;

constexpr double kMilli = 1e-3;
constexpr double kMicro = 1e-6;
constexpr double kGibi = 1073741824.0;
constexpr std::size_t kShownLayers = 2;  // or a whole period of the layers' kinds
constexpr Seconds kLongWindow{0.01};     // from here on a timeline counts in ms
constexpr double kRounding = 1e-9;       // of a step: shorter idle times are rounding

// The innermost link and the outermost one, as their profile names them.
std::string lane_name(Lane lane, const hw::Cluster& cluster) {
  if (lane == Lane::intra_node) return say("in node: {}", cluster.tiers.front().name);
  if (lane == Lane::inter_node) return say("between: {}", cluster.tiers.back().name);
  return std::string(mapping::name(lane));
}

timing::TimingOptions timing_options(const infer::StepModel& m) {
  const bool decode = m.mapped.phase == model::Phase::decode;
  const bool half = decode && m.plan.fixed_order;
  return {.overlap = m.plan.two_batch_overlap,
          .order = half ? timing::Order::half_layer : timing::Order::greedy};
}

// Of the pipeline stage whose layers take longest.
std::size_t slowest_stage(const infer::StepModel& m) {
  const int micro = m.plan.two_batch_overlap ? 2 : 1;
  std::size_t slowest = 0;
  Seconds longest;
  for (std::size_t i = 0; i < m.programs.size(); ++i) {
    const Seconds latency =
        timing::summarize(m.timed, m.programs[i], micro, timing_options(m)).latency;
    if (latency > longest) slowest = i;
    longest = std::max(longest, latency);
  }
  return slowest;
}

// Which operators each task of a block's chain consists of: cut as timing/time_graph.cpp cuts them.
struct TaskNodes {
  std::vector<std::string> chain;
  std::string branch;
};
TaskNodes task_nodes(const infer::StepModel& m, std::size_t block_index) {
  TaskNodes out;
  const model::Block& block = m.timed.blocks[block_index];
  const bool branch = m.timed.tasks[block_index].branch.value > 0.0;
  const timing::TimedNode* last = nullptr;
  for (int i = block.begin; i < block.end; ++i) {
    const timing::TimedNode& node = m.timed.nodes[static_cast<std::size_t>(i)];
    if (node.stage == Stage::head || node.stage == Stage::embed) continue;
    const bool beside = branch && node.stage == Stage::shared;
    const bool joins = last != nullptr && last->lane == node.lane && last->stage == node.stage;
    if (!beside && !joins) out.chain.emplace_back();
    if (!beside) last = &node;
    std::string& text = beside ? out.branch : out.chain.back();
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", node.name, format_seconds(node.time.total));
  }
  return out;
}

std::size_t part_of(Stage stage) {
  if (stage == Stage::attention_1 || stage == Stage::attention_2) return 0;
  if (stage == Stage::dispatch || stage == Stage::combine || stage == Stage::receive) return 2;
  return 1;
}

// First and one past the last of the layers to show.
std::pair<std::size_t, std::size_t> shown_layers(const timing::StageProgram& program) {
  const timing::Folding& f = program.folding;
  const std::size_t all = program.sequence.size();
  const std::size_t count = std::min(all, std::max(kShownLayers, f.repeats > 1 ? f.period : 1));
  const std::size_t middle =
      f.repeats > 1 ? f.prefix + f.period * (f.repeats / 2) : (all - count) / 2;
  const std::size_t first = std::min(middle, all - count);
  return {first, first + count};
}

// From the first task of the shown layers to the last one of the micro-batch that is ahead: what
// the other does meanwhile is in it too, whatever layer that is.
struct Window {
  Seconds from;
  Seconds to;
};
Window window_of(const std::vector<PlacedTask>& tasks, std::pair<std::size_t, std::size_t> layers) {
  Window out;
  bool any = false;
  for (const PlacedTask& task : tasks) {
    if (task.micro_batch != 0 || task.layer < layers.first || task.layer >= layers.second) continue;
    out.from = any ? std::min(out.from, task.start) : task.start;
    out.to = any ? std::max(out.to, task.end) : task.end;
    any = true;
  }
  return out;
}

class Timeline {
 public:
  explicit Timeline(const infer::StepModel& m)
      : m_(m), micro_(m.plan.two_batch_overlap ? 2 : 1), program_(m.programs[slowest_stage(m)]) {
    const timing::TimingOptions options = timing_options(m);
    tasks_ = timing::timeline(program_.sequence, m.timed.tasks, micro_, options.order);
    layers_ = shown_layers(program_);
    window_ = window_of(tasks_, layers_);
    for (std::size_t i = 0; i < m.timed.blocks.size(); ++i) nodes_.push_back(task_nodes(m, i));
  }

  LanePlot plot() {
    const bool long_window = window_.to - window_.from > kLongWindow;
    unit_ = long_window ? kMilli : kMicro;
    LanePlot plot{.x = {.label = say("time since layer {} begins", layers_.first + 1),
                        .unit = long_window ? "ms" : "us",
                        .min = 0.0,
                        .max = (window_.to - window_.from).value / unit_},
                  .lane_label = "lane"};
    if (micro_ == 2) {
      plot.groups = {"micro-batch 1", "micro-batch 2"};
    } else {
      plot.groups = {"attention", "feed-forward", "exchange of tokens"};
    }
    for (std::size_t i = 0; i < mapping::kLaneCount; ++i) add_lane(static_cast<Lane>(i), plot);
    plot.title = title();
    plot.note = note();
    return plot;
  }

 private:
  bool inside(const PlacedTask& task) const {
    return task.end > window_.from && task.start < window_.to && task.end > task.start;
  }

  void add_lane(Lane lane, LanePlot& plot) {
    bool any = false;
    for (const PlacedTask& task : tasks_) {
      if (task.lane != lane || !inside(task)) continue;
      if (!any) plot.lanes.push_back(lane_name(lane, m_.cluster));
      any = true;
      const Seconds start = std::max(task.start, window_.from);
      const Seconds end = std::min(task.end, window_.to);
      if (lane == Lane::compute) computing_ += end - start;
      plot.bars.push_back({.lane = plot.lanes.size() - 1,
                           .start = (start - window_.from).value / unit_,
                           .length = (end - start).value / unit_,
                           .group = micro_ == 2 ? task.micro_batch : part_of(task.stage),
                           .label = std::string(model::name(task.stage)),
                           .facts = facts(task)});
    }
  }

  std::vector<Fact> facts(const PlacedTask& task) const {
    const auto block = static_cast<std::size_t>(program_.sequence[task.layer]);
    const TaskNodes& nodes = nodes_[block];
    const std::string& operators =
        task.task == PlacedTask::kBranch ? nodes.branch : nodes.chain.at(task.task);
    return {{"layer", say("{} of {}", task.layer + 1, program_.sequence.size())},
            {"operators", operators}};
  }

  std::string title() const {
    const Seconds length = window_.to - window_.from;
    const double waiting = 1.0 - computing_ / length;
    const std::string layers =
        say("{} to {} of {}", layers_.first + 1, layers_.second, program_.sequence.size());
    if (waiting < kRounding)
      return say("Layers {}: {}, compute never waits", layers, format_seconds(length));
    return say("Layers {}: {}, compute waits {} of it", layers, format_seconds(length),
               share_text(waiting));
  }

  std::string note() const {
    std::string out =
        micro_ == 1
            ? lang::say(
                  "The operators of a layer follow one another; shared experts run beside "
                  "the dispatch. Other layers of a kind look the same; embedding and head "
                  "run once, before and after them.")
            : lang::say(
                  "Two micro-batches share the lanes: one computes while the other's tokens "
                  "travel. A bar that is cut at an edge goes on outside. Embedding and head "
                  "run once, for both.");
    if (m_.mapped.phase == model::Phase::prefill)
      out += " " + lang::say("Of a prompt in chunks this is the last one's step.");
    if (waits_for_host())
      out += " " + lang::say(
                       "The host takes longer to launch the kernels of a step than the device "
                       "to run them: the step waits for it, which is not drawn.");
    return out;
  }

  bool waits_for_host() const {
    const timing::StepEstimate step =
        timing::summarize(m_.timed, program_, micro_, timing_options(m_));
    return step.launches * m_.host.per_launch > step.latency;
  }

  const infer::StepModel& m_;
  int micro_;
  const timing::StageProgram& program_;
  std::vector<PlacedTask> tasks_;
  std::pair<std::size_t, std::size_t> layers_;
  Window window_;
  std::vector<TaskNodes> nodes_;
  Seconds computing_;
  double unit_ = kMicro;  // of the axis, in seconds
};

constexpr std::size_t kLevels = 4;                      // step, block, stage, operator
constexpr std::size_t kTogether = timing::kBoundCount;  // group of bars that hold several operators

// Bars of the upper levels grow while the operators below them are laid side by side.
class Flame {
 public:
  Flame(const std::vector<OperatorRow>& rows, const std::vector<std::string>& anchors)
      : rows_(rows), anchors_(anchors) {}

  LanePlot plot() {
    LanePlot plot{.x = {.label = "operator time, before overlap", .unit = "ms"},
                  .lane_label = "level",
                  .lanes = {"step", "block", "stage", "operator"},
                  .groups = {}};
    for (std::size_t i = 0; i < timing::kBoundCount; ++i)
      plot.groups.emplace_back(timing::name(static_cast<timing::Bound>(i)));
    plot.groups.emplace_back("several operators");
    for (std::size_t i = 0; i < rows_.size(); ++i) add(i);
    for (std::size_t level = 0; level < kLevels; ++level)
      plot.bars.insert(plot.bars.end(), levels_.at(level).begin(), levels_.at(level).end());
    plot.title = title();
    plot.note =
        "One rank's operators, one after the other; how the schedule overlaps them is in "
        "the timeline. Colours say what binds an operator.";
    return plot;
  }

 private:
  static double milliseconds(const OperatorRow& row) {
    return row.calls * row.node.time.total.value / kMilli;
  }

  void add(std::size_t i) {
    const OperatorRow& row = rows_[i];
    const double time = milliseconds(row);
    if (time <= 0.0) return;
    const std::string stage(model::name(row.node.stage));
    grow(0, "step", "step", time);
    grow(1, row.block, row.block, time);
    grow(2, row.block + "/" + stage, stage, time);
    levels_[3].push_back({.lane = 3,
                          .start = end_,
                          .length = time,
                          .group = static_cast<std::size_t>(row.node.time.bound),
                          .label = row.name,
                          .facts = facts(row),
                          .anchor = i < anchors_.size() ? anchors_[i] : ""});
    end_ += time;
  }

  void grow(std::size_t level, const std::string& key, const std::string& label, double time) {
    auto& bars = levels_.at(level);
    if (bars.empty() || keys_.at(level) != key) {
      bars.push_back({.lane = level, .start = end_, .group = kTogether, .label = label});
      keys_.at(level) = key;
    }
    bars.back().length += time;
  }

  static std::vector<Fact> facts(const OperatorRow& row) {
    const ops::OpCost& cost = row.cost;
    std::vector<Fact> out{{"share", share_text(row.share)},
                          {"calls", fmt::format("{:g}", row.calls)},
                          {"one call", format_seconds(row.node.time.total)},
                          {"at full peaks", format_seconds(row.node.time.ideal)},
                          {"work", format_si(cost.flops.value, "FLOP")},
                          {"memory", format_si(traffic(cost).value, "B")}};
    if (row.wire_bytes.value > 0.0) out.push_back({"wire", format_si(row.wire_bytes.value, "B")});
    out.push_back({"bound", std::string(timing::name(row.node.time.bound))});
    out.push_back({"evidence", std::string(hw::name(row.node.time.evidence))});
    return out;
  }

  std::string title() const {
    const auto longest = std::ranges::max_element(rows_, {}, &OperatorRow::share);
    if (longest == rows_.end()) return "Where the time goes";
    return say("Where the time goes: {} takes {} of {}", longest->name, share_text(longest->share),
               format_seconds(Seconds{end_ * kMilli}));
  }

  const std::vector<OperatorRow>& rows_;
  const std::vector<std::string>& anchors_;
  std::array<std::vector<LaneBar>, kLevels> levels_;
  std::array<std::string, kLevels> keys_;
  double end_ = 0.0;
};

}  // namespace

LanePlot step_timeline(const study::Answer& answer) { return Timeline{answer.model}.plot(); }

LanePlot time_flame(const std::vector<OperatorRow>& rows, const std::vector<std::string>& anchors) {
  return Flame{rows, anchors}.plot();
}

LanePlot memory_stack(const study::Scenario& scenario, const study::Answer& answer) {
  const std::vector<mapping::MemoryFootprint> memory = study::class_memory(scenario, answer);
  const auto gib = [](Bytes bytes) { return bytes.value / kGibi; };
  LanePlot plot{.x = {.label = "memory of one GPU", .unit = "GiB", .min = 0.0},
                .lane_label = "rank class",
                .groups = {"weights", "KV cache", "activations", "buffers"}};
  double fullest = 0.0;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const mapping::MemoryFootprint& m = memory[i];
    const mapping::RankClass& ranks = answer.model.classes[i];
    plot.lanes.push_back(say("{} × {}", ranks.ranks, ranks.name));
    double end = 0.0;
    const std::array<Bytes, 4> parts{m.weights, m.kv(), m.activations, m.buffers};
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const double size = gib(parts.at(part));
      if (size <= 0.0) continue;
      const std::string share = share_text(parts.at(part) / m.available);
      plot.bars.push_back({.lane = i,
                           .start = end,
                           .length = size,
                           .group = part,
                           .label = plot.groups[part],
                           .facts = {{"of the GPU", share}}});
      end += size;
    }
    fullest = std::max(fullest, m.used() / m.available);
  }
  if (!memory.empty()) {
    const double available = gib(memory.front().available);
    plot.references = {{.kind = ReferenceKind::vertical,
                        .value = available,
                        .label = say("usable {} GiB", format_significant(available))}};
  }
  plot.title = say("The fullest GPU holds {} of its usable memory", share_text(fullest));
  return plot;
}

}  // namespace fathom::report
