#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "measure/cases.hpp"

namespace fathom::measure {

enum class Suite : std::uint8_t {
  quick,     // a few shapes of every kernel, under a minute
  standard,  // DeepSeek-V3 and V2-Lite shapes, a few minutes
  full,      // ... at more row counts and context lengths
  micro      // small shapes of every kernel for `fathom calibrate`: a few milliseconds each
};
std::string_view name(Suite suite);
Suite parse_suite(std::string_view text);  // InputError naming the known ones

/// Cases whose data fit `memory_bytes`; what does not is named in `left_out`.
std::vector<KernelCase> suite_cases(Suite suite, std::int64_t memory_bytes,
                                    std::vector<std::string>* left_out = nullptr);

/// Those whose group or id contains one of `only`; InputError listing the groups when none does.
std::vector<KernelCase> select(std::vector<KernelCase> cases, const std::vector<std::string>& only);

/// Memory that preparing a case takes, weights twice: as drawn and as packed.
double memory_needed(const KernelCase& kernel);

}  // namespace fathom::measure
