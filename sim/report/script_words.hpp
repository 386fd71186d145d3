#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::report {

/// The literal first arguments of say("…") in a script (assets/say.js), in the order they stand.
std::vector<std::string> said_in(std::string_view script);

/// A script that gives say() the texts of `scripts` in the language spoken, and nothing in English.
std::string script_words(std::span<const std::string_view> scripts);

}  // namespace fathom::report
