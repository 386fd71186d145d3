#pragma once

#include <string>

namespace fathom {

/// What the operating system says about an errno value, in lower case: "permission denied".
std::string system_message(int error);

}  // namespace fathom
