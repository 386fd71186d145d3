#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace fathom::cli {

/// What a shell offers where a value is expected.
enum class ValueKind : std::uint8_t {
  none,
  text,
  choice,
  model,
  hardware,
  report,
  file,
  directory
};

/// An option or a positional argument, as its declaration describes it.
struct CommandOption {
  std::vector<std::string> names;  ///< "-o", "--output"; of a positional its one name, undashed
  bool positional = false;
  bool required = false;
  bool many = false;  ///< a positional that takes all that follow
  bool list = false;  ///< a comma-separated value
  bool repeatable = false;
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices;  ///< of kind choice; others may be allowed too
  std::string metavar;               ///< "FILE", "N [0]"; empty for a flag
  std::string description;
  std::string group;  ///< heading of --help
  bool operator==(const CommandOption&) const = default;
};

/// A verb with its options in the order of --help.
struct Command {
  std::string name;
  std::string description;
  std::string group;
  std::vector<CommandOption> options;
  std::string footer;  ///< examples and notes
  bool operator==(const Command&) const = default;
};

/// The whole command line: what --help shows, completions offer and manual pages print.
struct CommandTree {
  Command program;  ///< options before a verb
  std::vector<Command> commands;
  std::string version;
  bool operator==(const CommandTree&) const = default;
};

/// Reads the declarations of the program. Hidden commands are left out.
CommandTree tree_of(const CLI::App& app);

/// "a, b or c", "{a,b,c}" or "a|b|c" as words; nothing when the text is not such a list. What
/// precedes ": " or follows ";" or " [" is not part of it.
std::vector<std::string> listed_words(std::string_view text);

/// A footer as its parts: paragraphs, the lines below "Examples:", what begins with "Exit code".
struct Footer {
  std::vector<std::string> paragraphs;
  std::vector<std::string> examples;
  std::vector<std::string> exit_codes;
  bool operator==(const Footer&) const = default;
};
Footer split_footer(std::string_view footer);

}  // namespace fathom::cli
