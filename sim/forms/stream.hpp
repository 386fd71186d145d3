#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Kernels that stream rows: mhc (hyper-connection mixing of DeepSeek-V4).
std::vector<Form> stream_forms();

}  // namespace fathom::forms
