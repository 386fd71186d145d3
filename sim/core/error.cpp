#include "core/error.hpp"

#include <fmt/format.h>

namespace fathom {

void fail_expectation(const char* condition, const char* message, const char* file, int line) {
  throw BugError(
      fmt::format("{}:{}: {} (expected {}); please report this", file, line, message, condition));
}

}  // namespace fathom
