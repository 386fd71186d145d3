#pragma once

#include <string>

namespace fathom {

/// The processor this program runs on: its model name from /proc/cpuinfo, "unknown processor"
/// elsewhere.
std::string processor_model();

/// Model, instruction-set flags and cache sizes as one short word: what a calibration must share
/// with the machine that uses it. Conditions of the moment are left out.
std::string processor_fingerprint();

}  // namespace fathom
