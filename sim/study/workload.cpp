#include "study/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using enum WorkloadField;
using Field = WorkloadField;

constexpr double kMaxCount = 1e9;
constexpr double kMaxDrafts = 64.0;

struct Limits {
  std::string_view name;
  model::Phase phase;
  double min;
  double max;
};

constexpr std::array<Limits, kWorkloadFields> kFields{{
    {"sequences", model::Phase::decode, 1.0, kMaxCount},
    {"sequences_per_gpu", model::Phase::decode, 1e-6, kMaxCount},
    {"context_tokens", model::Phase::decode, 0.0, kMaxCount},
    {"draft_tokens", model::Phase::decode, 0.0, kMaxDrafts},
    {"acceptance", model::Phase::decode, 0.0, 1.0},
    {"reserve_tokens", model::Phase::decode, 0.0, kMaxCount},
    {"prompts", model::Phase::prefill, 1.0, kMaxCount},
    {"prompts_per_gpu", model::Phase::prefill, 1e-6, kMaxCount},
    {"prompt_tokens", model::Phase::prefill, 1.0, kMaxCount},
    {"cached_tokens", model::Phase::prefill, 0.0, kMaxCount},
    {"chunk_tokens", model::Phase::prefill, 0.0, kMaxCount},
}};

const Limits& limits(Field field) { return kFields[static_cast<std::size_t>(field)]; }

bool given(const WorkloadValues& values, Field field) { return !std::isnan(values[field]); }

double value_or_zero(const WorkloadValues& values, Field field) {
  return given(values, field) ? values[field] : 0.0;
}

std::optional<WorkloadError> out_of_range(const WorkloadValues& values, model::Phase phase) {
  for (std::size_t i = 0; i < kWorkloadFields; ++i) {
    const auto field = static_cast<Field>(i);
    if (!belongs_to(field, phase) || !given(values, field)) continue;
    if (auto text = out_of_limits(field, values[field])) return WorkloadError{field, *text};
  }
  return std::nullopt;
}

// `whole` of the instance, or `per_gpu` times its devices; exactly one of them.
std::optional<WorkloadError> wrong_count(const WorkloadValues& values, Field whole, Field per_gpu) {
  if (given(values, whole) && given(values, per_gpu)) {
    return WorkloadError{per_gpu, fmt::format("contradicts '{}'; give one of them", name(whole))};
  }
  if (given(values, whole) || given(values, per_gpu)) return std::nullopt;
  return WorkloadError{whole,
                       fmt::format("missing; expected '{}' or '{}'", name(whole), name(per_gpu))};
}

double count(const WorkloadValues& values, Field whole, Field per_gpu, std::int64_t devices) {
  return given(values, per_gpu) ? values[per_gpu] * static_cast<double>(devices) : values[whole];
}

std::optional<WorkloadError> required(const WorkloadValues& values, Field field) {
  if (given(values, field)) return std::nullopt;
  const Limits& l = limits(field);
  return WorkloadError{field,
                       fmt::format("missing; expected a number from {:g} to {:g}", l.min, l.max)};
}

std::optional<WorkloadError> beyond_limit(Field field, double tokens, const model::ArchSpec& arch) {
  const auto limit = static_cast<double>(arch.max_position_embeddings);
  if (limit <= 0.0 || tokens <= limit) return std::nullopt;
  return WorkloadError{field, fmt::format("{:.0f} tokens exceed max_position_embeddings = {} of {}",
                                          tokens, arch.max_position_embeddings, arch.name)};
}

std::optional<WorkloadError> wrong_decode(const WorkloadValues& v, const model::ArchSpec& arch) {
  if (auto error = wrong_count(v, sequences, sequences_per_gpu)) return error;
  if (auto error = required(v, context_tokens)) return error;
  const double drafts = value_or_zero(v, draft_tokens);
  if (drafts != std::trunc(drafts)) {
    return WorkloadError{draft_tokens, fmt::format("found {:g}, expected an integer", drafts)};
  }
  if (drafts > 0.0 && !given(v, acceptance)) {
    return WorkloadError{
        acceptance,
        "missing; with draft_tokens give the probability that a draft is accepted (0 to 1)"};
  }
  if (drafts == 0.0 && value_or_zero(v, acceptance) > 0.0) {
    return WorkloadError{acceptance, "needs draft_tokens >= 1"};
  }
  return beyond_limit(context_tokens, v[context_tokens] + 1.0 + value_or_zero(v, reserve_tokens),
                      arch);
}

