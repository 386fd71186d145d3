#include "study/trade_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "infer/serving_point.hpp"
#include "lang/say.hpp"
#include "model/params.hpp"
#include "model/tensors.hpp"
#include "study/standard_plan.hpp"

namespace fathom::study {
namespace {

using lang::say;

double real(std::int64_t value) { return static_cast<double>(value); }

struct CoreCost {
  Flops flops;
  Bytes kv;
};

bool is_core(const ops::Op& op) {
  return std::holds_alternative<ops::Attention>(op) ||
         std::holds_alternative<ops::LatentAttention>(op) ||
         std::holds_alternative<ops::LinearAttention>(op);
}

template <class Nodes>
CoreCost core_cost(const std::vector<model::Block>& blocks, const Nodes& nodes) {
  CoreCost sum;
  for (const model::Block& block : blocks) {
    for (int i = block.begin; i < block.end; ++i) {
      const ops::Op& op = nodes[static_cast<std::size_t>(i)].op;
      if (!is_core(op)) continue;
      const ops::OpCost cost = ops::cost(op);
      sum.flops += block.repeat * cost.flops;
      sum.kv += block.repeat * (cost.kv_read + cost.kv_write);
    }
  }
  return sum;
}

FlopsPerByte intensity(const CoreCost& cost) {
  return cost.kv.value > 0.0 ? cost.flops / cost.kv : FlopsPerByte{};
}

// What a device with perfect kernels and a perfect network would need: arithmetic and memory of the
// whole step overlap completely. Stages of a pipeline count as balanced, so a rank does every
// layer's work on one piece of the batch per step.
struct IdealStep {
  Seconds compute;
  Seconds memory;
};
IdealStep ideal_step(const infer::StepModel& m) {
  const double micro = m.plan.two_batch_overlap ? 2.0 : 1.0;
  const hw::DeviceProfile& device = m.cluster.device;
  IdealStep sum;
  for (const model::Block& block : m.mapped.blocks) {
    for (int i = block.begin; i < block.end; ++i) {
      const mapping::MappedNode& node = m.mapped.nodes[static_cast<std::size_t>(i)];
      if (ops::is_communication(node.op)) continue;
      const bool once = node.stage == model::Stage::head || node.stage == model::Stage::embed;
      const double calls = block.repeat * (once ? 1.0 : micro);
      const ops::OpCost cost = ops::cost(node.op);
      FlopsPerSecond peak = device.peak_of(cost.math);
      if (peak.value <= 0.0) peak = device.peak_of(Math::bf16);
      if (peak.value > 0.0) sum.compute += calls * (cost.flops / peak);
      sum.memory += calls * (traffic(cost) / device.memory_bandwidth);
    }
  }
  return sum;
}

// What bounds the attention core that takes longest.
std::optional<timing::Bound> core_bound(const infer::StepModel& m) {
  std::optional<timing::Bound> bound;
  Seconds longest;
  for (std::size_t i = 0; i < m.mapped.nodes.size(); ++i) {
    const timing::OpTime& time = m.timed.nodes[i].time;
    if (!is_core(m.mapped.nodes[i].op) || time.total <= longest) continue;
    longest = time.total;
    bound = time.bound;
  }
  return bound;
}

void decode_at(infer::StepModel& m, const TradeRequest& request, TradePoint& point) {
  const double devices = real(mapping::devices(m.plan));
  const double context = real(point.context_tokens);
  const double fit = sequences_that_fit(m.arch, m.cluster, m.plan, m.options, context);
  point.max_sequences_per_device = fit * real(m.plan.dp) / devices;
  const double wanted = request.sequences_per_device * devices;
  const double sequences = wanted > 0.0 ? wanted : fit * real(m.plan.dp);
  if (sequences <= 0.0) return;
  const auto outcome = infer::decode(m, {.sequences = sequences, .context_tokens = context});
  const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
  if (estimate == nullptr) return;  // the batch asked for is larger than what fits
  const IdealStep ideal = ideal_step(m);
  point.sequences_per_device = sequences / devices;
  point.ideal_step = std::max(ideal.compute, ideal.memory);
  point.ideal_memory_bound = ideal.memory > ideal.compute;
  point.ideal_per_device = Tokens{sequences} / point.ideal_step / devices;
  point.tpot = estimate->latency;
  point.per_device = estimate->per_device;
}

void prefill_at(infer::StepModel& m, TradePoint& point) {
  const auto outcome = infer::prefill(m, {.prompts = real(m.plan.dp),
                                          .prompt_tokens = real(point.context_tokens),
                                          .chunk_tokens = kTradeChunk});
  const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
  if (estimate == nullptr) return;  // the prompt's cache is larger than the memory
  point.ttft = estimate->latency;
  point.prefill_per_device = estimate->per_device;
}

bool part_of_attention(model::Part part) {
  return part == model::Part::attention || part == model::Part::indexer ||
         part == model::Part::compressor;
}

void count(const model::ArchSpec& arch, TradeRow& row) {
  const model::ParamCount params = model::count_params(arch);
  row.parameters = params.total_main;
  row.activated_parameters = params.activated_main_incl_embedding_and_head;
  for (const model::Tensor& tensor : model::all_tensors(arch)) {
    if (tensor.in_mtp || !tensor.parameter || !part_of_attention(tensor.part)) continue;
    row.attention_parameters += model::layer_count(arch, tensor.kind) * tensor.elements();
  }
}

std::string kinds_of(const model::ArchSpec& arch) {
  std::vector<std::string> kinds;
  for (const int kind : arch.layers) {
    const auto& attention = arch.kinds[static_cast<std::size_t>(kind)].attention;
    const std::string name(model::kind_name(attention));
    if (std::ranges::find(kinds, name) == kinds.end()) kinds.push_back(name);
  }
  return fmt::format("{}", fmt::join(kinds, ", "));
}

TradeFormat format_of(const model::ArchSpec& arch, const std::string& name,
                      const model::KvLayout& layout) {
  TradeFormat out{.name = name, .growth_per_token = model::kv_growth_per_token(arch, layout)};
  for (const int kind : arch.layers) {
    const model::LayerKv kv =
        model::layer_kv(arch.kinds[static_cast<std::size_t>(kind)].attention, layout);
    out.constant += kv.constant + kv.per_token * real(kv.cap_tokens);
  }
  return out;
}

// The requested layout first, then those that serving stacks have for this kind of cache.
std::vector<TradeFormat> formats_of(const model::ArchSpec& arch, const std::string& asked) {
  bool latent = false;
  bool indexed = false;
  for (const model::LayerSpec& layer : arch.kinds) {
    const auto* mla = std::get_if<model::MlaSpec>(&layer.attention);
    const auto* compressed = std::get_if<model::CompressedSpec>(&layer.attention);
    latent = latent || mla != nullptr || compressed != nullptr;
    indexed = indexed || (mla != nullptr && mla->indexer.index_topk > 0) ||
              (compressed != nullptr && compressed->indexer.index_topk > 0);
  }
  std::vector<std::string> names{"bf16", "fp8", "nvfp4"};
  if (latent) names.insert(names.end() - 1, "fp8_mla");
  if (indexed) names.insert(names.end() - 1, "fp8_mla+index-fp4");
  std::erase(names, asked);
  names.insert(names.begin(), asked);
  std::vector<TradeFormat> out;
  out.reserve(names.size());
  for (const std::string& name : names) {
    out.push_back(format_of(arch, name, model::parse_kv_layout(name, "kv")));
  }
  return out;
}

// Fills row.plan or row.infeasible.
void choose_plan(const TradeSubject& subject, const TradeSetting& s,
                 const std::optional<mapping::Plan>& plan, TradeRow& row) {
  const model::ArchSpec& arch = subject.model.arch;
  if (plan) {
    if (auto reason = mapping::infeasible(arch, *plan, s.cluster)) {
      row.infeasible = *reason;
    } else {
      row.plan = plan;
    }
    return;
  }
  const double context = context_to_hold(arch, s.request);
  row.plan = smallest_plan(arch, s.cluster, options_for(arch, s.layout), context);
  if (!row.plan) {
    row.infeasible = say("no standard plan holds a sequence of {:.0f} tokens", context);
  }
}

}  // namespace

model::LowerOptions options_for(const model::ArchSpec& arch, const model::KvLayout& layout) {
  model::LowerOptions options{.precision = model::default_precision(arch)};
  options.precision.kv = layout;
  return options;
}

double context_to_hold(const model::ArchSpec& arch, const TradeRequest& request) {
  std::int64_t longest = request.contexts.front();
  for (const std::int64_t tokens : request.contexts) {
    const std::int64_t limit = arch.max_position_embeddings;
    if (limit == 0 || tokens <= limit) longest = tokens;
  }
  return real(longest);
}

RowAndNotes make_row(const TradeSubject& subject, const TradeSetting& s,
                     const std::optional<mapping::Plan>& plan) {
  const model::ArchSpec& arch = subject.model.arch;
  RowAndNotes out;
  TradeRow& row = out.row;
  row.label = subject.label;
  row.attention = kinds_of(arch);
  row.exchanged = subject.exchanged;
  row.cache_only = arch.kv_cache_only;
  row.max_position_embeddings = arch.max_position_embeddings;
  row.formats = formats_of(arch, s.request.kv);
  for (const std::int64_t tokens : s.request.contexts) {
    row.points.push_back(
        {.context_tokens = tokens,
         .beyond_limit = arch.max_position_embeddings > 0 && tokens > arch.max_position_embeddings,
         .kv_per_sequence = model::kv_bytes_per_sequence(arch, s.layout, tokens)});
  }
  if (arch.kv_cache_only) {
    row.infeasible = "its file describes nothing but the cache";
    return out;
  }
  count(arch, row);
  const auto flops = model::decode_flops_json(arch, s.request.contexts);
  for (TradePoint& point : row.points) {
    const auto& at = flops.at(std::to_string(point.context_tokens));
    point.flops_per_token = Flops{at.at("fp8_equiv").get<double>()};
  }
  const double shortest = real(s.request.contexts.front());
  row.core_intensity = core_intensity(arch, s.layout, shortest);
  choose_plan(subject, s, plan, row);
  if (!row.plan) return out;
  infer::StepModel m =
      infer::make_step_model(arch, s.cluster, *row.plan, options_for(arch, s.layout), &out.notes);
  infer::evaluate(m, {.groups = {{real(row.plan->dp), 1.0, shortest}}});
  row.rank_intensity = intensity(core_cost(m.mapped.blocks, m.mapped.nodes));
  row.weights_per_device = *std::ranges::max_element(m.weights);
  for (TradePoint& point : row.points) {
    decode_at(m, s.request, point);
    if (!row.core_bound && point.sequences_per_device > 0.0) row.core_bound = core_bound(m);
  }
  for (TradePoint& point : row.points) prefill_at(m, point);
  return out;
}

FlopsPerByte core_intensity(const model::ArchSpec& arch, const model::KvLayout& layout,
                            double context_tokens, double query_tokens) {
  model::LowerOptions options = options_for(arch, layout);
  options.mla = model::MlaForm::absorbed;
  const double prefix = std::max(0.0, context_tokens - query_tokens);
  const model::OpGraph graph =
      model::lower(arch, {.groups = {{1.0, query_tokens, prefix}}}, options);
  return intensity(core_cost(graph.blocks, graph.nodes));
}

}  // namespace fathom::study
