#pragma once

#include <stdexcept>
#include <string>

namespace fathom {

/// A mistake in what the user gave us: one line, `file#/pointer: found; expected`. Caught in main
/// only (exit code 2).
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A mistake of ours (exit code 1). Thrown by FATHOM_EXPECT.
class BugError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_expectation(const char* condition, const char* message, const char* file,
                                   int line);

}  // namespace fathom

// A macro because std::source_location is missing in clang 14.
#define FATHOM_EXPECT(condition, message)                                                  \
  do {                                                                                     \
    if (!(condition)) ::fathom::fail_expectation(#condition, message, __FILE__, __LINE__); \
  } while (false)
