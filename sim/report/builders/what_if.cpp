#include "report/builders/what_if.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_io.hpp"
#include "lang/say.hpp"
#include "report/builders/decode_instance.hpp"
#include "whatif/estimate_json.hpp"
#include "whatif/self_contained.hpp"

namespace fathom::report {
namespace {

using lang::say;
using nlohmann::json;
using study::Scenario;

constexpr double kGiga = 1e9;
constexpr double kGiB = 1073741824.0;
// Second-token acceptance that the DeepSeek-V3 report (arXiv 2412.19437, section 5.4.3) gives: 85
// to 90 %.
constexpr double kUsualAcceptance = 0.85;
// Without a limit in the model's configuration: the longest contexts that models advertise.
constexpr double kLongestContext = 1048576.0;

const std::vector<double> kFactors{0.25, 0.33, 0.5, 0.6, 0.7,  0.8, 0.9, 1.0, 1.1,
                                   1.2,  1.3,  1.4, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0};
const std::vector<double> kPrices{0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0,  2.5,  3.0,
                                  3.5,  4.0, 4.5,  5.0, 6.0,  7.0, 8.0,  10.0, 12.0, 15.0};

// 1, 2, 3, 4, 6, 8, 12, …: half an octave or less apart, whole.
std::vector<double> octaves(double from, double to) {
  std::vector<double> out;
  for (double step = 1.0; step <= to; step *= 2.0) {
    if (step >= from) out.push_back(step);
    if (step >= 2.0 && step * 1.5 >= from && step * 1.5 <= to) out.push_back(step * 1.5);
  }
  return out;
}

WhatIfSlider slider(std::string pointer, std::string label, std::string unit,
                    std::vector<double> stops, std::optional<double> value) {
  if (value) stops.push_back(*value);
  std::ranges::sort(stops);
  const auto same = std::ranges::unique(stops);
  stops.erase(same.begin(), same.end());
  return {.pointer = std::move(pointer),
          .label = std::move(label),
          .unit = std::move(unit),
          .stops = std::move(stops),
          .value = value};
}

struct Inputs {
  const Scenario& scenario;
  const infer::InferEstimate& estimate;
  std::vector<WhatIfSlider> out;

  double devices() const { return static_cast<double>(estimate.devices); }

  // A little beyond what fits, to see why it does not.
  double most(double sequences) const {
    const double fit = estimate.memory.max_sequences() * static_cast<double>(scenario.plan.dp);
    return 2.0 * std::max(sequences, std::min(fit, 64.0 * sequences));
  }

  void add_batch(const std::string& key, const std::string& what, double sequences) {
    const double each = sequences / devices();
    const bool per_device = each >= 1.0 && each == std::floor(each);
    const double divisor = per_device ? devices() : 1.0;
    out.push_back(slider("/workload/" + key + (per_device ? "_per_gpu" : ""), what,
                         per_device ? "per GPU" : "of the instance",
                         octaves(1.0, most(sequences) / divisor), sequences / divisor));
  }

  void add_tokens(const std::string& key, const std::string& label, double value, double least,
                  double most) {
    std::vector<double> stops = octaves(std::max(least, 128.0), most);
    if (least <= 0.0) stops.push_back(0.0);
    out.push_back(slider("/workload/" + key, label, "tokens", std::move(stops), value));
  }

  double longest() const {
    const auto limit = static_cast<double>(scenario.model.arch.max_position_embeddings);
    return limit > 0.0 ? limit : kLongestContext;
  }

  void operator()(const infer::DecodeQuery& q) {
    add_batch("sequences", "Sequences", q.sequences);
    add_tokens("context_tokens", "Context", q.context_tokens, 1.0,
               longest() - 1.0 - q.reserve_tokens);
    if (scenario.model.arch.mtp_kind == model::MtpKind::none) return;
    const auto drafts = static_cast<double>(q.draft_tokens);
    std::vector<double> counts;
    for (double k = 0.0; k <= std::max(4.0, drafts); k += 1.0) counts.push_back(k);
    out.push_back(
        slider("/workload/draft_tokens", "Drafts", "per step", std::move(counts), drafts));
    std::vector<double> shares;
    for (int percent = 0; percent <= 100; percent += 5) shares.push_back(percent / 100.0);
    out.push_back(slider("/workload/acceptance", "Acceptance", "of drafts", std::move(shares),
                         q.draft_tokens > 0 ? q.acceptance : kUsualAcceptance));
    out.back().needs = "/workload/draft_tokens";
  }

  void operator()(const infer::PrefillQuery& q) {
    add_batch("prompts", "Prompts", q.prompts);
    add_tokens("prompt_tokens", "Prompt", q.prompt_tokens, 1.0, longest());
    add_tokens("cached_tokens", "of it cached", q.cached_tokens, 0.0, longest());
    add_tokens("chunk_tokens", "Chunk (0: whole prompt)", q.chunk_tokens, 0.0, longest());
  }

