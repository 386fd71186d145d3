#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::calib {

/// One measured kernel time with everything that fitting, cross-validation and smoothing take.
struct Measurement {
  std::string group;           // sub-fit: dtype and kernel ("fp8_block", "bf16/kv_fp8")
  std::string transfer_group;  // sub-fit that another device shares; usually `group`
  std::string slice;           // rows of one slice go to one fold, on every device
  std::string labels;          // label columns that a neighbour must share (kernel, op, model …)
  std::vector<double> shape;   // in the order of the form's columns
  std::vector<double> exact;   // numbers that a table would match exactly (weighted when smoothing)
  std::vector<double> axes;    // numbers that a table would interpolate
  double latency_s = 0.0;
  double size = 0.0;    // work, for small-to-large extrapolation
  double roof_s = 0.0;  // roofline time with default efficiencies, no launch cost
  std::int64_t line = 0;
  std::string flag;  // why it is not fitted; empty: it is
  bool operator==(const Measurement&) const = default;
};

/// All rows of one family on one device and stack.
struct Dataset {
  std::string family;  // forms::Form::family
  std::string device;  // profile of hwprofiles/, "h100"
  std::string stack;   // "TensorRT-LLM 1.0", as far as known
  std::string file;    // where from, as shown
  std::vector<Measurement> rows;
};

}  // namespace fathom::calib
