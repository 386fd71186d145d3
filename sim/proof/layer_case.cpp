#include "proof/layer_case.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "core/error.hpp"
#include "measure/random_data.hpp"
#include "model/lower.hpp"
#include "proof/language_model.hpp"
#include "proof/mtp_module.hpp"

namespace fathom::proof {
namespace {

using measure::Bench;
using measure::KernelCase;
using measure::Runnable;

LayerShape shape_of(const StepCase& s) {
  return {.sequences = s.sequences,
          .new_tokens = s.new_tokens,
          .max_context = s.context,
          .prefill = s.prefill};
}

model::OpGraph graph_of(const model::ArchSpec& arch, const StepCase& s, std::int64_t drafts) {
  const model::StepShape step{
      .phase = s.prefill ? model::Phase::prefill : model::Phase::decode,
      .groups = {{static_cast<double>(s.sequences), static_cast<double>(s.new_tokens),
                  static_cast<double>(s.context)}},
      .draft_tokens = drafts};
  return model::lower(arch, step,
                      {.mla = s.prefill ? model::MlaForm::naive : model::MlaForm::absorbed,
                       .fused_elementwise = true});
}

const model::Block& block_of(const model::OpGraph& graph, int kind) {
  for (const model::Block& block : graph.blocks)
    if (block.kind == kind) return block;
  throw InputError{fmt::format("no block of kind {}", kind)};
}

void append(const model::OpGraph& graph, const model::Block& block, int times,
            std::vector<ops::Op>& out) {
  for (int i = 0; i < times; ++i)
    for (int n = block.begin; n < block.end; ++n)
      out.push_back(graph.nodes[static_cast<std::size_t>(n)].op);
}

std::vector<std::string_view> names(const model::OpGraph& graph, const model::Block& block) {
  std::vector<std::string_view> out;
  for (int n = block.begin; n < block.end; ++n)
    out.push_back(graph.nodes[static_cast<std::size_t>(n)].name);
  return out;
}

std::string id_of(std::string_view group, const std::string& name, const StepCase& s) {
  return fmt::format("{}/{}/{}/b={}/q={}/l={}", group, name, s.prefill ? "prefill" : "decode",
                     s.sequences, s.new_tokens, s.context);
}

// The numbers are checked in the tests, on small layers; here only that all of them are there.
double finite(std::span<const float> values) {
  for (const float value : values)
    if (!std::isfinite(value)) return INFINITY;
  return 0.0;
}

KernelCase empty_case(std::string_view group, const std::string& name, const StepCase& s) {
  KernelCase out;
  out.group = group;
  out.id = id_of(group, name, s);
  out.error_bound = 0.5;
  return out;
}

Runnable prepare_layer(const model::ArchSpec& arch, int kind, const StepCase& s,
                       const Bench& bench) {
  struct Data {
    Layer layer;
    kernels::cpu::Buffer<float> input, delta, stream;
  };
  const std::int64_t size = s.sequences * s.new_tokens * arch.hidden_size;
  const auto d = std::make_shared<Data>(
      Data{Layer{arch, arch.kinds[static_cast<std::size_t>(kind)], shape_of(s), bench},
           kernels::cpu::Buffer<float>{size}, kernels::cpu::Buffer<float>{size},
           kernels::cpu::Buffer<float>{size}});
  d->layer.fill_cache(s.context, bench.seed + 7);
  measure::fill_random(d->input.span(), 1.0F, bench.seed + 8);
  const auto run = [d, s] {
    std::copy(d->input.span().begin(), d->input.span().end(), d->delta.span().begin());
    std::fill(d->stream.span().begin(), d->stream.span().end(), 0.0F);
    d->layer.run(d->delta.data(), d->stream.data(), s.context, nullptr);
  };
  return {.run = run, .error = [d] { return finite(d->delta.span()); }, .cold = d->layer.cold()};
}

Runnable prepare_mtp(const model::ArchSpec& arch, const StepCase& s, const Bench& bench) {
  const auto d = std::make_shared<MtpModule>(arch, shape_of(s), bench);
  d->fill_cache(s.context, bench.seed + 7);
  return {.run = [d, s] { d->run(s.context, nullptr); },
          .error = [d] { return finite(d->logits()); },
          .cold = d->cold()};
}

Runnable prepare_model(const model::ArchSpec& arch, const StepCase& s, const Bench& bench) {
  const auto d = std::make_shared<LanguageModel>(arch, shape_of(s), bench);
  d->fill_cache(s.context, bench.seed + 7);
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < s.sequences * s.new_tokens; ++i)
    tokens.push_back(static_cast<std::int32_t>((i * 7919 + 1) % arch.vocab_size));
  return {.run = [d, s, tokens] { d->run(tokens, s.context); },
          .error = [] { return 0.0; },
          .cold = d->cold()};
}

}  // namespace

std::vector<std::string_view> layer_nodes(const model::ArchSpec& arch, int kind,
                                          const StepCase& step) {
  const model::OpGraph graph = graph_of(arch, step, 0);
  return names(graph, block_of(graph, kind));
}

std::vector<std::string_view> mtp_nodes(const model::ArchSpec& arch, const StepCase& step) {
  const model::OpGraph graph = graph_of(arch, step, 1);
  return names(graph, block_of(graph, model::kMtpBlock));
}

KernelCase layer_case(const std::string& name, const model::ArchSpec& arch, int kind,
                      const StepCase& s) {
  KernelCase out = empty_case("layer", name, s);
  const model::OpGraph graph = graph_of(arch, s, 0);
  append(graph, block_of(graph, kind), 1, out.ops);
  out.prepare = [arch, kind, s](const Bench& bench) { return prepare_layer(arch, kind, s, bench); };
  return out;
}

KernelCase mtp_case(const std::string& name, const model::ArchSpec& arch, const StepCase& s) {
  KernelCase out = empty_case("mtp", name, s);
  const model::OpGraph graph = graph_of(arch, s, 1);
  append(graph, block_of(graph, model::kMtpBlock), 1, out.ops);
  out.prepare = [arch, s](const Bench& bench) { return prepare_mtp(arch, s, bench); };
  return out;
}

KernelCase model_case(const std::string& name, const model::ArchSpec& arch, const StepCase& s) {
  KernelCase out = empty_case("model", name, s);
  const model::OpGraph graph = graph_of(arch, s, 0);
  for (const model::Block& block : graph.blocks)
    if (block.kind != model::kMtpBlock) append(graph, block, block.repeat, out.ops);
  out.prepare = [arch, s](const Bench& bench) { return prepare_model(arch, s, bench); };
  return out;
}

}  // namespace fathom::proof