  void add_factor(const std::string& key, const std::string& label, double factor,
                  BytesPerSecond changed) {
    out.push_back(
        slider("/hardware_change/" + key + "_bandwidth_factor", label, "×", kFactors, factor));
    out.back().whole = changed.value / factor / kGiga;
    out.back().whole_unit = "GB/s";
  }

  void add_machine() {
    const hw::Cluster& c = scenario.cluster;
    const study::HardwareChange& change = scenario.change;
    add_factor("memory", "Memory bandwidth", change.memory_bandwidth, c.device.memory_bandwidth);
    const bool inside = estimate.devices > 1 && !c.tiers.empty();
    if (inside) {
      add_factor("scale_up", "Scale-up links", change.scale_up_bandwidth,
                 c.tiers.front().bandwidth);
    }
    if (inside && c.tiers.size() > 1 && estimate.devices > c.tiers.front().group) {
      add_factor("scale_out", "Scale-out links", change.scale_out_bandwidth,
                 c.tiers.back().bandwidth);
    }
    const double price = c.price.per_device_hour.value;
    out.push_back(slider("/hardware_change/usd_per_device_hour", "Price", "USD per GPU hour",
                         kPrices, price > 0.0 ? std::optional(price) : std::nullopt));
  }
};

std::vector<WhatIfFigure> figures_of(const json& answer, bool decode) {
  std::vector<WhatIfFigure> out;
  const auto add = [&](const char* pointer, const char* label, const char* unit, double scale) {
    const json::json_pointer at{pointer};
    out.push_back({.pointer = pointer, .label = label, .unit = unit, .scale = scale});
    if (answer.contains(at)) out.back().value = answer[at].get<double>();
  };
  if (decode) {
    add("/estimate/tpot_s", "TPOT", "ms", 1e3);
    add("/estimate/tokens_per_s_per_user", "speed", "tokens/s/user", 1.0);
  } else {
    add("/estimate/ttft_s", "TTFT", "ms", 1e3);
  }
  add("/estimate/tokens_per_s_per_device", "throughput", "tokens/s/GPU", 1.0);
  add("/cost/usd_per_million_tokens", "cost", "USD/Mtoken", 1.0);
  add("/estimate/step_latency_s", "step", "ms", 1e3);
  if (decode)
    add("/estimate/accepted_tokens_per_step", "output tokens", "per sequence and step", 1.0);
  add("/estimate/step/exposed_communication_s", "exposed communication", "ms", 1e3);
  add("/estimate/memory/kv_bytes", "KV cache", "GiB/GPU", 1.0 / kGiB);
  add("/estimate/memory/used_bytes", "memory used", "GiB/GPU", 1.0 / kGiB);
  add("/estimate/memory/max_sequences", "sequences that fit", "per replica", 1.0);
  return out;
}

}  // namespace

std::vector<Block> what_if_blocks(const json& document, const Scenario& scenario,
                                  const study::Answer& answer, const std::string& command) {
  std::vector<Block> out{Heading{.level = 2, .text = "What if"}};
  auto packed = whatif::self_contained(document, scenario);
  if (const auto* bound = std::get_if<whatif::Bound>(&packed)) {
    out.emplace_back(Note{NoteKind::info,
                          say("This scenario cannot be recomputed in a page: {}.", bound->reason)});
    return out;
  }
  auto& mine = std::get<whatif::SelfContained>(packed);
  const auto& estimate = std::get<infer::InferEstimate>(answer.outcome);
  Inputs inputs{scenario, estimate, {}};
  std::visit(inputs, scenario.workload);
  inputs.add_machine();
  WhatIf block{.scenario = std::move(mine.scenario),
               .document = dump_json(document),
               .command = command.empty() ? "fathom estimate what-if.json" : command,
               .needs_file = command.empty(),
               .sliders = std::move(inputs.out),
               .figures = figures_of(whatif::estimate_json(scenario, answer),
                                     estimate.phase == model::Phase::decode)};
  for (auto& file : mine.files) block.files.push_back({std::move(file.name), std::move(file.text)});
  out.emplace_back(std::move(block));
  return out;
}

std::vector<Block> what_if_blocks(const study::PlanResult& result) {
  json document;
  const auto instance = decode_instance(result, &document);
  if (!instance) return {};
  const auto& estimate = std::get<infer::InferEstimate>(instance->answer.outcome);
  std::vector<Block> out = what_if_blocks(document, instance->scenario, instance->answer, "");
  out.insert(out.begin() + 1,
             Paragraph{say("One decoding instance of the smallest cluster, {} of its {} "
                           "devices, at the batch that the plan runs.",
                           estimate.devices, study::smallest_cluster(result)->devices)});
  return out;
}

void insert_what_if(Document& page, std::vector<Block> blocks, const std::string& rest) {
  if (!rest.empty()) blocks.emplace_back(Heading{.level = 2, .text = rest});
  const auto key = std::ranges::find_if(page.blocks, [](const Block& block) {
    return std::holds_alternative<KeyFigures>(block.content);
  });
  const auto at = key == page.blocks.end() ? key : key + 1;
  page.blocks.insert(at, std::make_move_iterator(blocks.begin()),
                     std::make_move_iterator(blocks.end()));
}

}  // namespace fathom::report
