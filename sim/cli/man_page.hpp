#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_tree.hpp"

namespace fathom::cli {

/// fathom(1): the verbs by group, exit codes, files and environment. Roff of the man macros.
std::string man_page(const CommandTree& tree);
/// fathom-VERB(1).
std::string man_page(const CommandTree& tree, const Command& command);

/// What manual pages say beyond the help, for its translators.
std::vector<std::string> man_texts();

/// Text as roff shows it literally: what begins a request or an escape loses its meaning,
/// characters beyond ASCII become \[uXXXX].
std::string roff_text(std::string_view text);

}  // namespace fathom::cli
