#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_tree.hpp"

namespace fathom::cli {

/// A text of the help as the catalogue knows it: on one line, whatever line it was broken into.
std::string flowed(std::string_view text);

/// A description in the language spoken, on one line; as written in English.
std::string spoken_line(std::string_view text);

/// A description, or a block of a footer, in the language spoken, with lines of its own; as written
/// in English. Under "Examples:" commands stay and remarks (after two or more blanks) are spoken,
/// in a list with hanging lines ("fp8      error of …") the names stay.
std::string spoken_text(std::string_view text);

/// Every block of a footer so.
std::string spoken_footer(std::string_view footer);

/// A line of an example.
std::string spoken_example(std::string_view line);

/// What is spoken of the whole command line, each text once, in the order of --help.
std::vector<std::string> help_texts(const CommandTree& tree);

}  // namespace fathom::cli
