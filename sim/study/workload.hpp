#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "infer/serving_point.hpp"
#include "model/arch_spec.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// The fields of a scenario's "workload", all of them numbers.
enum class WorkloadField : std::uint8_t {
  sequences,  // decode …
  sequences_per_gpu,
  context_tokens,
  draft_tokens,
  acceptance,
  reserve_tokens,
  prompts,  // prefill …
  prompts_per_gpu,
  prompt_tokens,
  cached_tokens,
  chunk_tokens
};
inline constexpr std::size_t kWorkloadFields = 11;
std::string_view name(WorkloadField field);
std::optional<WorkloadField> workload_field(std::string_view name);
/// What is wrong with a value, whatever the others are.
std::optional<std::string> out_of_limits(WorkloadField field, double value);
/// Whether a phase has the field.
bool belongs_to(WorkloadField field, model::Phase phase);

/// Their values; NaN: not given.
struct WorkloadValues {
  std::array<double, kWorkloadFields> value;
  WorkloadValues() { value.fill(std::numeric_limits<double>::quiet_NaN()); }
  double& operator[](WorkloadField field) { return value[static_cast<std::size_t>(field)]; }
  double operator[](WorkloadField field) const { return value[static_cast<std::size_t>(field)]; }
};

/// What is wrong with a workload: "expected …", to be put behind the field.
struct WorkloadError {
  WorkloadField field = WorkloadField::sequences;
  std::string text;
};

using Workload = std::variant<infer::DecodeQuery, infer::PrefillQuery>;

/// The workload object of a scenario, with each value inside its own limits (InputError). A partial
/// one may lack what a phase needs: somebody adds it.
WorkloadValues read_workload(JsonReader& in, model::Phase phase, bool partial = false);

/// The question that the values ask of an instance of `devices`; values of the other phase are not
/// looked at. Checked in full: ranges, contradictions, the model's context limit. Allocates for
/// errors only.
std::variant<Workload, WorkloadError> make_workload(const WorkloadValues& values,
                                                    model::Phase phase, std::int64_t devices,
                                                    const model::ArchSpec& arch);

}  // namespace fathom::study
