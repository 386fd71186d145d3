#pragma once

#include <filesystem>
#include <string_view>

#include "calib/sheet.hpp"

namespace fathom::calib {

/// Where a table of alibaba/InferSim's bench_data lies: KIND[/PHASE]/DEVICE/NAME.csv.
struct InfersimTable {
  std::string kind;   // gemm, grouped_gemm, mha, mla
  std::string phase;  // decode, prefill; empty for gemm
  std::string device;
  std::string stem;  // data, or the head layout: 64-8-128
};

/// From a path below bench_data; false for a table that no form covers (dsa, gdn).
bool parse_infersim_path(const std::filesystem::path& below, InfersimTable& table);

/// Adds all rows of the table; latencies are microseconds.
void read_infersim(const std::filesystem::path& path, std::string_view shown,
                   const InfersimTable& table, const forms::DeviceFigures& device, Sheet& sheet);

}  // namespace fathom::calib
