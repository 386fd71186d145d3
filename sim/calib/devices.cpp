#include "calib/devices.hpp"

#include <algorithm>
#include <array>

#include "core/data_dir.hpp"

namespace fathom::calib {
namespace {

struct Alias {
  std::string_view name;
  std::string_view profile;
};

// Folder names of aiconfigurator's systems/, and the short names people type.
constexpr std::array<Alias, 15> kAliases{{{"h100_sxm", "h100-sxm"},
                                          {"h100", "h100-sxm"},
                                          {"h200_sxm", "h200"},
                                          {"h20_sxm", "h20"},
                                          {"h800_sxm", "h800"},
                                          {"b200_sxm", "b200"},
                                          {"b300_sxm", "b300"},
                                          {"gb200", "gb200-nvl72"},
                                          {"gb200_sxm", "gb200-nvl72"},
                                          {"gb300", "gb300-nvl72"},
                                          {"gb300_sxm", "gb300-nvl72"},
                                          {"a100_sxm", "a100-sxm"},
                                          {"a100", "a100-sxm"},
                                          {"rtx_pro_6000", "rtx-pro-6000"},
                                          {"rtx_pro_6000_server", "rtx-pro-6000"}}};

double first_known(std::initializer_list<double> peaks) {
  for (const double peak : peaks) {
    if (peak > 0.0) return peak;
  }
  return 0.0;
}

}  // namespace

forms::DeviceFigures device_figures(const hw::Cluster& cluster) {
  const hw::DeviceProfile& device = cluster.device;
  const double bf16 =
      first_known({device.peak_of(Math::bf16).value, device.peak_of(Math::fp32).value});
  const double fp8 = first_known({device.peak_of(Math::fp8).value, bf16});
  // Profiles without a count of compute units (CPUs): one, which switches wave effects off.
  return {
      .sm_count = std::max(1.0, device.sm_count),
      .memory_bandwidth = device.memory_bandwidth.value,
      .peak_bf16 = bf16,
      .peak_fp8 = fp8,
      .peak_fp4 = first_known({device.peak_of(Math::fp4).value, fp8}),
      .scale_up = cluster.tiers.empty() ? 0.0 : cluster.tiers.front().bandwidth.value,
      .scale_out =
          cluster.tiers.empty()
              ? 0.0
              : cluster.tiers[std::min<std::size_t>(1, cluster.tiers.size() - 1)].bandwidth.value};
}

std::string profile_of(std::string_view device) {
  for (const Alias& alias : kAliases) {
    if (alias.name == device) return std::string{alias.profile};
  }
  return std::string{device};
}

bool is_known_device(std::string_view device) {
  const auto names = list_data_files("hwprofiles");
  return std::find(names.begin(), names.end(), profile_of(device)) != names.end();
}

}  // namespace fathom::calib
