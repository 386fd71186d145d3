#pragma once
// Consistency rules of a system profile. Private to hw: cluster.hpp declares check().

#include <array>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"

namespace fathom::hw {

/// Which peaks carry a note that explains an unusual value.
using NotedPeaks = std::array<bool, kMathCount>;

/// InputError if the device contradicts itself; `where` is the pointer of the device object.
void expect_consistent(const DeviceProfile& device, const NotedPeaks& noted,
                       std::string_view where);
/// InputError if the tiers are not an ordered list of ever larger groups.
void expect_nested(const std::vector<LinkTier>& tiers, std::string_view where);

}  // namespace fathom::hw
