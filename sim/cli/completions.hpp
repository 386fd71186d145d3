#pragma once

#include <string>
#include <string_view>

#include "cli/command_tree.hpp"

namespace fathom::cli {

// Scripts that know every verb, option and choice of `tree`, and ask `fathom __complete models` (or
// hardware, reports) for names when a key is pressed, so that new files are known at once.

/// For bash 4 or newer; needs no bash-completion package.
std::string bash_completions(const CommandTree& tree);
/// A #compdef file for a folder of $fpath.
std::string zsh_completions(const CommandTree& tree);
/// For fish 3 or newer.
std::string fish_completions(const CommandTree& tree);

/// What `fathom __complete` calls the names of this kind; empty for a kind without any.
std::string_view name_list(ValueKind kind);

/// The text as one word between single quotes, as bash and zsh read it.
std::string single_quoted(std::string_view text);

}  // namespace fathom::cli
