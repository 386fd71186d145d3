#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Collectives inside one scale-up domain: nccl (by operation), custom_allreduce.
std::vector<Form> collective_forms();

}  // namespace fathom::forms