std::optional<WorkloadError> wrong_prefill(const WorkloadValues& v, const model::ArchSpec& arch) {
  if (auto error = wrong_count(v, prompts, prompts_per_gpu)) return error;
  if (auto error = required(v, prompt_tokens)) return error;
  const double chunk = value_or_zero(v, chunk_tokens);
  if (chunk > 0.0 && chunk < 1.0) {
    return WorkloadError{
        chunk_tokens, fmt::format("found {:g}, expected 0 (whole prompts) or at least 1", chunk)};
  }
  if (value_or_zero(v, cached_tokens) >= v[prompt_tokens]) {
    return WorkloadError{cached_tokens, fmt::format("{:g} must be less than prompt_tokens = {:g}",
                                                    v[cached_tokens], v[prompt_tokens])};
  }
  return beyond_limit(prompt_tokens, v[prompt_tokens], arch);
}

}  // namespace

std::string_view name(WorkloadField field) { return limits(field).name; }

std::optional<WorkloadField> workload_field(std::string_view name) {
  for (std::size_t i = 0; i < kWorkloadFields; ++i) {
    if (kFields[i].name == name) return static_cast<Field>(i);
  }
  return std::nullopt;
}

std::optional<std::string> out_of_limits(WorkloadField field, double value) {
  const Limits& l = limits(field);
  if (value >= l.min && value <= l.max) return std::nullopt;
  return fmt::format("found {:g}, expected a number from {:g} to {:g}", value, l.min, l.max);
}

bool belongs_to(WorkloadField field, model::Phase phase) { return limits(field).phase == phase; }

WorkloadValues read_workload(JsonReader& in, model::Phase phase, bool partial) {
  WorkloadValues values;
  for (std::size_t i = 0; i < kWorkloadFields; ++i) {
    const Limits& l = kFields[i];
    const auto field = static_cast<Field>(i);
    const bool needed = !partial && (field == context_tokens || field == prompt_tokens);
    if (l.phase != phase || (!in.has(l.name) && !needed)) continue;
    values[field] =
        field == draft_tokens
            ? static_cast<double>(in.integer(l.name, 0, static_cast<std::int64_t>(l.max)))
            : in.number(l.name, l.min, l.max);
  }
  // Known to a reader that has not got them: a misspelt key is compared with these.
  for (const Limits& l : kFields) {
    if (l.phase == phase) in.ignore(l.name);
  }
  return values;
}

std::variant<Workload, WorkloadError> make_workload(const WorkloadValues& v, model::Phase phase,
                                                    std::int64_t devices,
                                                    const model::ArchSpec& arch) {
  if (auto error = out_of_range(v, phase)) return *std::move(error);
  if (phase == model::Phase::decode) {
    if (auto error = wrong_decode(v, arch)) return *std::move(error);
    return infer::DecodeQuery{
        .sequences = count(v, sequences, sequences_per_gpu, devices),
        .context_tokens = v[context_tokens],
        .draft_tokens = static_cast<std::int64_t>(value_or_zero(v, draft_tokens)),
        .acceptance = value_or_zero(v, acceptance),
        .reserve_tokens = value_or_zero(v, reserve_tokens)};
  }
  if (auto error = wrong_prefill(v, arch)) return *std::move(error);
  return infer::PrefillQuery{.prompts = count(v, prompts, prompts_per_gpu, devices),
                             .prompt_tokens = v[prompt_tokens],
                             .cached_tokens = value_or_zero(v, cached_tokens),
                             .chunk_tokens = value_or_zero(v, chunk_tokens)};
}

}  // namespace fathom::study
