#pragma once

#include <string>

#include "core/error.hpp"

namespace fathom::test {

/// What the user would read; "no error" when nothing is thrown.
template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace fathom::test
