#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completions.hpp"
#include "cli/help_text.hpp"

namespace fathom::cli {
namespace {

constexpr const char* kHead =
    R"fish(# fish completion of fathom, written by: fathom completions fish

# __fathom_names models|hardware|reports: names of the data folder.
function __fathom_names
    set -l program (commandline -opc)[1]
    $program __complete $argv[1] 2>/dev/null
end
# The words after what is typed up to its last comma.
function __fathom_list
    set -l typed (commandline -ct | string replace -r '^--?[^=]*=' '')
    set -l before (string replace -r '[^,]*$' '' -- $typed)
    for word in $argv
        echo $before$word
    end
end

complete -c fathom -f
)fish";

// Within single quotes fish knows two escapes.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "'";
}

std::string words_of(const CommandOption& option) {
  std::string words;
  if (option.kind == ValueKind::choice) words = fmt::format("{}", fmt::join(option.choices, " "));
  const std::string_view names = name_list(option.kind);
  if (!names.empty()) words = fmt::format("(__fathom_names {})", names);
  if (words.empty() || !option.list) return words;
  return "(__fathom_list " + words + ")";
}

// What follows the option: a file, one of some words, or anything.
std::string value_of(const CommandOption& option) {
  switch (option.kind) {
    case ValueKind::none:
      return "";
    case ValueKind::text:
      return " -x";
    case ValueKind::choice:
      return " -x -a " + fish_quoted(words_of(option));
    case ValueKind::model:
    case ValueKind::hardware:
    case ValueKind::report:
      return " -r -F -a " + fish_quoted(words_of(option));
    case ValueKind::file:
      return " -r -F";
    case ValueKind::directory:
      return " -x -a '(__fish_complete_directories)'";
  }
  return "";
}

std::string positional(const CommandOption& option) {
  if (option.kind == ValueKind::text) return "";
  if (option.kind == ValueKind::file) return " -F";
  const std::string words =
      option.kind == ValueKind::directory ? "(__fish_complete_directories)" : words_of(option);
  return (option.kind == ValueKind::choice || option.kind == ValueKind::directory ? " -a "
                                                                                  : " -F -a ") +
         fish_quoted(words);
}

std::string line_of(const CommandOption& option, const std::string& when) {
  if (option.positional) {
    const std::string what = positional(option);
    return what.empty() ? "" : when + what + "\n";
  }
  std::string names;
  for (const std::string& name : option.names) {
    names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return when + names + value_of(option) + " -d " + fish_quoted(spoken_line(option.description)) +
         "\n";
}

}  // namespace

std::string fish_completions(const CommandTree& tree) {
  std::string out = kHead;
  const std::string first = "complete -c fathom -n __fish_use_subcommand";
  for (const CommandOption& option : tree.program.options) out += line_of(option, first);
  for (const Command& command : tree.commands) {
    out += fmt::format("\n{} -a {} -d {}\n", first, command.name,
                       fish_quoted(spoken_line(command.description)));
    const std::string when =
        fmt::format("complete -c fathom -n '__fish_seen_subcommand_from {}'", command.name);
    for (const CommandOption& option : command.options) out += line_of(option, when);
  }
  return out;
}

}  // namespace fathom::cli
