#include "infer/serving_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::infer {
namespace {

using lang::say;

Infeasible too_big(const StepModel& m, const mapping::MemoryFootprint& memory, std::size_t which) {
  const std::string& where = m.classes[which].name;
  if ((memory.weights + memory.activations + memory.buffers) > memory.available) {
    return {
        say("weights {} + activations {} + buffers {} exceed {} of device memory (rank class {})",
            format_bytes_binary(memory.weights), format_bytes_binary(memory.activations),
            format_bytes_binary(memory.buffers), format_bytes_binary(memory.available), where)};
  }
  const Bytes free = memory.available - memory.weights - memory.activations - memory.buffers;
  return {
      say("KV cache {} of {:g} sequences exceeds {} free beside weights (rank class {}); {:g} fit",
          format_bytes_binary(memory.kv()), std::ceil(memory.sequences), format_bytes_binary(free),
          where, memory.max_sequences())};
}

mapping::MemoryQuery memory_query(const StepModel& m, double sequences, double context, bool mtp) {
  // a pipeline stage keeps the caches of every piece in flight
  return {.sequences = std::ceil(sequences / static_cast<double>(m.plan.dp)),
          .context_tokens = context,
          .step_tokens = model::tokens(m.local),
          .mtp = mtp};
}

}  // namespace

double expected_accepted(std::int64_t draft_tokens, double acceptance) {
  double total = 0.0;
  double reached = 1.0;
  for (std::int64_t i = 0; i <= draft_tokens; ++i) {
    total += reached;
    reached *= acceptance;
  }
  return total;
}

mapping::MemoryFootprint tightest(const StepModel& m, const mapping::MemoryQuery& query,
                                  std::size_t* which) {
  mapping::MemoryFootprint worst;
  for (std::size_t i = 0; i < m.classes.size(); ++i) {
    mapping::MemoryQuery q = query;
    q.weights = query.mtp ? m.weights_mtp[i] : m.weights[i];
    const mapping::MemoryFootprint f =
        mapping::footprint(m.arch, m.plan, m.options.precision, m.cluster, m.classes[i], q);
    if (i != 0 && f.available - f.used() >= worst.available - worst.used()) continue;
    worst = f;
    if (which != nullptr) *which = i;
  }
  return worst;
}

InferOutcome decode(StepModel& m, const DecodeQuery& q) {
  if (q.draft_tokens > 0 && m.arch.mtp_kind == model::MtpKind::none) {
    return Infeasible{
        say("draft_tokens = {} but {} has no MTP module", q.draft_tokens, m.arch.name)};
  }
  thread_local model::StepShape step;  // reused: no allocation per point
  step.phase = model::Phase::decode;
  step.draft_tokens = q.draft_tokens;
  step.groups.assign(1, {q.sequences, 1.0 + static_cast<double>(q.draft_tokens), q.context_tokens});

  InferEstimate out;
  out.phase = model::Phase::decode;
  out.devices = mapping::devices(m.plan);
  out.step = evaluate(m, step);
  const double longest =
      q.context_tokens + 1.0 + static_cast<double>(q.draft_tokens) + q.reserve_tokens;
  out.memory =
      tightest(m, memory_query(m, q.sequences, longest, q.draft_tokens > 0), &out.memory_class);
  if (!out.memory.fits()) return too_big(m, out.memory, out.memory_class);
  out.accepted_tokens = expected_accepted(q.draft_tokens, q.acceptance);
  out.tokens_per_step = q.sequences * out.accepted_tokens;
  out.latency = out.step.cycle / out.accepted_tokens;
  out.per_user = Tokens{out.accepted_tokens} / out.step.cycle;
  out.per_device = Tokens{out.tokens_per_step} / out.step.cycle / static_cast<double>(out.devices);
  return out;
}

InferOutcome prefill(StepModel& m, const PrefillQuery& q) {
  thread_local model::StepShape step;
  step.phase = model::Phase::prefill;
  step.draft_tokens = 0;
  InferEstimate out;
  out.phase = model::Phase::prefill;
  out.devices = mapping::devices(m.plan);
  const double fresh = q.prompt_tokens - q.cached_tokens;
  const double chunk = q.chunk_tokens > 0.0 ? std::min(q.chunk_tokens, fresh) : fresh;
  Seconds pipeline;  // time for which the bottleneck stage is busy
  const auto chunks = static_cast<std::int64_t>(std::ceil(fresh / chunk));
  for (std::int64_t i = 0; i < chunks; ++i) {
    const double done = static_cast<double>(i) * chunk;
    step.groups.assign(1, {q.prompts, std::min(chunk, fresh - done), q.cached_tokens + done});
    out.step = evaluate(m, step);
    // chunks of one prompt follow each other through the pipeline; the last one pays the whole way
    out.latency += i + 1 < chunks ? out.step.cycle : out.step.latency;
    pipeline += out.step.cycle;
  }
  out.memory = tightest(m, memory_query(m, q.prompts, q.prompt_tokens, false), &out.memory_class);
  if (!out.memory.fits()) return too_big(m, out.memory, out.memory_class);
  out.tokens_per_step = q.prompts * fresh;
  out.per_device = Tokens{out.tokens_per_step} / pipeline / static_cast<double>(out.devices);
  return out;
}

nlohmann::json to_json(const InferEstimate& e) {
  nlohmann::json out{{"phase", e.phase == model::Phase::decode ? "decode" : "prefill"},
                     {"devices", e.devices},
                     {"step", timing::to_json(e.step.step)},
                     {"step_latency_s", e.step.latency.value},
                     {"step_cycle_s", e.step.cycle.value},
                     {"tokens_per_step", e.tokens_per_step},
                     {"tokens_per_s_per_device", e.per_device.value},
                     {"memory", mapping::to_json(e.memory)}};
  if (e.phase == model::Phase::decode) {
    out["tpot_s"] = e.latency.value;
    out["accepted_tokens_per_step"] = e.accepted_tokens;
    out["tokens_per_s_per_user"] = e.per_user.value;
  } else {
    out["ttft_s"] = e.latency.value;
  }
  return out;
}

}  // namespace fathom::infer
