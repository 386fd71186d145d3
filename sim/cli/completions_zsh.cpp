#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completions.hpp"
#include "cli/help_text.hpp"

namespace fathom::cli {
namespace {

constexpr const char* kHead = R"zsh(#compdef fathom
# zsh completion of fathom, written by: fathom completions zsh

# _fathom_names models|hardware|reports: names of the data folder, and files.
_fathom_names() {
  local -a names
  names=(${(f)"$(${~_fathom_program} __complete $1 2>/dev/null)"})
  _alternative "names:$1:compadd -a names" 'files:file:_files'
}
# The same after the last comma of what is typed.
_fathom_list_names() {
  compset -P '*,'
  _fathom_names $1
}
_fathom_list_words() {
  compset -P '*,'
  compadd -- $@
}

)zsh";

constexpr const char* kTail = R"zsh(
_fathom() {
  local curcontext=$curcontext state line _fathom_program=$words[1]
  _arguments -C \
    '(- *)'{-h,--help}'[Print the help and exit]' \
    '(- *)--version[Print the version and exit]' \
    '1: :->verb' \
    '*:: :->rest'
  case $state in
    verb) _describe -t commands command _fathom_verbs ;;
    rest) (( $+functions[_fathom_$line[1]] )) && _fathom_$line[1] ;;
  esac
}

if [[ $funcstack[1] == _fathom ]]; then
  _fathom "$@"
else
  compdef _fathom fathom
fi
)zsh";

// Inside a specification of _arguments a colon ends a field and a bracket the description.
std::string field(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string action(const CommandOption& option) {
  switch (option.kind) {
    case ValueKind::choice:
      return option.list ? fmt::format("{{_fathom_list_words {}}}", fmt::join(option.choices, " "))
                         : fmt::format("({})", fmt::join(option.choices, " "));
    case ValueKind::model:
    case ValueKind::hardware:
    case ValueKind::report:
      return fmt::format("{{_fathom{}_names {}}}", option.list ? "_list" : "",
                         name_list(option.kind));
    case ValueKind::file:
      return "_files";
    case ValueKind::directory:
      return "_files -/";
    case ValueKind::text:
    case ValueKind::none:
      return " ";
  }
  return " ";
}

std::vector<std::string> specifications(const CommandOption& option) {
  const std::string value = fmt::format(":{}:{}", field(option.metavar), action(option));
  if (option.positional) return {(option.many ? "*" : "") + value};
  const std::string others =
      option.repeatable ? "*" : fmt::format("({})", fmt::join(option.names, " "));
  std::vector<std::string> out;
  for (const std::string& name : option.names) {
    std::string spec = others + name;
    if (option.kind != ValueKind::none && name.starts_with("--")) spec += "=";
    spec += fmt::format("[{}]", field(spoken_line(option.description)));
    out.push_back(option.kind == ValueKind::none ? spec : spec + value);
  }
  return out;
}

}  // namespace

std::string zsh_completions(const CommandTree& tree) {
  std::string out = kHead;
  std::string verbs;
  for (const Command& command : tree.commands) {
    out += fmt::format("_fathom_{}() {{\n  _arguments", command.name);
    for (const CommandOption& option : command.options) {
      for (const std::string& spec : specifications(option))
        out += " \\\n    " + single_quoted(spec);
    }
    out += "\n}\n";
    verbs +=
        "  " + single_quoted(command.name + ":" + field(spoken_line(command.description))) + "\n";
  }
  return out + "\nlocal -a _fathom_verbs\n_fathom_verbs=(\n" + verbs + ")\n" + kTail;
}

}  // namespace fathom::cli
