#pragma once

// The one header that includes a formatting library: a template cannot hide it.
#include <fmt/core.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lang/language.hpp"

namespace fathom::lang {

/// An argument as it is said: a word or a text the catalogue has, else what it is.
template <class T>
auto said(const T& argument)
    -> std::conditional_t<std::is_convertible_v<const T&, std::string_view>, std::string_view,
                          const T&> {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return tr(argument);
  } else {
    return argument;
  }
}

template <class... Args>
std::string filled(std::string_view form, const Args&... args) {
  return fmt::vformat(fmt::string_view(form.data(), form.size()), fmt::make_format_args(args...));
}

/// Chinese sets no space between two of its characters, nor beside its marks, whatever the template
/// had beside an argument; a text in English is as it was.
std::string tightened(std::string text);

/// fmt::format in the language spoken, words among the arguments included. The English template is
/// checked against the arguments by the compiler, its translation against the template by a test; a
/// translation reorders arguments by number ({1} before {0}). `english` has to be a literal, or the
/// test cannot see it.
template <class... Args>
std::string say(fmt::format_string<Args...> english, Args&&... args) {
  const fmt::string_view form = english;
  return tightened(filled(tr({form.data(), form.size()}), said(args)...));
}

/// One after the other, set apart as the language does it: "a, b, c" and "a; b; c".
std::string listed(const std::vector<std::string>& texts);
std::string clauses(const std::vector<std::string>& texts);

}  // namespace fathom::lang
