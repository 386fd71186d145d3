#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completions.hpp"

namespace fathom::cli {
namespace {

// $program, $cur and COMPREPLY are those of _fathom: bash functions see their caller's variables.
constexpr const char* kHead =
    R"bash(# bash completion of fathom, written by: fathom completions bash

# _fathom_offer one|list WORDS: the words that begin with what is typed, after its last comma.
_fathom_offer() {
  local typed=$cur before=
  if [[ $1 == list && $typed == *,* ]]; then
    before=${typed%,*},
    typed=${typed##*,}
  fi
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$2" -- "$typed")
}

_fathom_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "-$1" -- "$cur")
}

# _fathom_names one|list models|hardware|reports: names of the data folder, else files.
_fathom_names() {
  _fathom_offer "$1" "$("${program/#\~/$HOME}" __complete "$2" 2>/dev/null)"
  if ((${#COMPREPLY[@]} == 0)); then _fathom_files f; fi
}

)bash";

constexpr const char* kWalk = R"bash(
_fathom() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local verb= takes= word= i=0 place=0
  COMPREPLY=()
  # --format=json arrives as three words
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $prev == '=' ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ -z $verb ]]; then
      if [[ $word != -* ]]; then
        verb=$word
        takes=$(_fathom_takes "$verb")
      fi
    elif [[ $word != -* ]]; then
      ((++place))
    elif [[ " $takes " == *" $word "* ]]; then
      if [[ ${COMP_WORDS[i+1]} == '=' ]]; then ((++i)); fi
      ((++i))
    fi
  done
  _fathom_value && return
  if [[ -z $verb || $cur == -* ]]; then
    _fathom_offer one "$(_fathom_options "$verb")"
    return
  fi
  _fathom_place && return
  _fathom_offer one "$(_fathom_options "$verb")"
}

complete -F _fathom fathom
)bash";

std::string action(const CommandOption& option) {
  const char* how = option.list ? "list" : "one";
  switch (option.kind) {
    case ValueKind::choice:
      return fmt::format("_fathom_offer {} {}", how,
                         single_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
    case ValueKind::model:
    case ValueKind::hardware:
    case ValueKind::report:
      return fmt::format("_fathom_names {} {}", how, name_list(option.kind));
    case ValueKind::file:
      return "_fathom_files f";
    case ValueKind::directory:
      return "_fathom_files d";
    case ValueKind::text:
    case ValueKind::none:
      return ":";
  }
  return ":";
}

std::string case_of(std::string_view pattern, std::string_view body) {
  return fmt::format("    {}) {} ;;\n", pattern, body);
}

std::string function(std::string_view name, std::string_view subject, std::string_view cases,
                     std::string_view otherwise) {
  return fmt::format("{}() {{\n  case {} in\n{}    *) {} ;;\n  esac\n}}\n", name, subject, cases,
                     otherwise);
}

std::string names_of(const Command& command, bool only_with_value) {
  std::string out;
  for (const CommandOption& option : command.options) {
    if (option.positional || (only_with_value && option.kind == ValueKind::none)) continue;
    for (const std::string& name : option.names) out += (out.empty() ? "" : " ") + name;
  }
  return out;
}

std::string value_cases(const Command& command) {
  std::string cases;
  for (const CommandOption& option : command.options) {
    if (option.positional || option.kind == ValueKind::none) continue;
    std::string pattern;
    for (const std::string& name : option.names) {
      pattern += (pattern.empty() ? "" : "|") + single_quoted(command.name + " " + name);
    }
    cases += case_of(pattern, action(option));
  }
  return cases;
}

std::string place_cases(const Command& command) {
  std::string cases;
  int place = 0;
  for (const CommandOption& option : command.options) {
    if (!option.positional) continue;
    const std::string verb = single_quoted(command.name + " ");
    cases += case_of(option.many ? verb + "*" : fmt::format("{}{}", verb, place), action(option));
    ++place;
  }
  return cases;
}

}  // namespace

std::string_view name_list(ValueKind kind) {
  if (kind == ValueKind::model) return "models";
  if (kind == ValueKind::hardware) return "hardware";
  return kind == ValueKind::report ? "reports" : "";
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_completions(const CommandTree& tree) {
  std::string takes;
  std::string options;
  std::string values;
  std::string places;
  std::string verbs;
  for (const Command& command : tree.commands) {
    verbs += command.name + " ";
    const auto echo = [&](bool only_with_value) {
      return case_of(command.name, "echo " + single_quoted(names_of(command, only_with_value)));
    };
    takes += echo(true);
    options += echo(false);
    values += value_cases(command);
    places += place_cases(command);
  }
  const std::string first = "echo " + single_quoted(verbs + names_of(tree.program, false));
  return kHead + function("_fathom_takes", "$1", takes, ":") +
         function("_fathom_options", "$1", options, first) +
         function("_fathom_value", "\"$verb $prev\"", values, "return 1") +
         function("_fathom_place", "\"$verb $place\"", places, "return 1") + kWalk;
}

}  // namespace fathom::cli
