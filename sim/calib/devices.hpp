#pragma once

#include <string>
#include <string_view>

#include "forms/form.hpp"
#include "hw/cluster.hpp"

namespace fathom::calib {

/// What the forms need of a profile. A number format that the device cannot multiply runs at the
/// next wider one's peak.
forms::DeviceFigures device_figures(const hw::Cluster& cluster);

/// The profile that a published table's folder or device column means ("h100_sxm" is h100-sxm), or
/// the name itself.
std::string profile_of(std::string_view device);

/// Whether hwprofiles/ has the device, under its own or a published table's name.
bool is_known_device(std::string_view device);

}  // namespace fathom::calib
