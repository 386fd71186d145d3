#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "forms/form.hpp"

namespace fathom::forms::test {

inline DeviceFigures hopper() {
  return {.sm_count = 132,
          .memory_bandwidth = 3.35e12,
          .peak_bf16 = 989e12,
          .peak_fp8 = 1979e12,
          .peak_fp4 = 1979e12,
          .scale_up = 450e9,
          .scale_out = 50e9};
}

/// Parameters of a form by name, at their start values unless said otherwise.
class Params {
 public:
  Params(const Form& form, std::string_view group) : form_(&form), group_(group) {
    for (const ParamRange& range : form.ranges(group)) {
      names_.push_back(range.name);
      values_.push_back(range.start);
    }
  }
  Params& set(std::string_view name, double value) {
    const auto at = std::find(names_.begin(), names_.end(), name);
    values_.at(static_cast<std::size_t>(at - names_.begin())) = value;
    return *this;
  }
  double seconds(const std::vector<double>& shape, const DeviceFigures& device = hopper()) const {
    return form_->seconds(group_, values_, shape, device);
  }

 private:
  const Form* form_;
  std::string_view group_;
  std::vector<std::string_view> names_;
  std::vector<double> values_;
};

inline Params params(std::string_view family, std::string_view group) {
  return {form_of(family), group};
}

}  // namespace fathom::forms::test
