#pragma once

// The one header that includes a formatting library: a template cannot hide it.
#include <fmt/core.h>

#include <string>
#include <utility>

#include "lang/language.hpp"

namespace fathom::lang {

/// fmt::format in the language spoken. The English template is checked against the arguments by the
/// compiler, its translation against the template by a test; a translation reorders arguments by
/// number ({1} before {0}). `english` has to be a literal, or the test cannot see it.
template <class... Args>
std::string say(fmt::format_string<Args...> english, Args&&... args) {
  const fmt::string_view form = english;
  const std::string_view spoken_form = tr({form.data(), form.size()});
  return fmt::vformat(fmt::string_view(spoken_form.data(), spoken_form.size()),
                      fmt::make_format_args(args...));
}

}  // namespace fathom::lang
