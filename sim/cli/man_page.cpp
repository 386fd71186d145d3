#include "cli/man_page.hpp"

#include <fmt/format.h>

#include <array>
#include <map>

#include "cli/help_text.hpp"
#include "core/utf8.hpp"
#include "lang/language.hpp"
#include "version.hpp"

namespace fathom::cli {
namespace {

using lang::tr;

struct Entry {
  const char* name;
  const char* text;
};

constexpr std::array kExitCodes{
    Entry{"0", "An answer was given."},
    Entry{"1", "A bug of the program."},
    Entry{"2",
          "A mistake in the input; one line on standard error says where, what was found and "
          "what was expected."},
    Entry{"3", "The plan cannot run, or no plan meets the targets."},
    Entry{"4", "A validation or check lies outside its tolerance."},
    Entry{"130", "Interrupted; what was done is kept."},
};
constexpr std::array kFiles{
    Entry{"PREFIX/share/fathom/models/", "One file per model: --model NAME."},
    Entry{"PREFIX/share/fathom/hwprofiles/", "One file per system: --hardware NAME."},
    Entry{"PREFIX/share/fathom/examples/", "Scenarios, plan requests and sweeps."},
    Entry{"PREFIX/share/fathom/docs/schema/", "JSON Schemas of everything that is read."},
    Entry{"~/.local/share/fathom/local.json",
          "What `fathom calibrate` measured on this machine: --hardware local."},
};
constexpr std::array kEnvironment{
    Entry{"FATHOM_DATA",
          "The folder that holds models/ and hwprofiles/, when it is not found "
          "above the program or in PREFIX/share/fathom."},
    Entry{"FATHOM_LANG", "Language of help and reports, en or zh, where --lang does not say it."},
    Entry{"FATHOM_LOCAL", "The calibration of this machine, instead of the file above."},
    Entry{"FATHOM_ISA", "portable, avx512, avx512_bf16 or amx: the kernels that run."},
    Entry{"NO_COLOR", "Not empty: no colour on a terminal (no-color.org)."},
    Entry{"COLUMNS", "Width of the terminal, when it does not say so itself."},
    Entry{"TERM", "`dumb`: no colour."},
    Entry{"XDG_DATA_HOME", "Instead of ~/.local/share."},
};

// Requests stand at the start of a line, so literal text must not begin like one.
std::string lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const bool request = line.starts_with(".") || line.starts_with("'");
    out += (request ? "\\&" : "") + roff_text(line) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string paragraph(std::string_view text) { return ".PP\n" + lines(spoken_text(text)); }

std::string section(std::string_view heading) {
  return fmt::format(".SH {}\n", roff_text(tr(heading)));
}

template <class Entries>
std::string entries(const Entries& all) {
  std::string out;
  for (const Entry& entry : all) {
    out += fmt::format(".TP\n.B {}\n{}", roff_text(entry.name), lines(tr(entry.text)));
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string head(std::string_view name, std::string_view what) {
  // The version names the date: a page must not depend on when it was made.
  return fmt::format(
      ".\\\" Written by `fathom man`; the source is the program's own --help.\n"
      ".TH {} 1 \"{}\" \"fathom {}\" \"{}\"\n{}{} \\- {}\n",
      upper(roff_text(name)), FATHOM_DATE, FATHOM_VERSION, roff_text(tr("User Commands")),
      section("NAME"), roff_text(name), roff_text(what));
}

std::string first_line(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  while (line.ends_with(',') || line.ends_with('.')) line.pop_back();
  return line;
}

std::string tag(const CommandOption& option) {
  std::string names;
  for (const std::string& name : option.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", roff_text(name));
  }
  if (option.positional) return fmt::format("\\fI{}\\fR", roff_text(option.metavar));
  if (option.kind == ValueKind::none) return names;
  return fmt::format("{} \\fI{}\\fR", names, roff_text(option.metavar));
}

std::string entry(const CommandOption& option) {
  return fmt::format(".TP\n{}\n{}", tag(option), lines(spoken_line(option.description)));
}

std::string arguments_of(const Command& command) {
  std::string out;
  for (const CommandOption& option : command.options) {
    if (option.positional) out += entry(option);
  }
  return out.empty() ? out : section("ARGUMENTS") + out;
}

// Options that stand in no group of their own come under no heading of their own.
std::string options_of(const Command& command) {
  std::string out = section("OPTIONS");
  std::string group = "Options";
  for (const CommandOption& option : command.options) {
    if (option.positional) continue;
    if (option.group != group) out += fmt::format(".SS {}\n", roff_text(spoken_line(option.group)));
    group = option.group;
    out += entry(option);
  }
  return out;
}

std::string synopsis(const Command& command) {
  std::string out = fmt::format("{}.B fathom {}\n[\\fI{}\\fR]", section("SYNOPSIS"),
                                roff_text(command.name), roff_text(tr("OPTIONS")));
  for (const CommandOption& option : command.options) {
    if (!option.positional) continue;
    const std::string name = roff_text(option.metavar);
    out += option.required ? fmt::format(" \\fI{}\\fR", name) : fmt::format(" [\\fI{}\\fR]", name);
  }
  return out + "\n";
}

std::string examples(const Footer& footer) {
  if (footer.examples.empty()) return "";
  std::string text;
  for (const std::string& line : footer.examples) text += spoken_example(line) + "\n";
  return section("EXAMPLES") + ".nf\n" + lines(text) + ".fi\n";
}

std::string exit_status(const Footer& footer) {
  std::string out = section("EXIT STATUS") + entries(kExitCodes);
  for (const std::string& text : footer.exit_codes) out += paragraph(text);
  return out;
}

std::string verbs_of(const CommandTree& tree) {
  std::string out = section("COMMANDS");
  std::string group;
  for (const Command& command : tree.commands) {
    if (command.group != group)
      out += fmt::format(".SS {}\n", roff_text(spoken_line(command.group)));
    group = command.group;
    out += fmt::format(".TP\n.BR fathom\\-{} (1)\n{}", roff_text(command.name),
                       lines(spoken_line(command.description)));
  }
  return out;
}

std::string description(const Command& command, const Footer& footer) {
  std::string out = section("DESCRIPTION") + lines(spoken_text(command.description));
  for (const std::string& text : footer.paragraphs) out += paragraph(text);
  return out;
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(text));
    const auto lead = static_cast<unsigned char>(text[0]);
    if (length > 1) {
      std::uint32_t code = lead & (0xffU >> (length + 1));
      for (std::size_t i = 1; i < length; ++i)
        code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
      out += fmt::format("\\[u{:04X}]", code);
    } else if (text[0] == '\\') {
      out += "\\e";
    } else if (text[0] == '-') {
      out += "\\-";
    } else if (text[0] == '\'') {
      out += "\\(aq";
    } else if (text[0] == '^' || text[0] == '~' || text[0] == '`') {
      out += text[0] == '^' ? "\\(ha" : text[0] == '~' ? "\\(ti" : "\\(ga";
    } else {
      out += text[0];
    }
    text.remove_prefix(length);
  }
  return out;
}

std::vector<std::string> man_texts() {
  std::vector<std::string> texts{"ARGUMENTS", "COMMANDS",    "DESCRIPTION", "ENVIRONMENT",
                                 "EXAMPLES",  "EXIT STATUS", "FILES",       "NAME",
                                 "SEE ALSO",  "SYNOPSIS"};
  for (const Entry& entry : kExitCodes) texts.emplace_back(entry.text);
  for (const Entry& entry : kFiles) texts.emplace_back(entry.text);
  for (const Entry& entry : kEnvironment) texts.emplace_back(entry.text);
  return texts;
}

std::string man_page(const CommandTree& tree) {
  const Footer footer = split_footer(tree.program.footer);
  std::string out = head("fathom", first_line(spoken_text(tree.program.description)));
  out += fmt::format("{}.B fathom\n\\fI{}\\fR [\\fI{}\\fR]\n", section("SYNOPSIS"),
                     roff_text(tr("COMMAND")), roff_text(tr("OPTIONS")));
  out += description(tree.program, {.paragraphs = footer.paragraphs});
  out += verbs_of(tree) + options_of(tree.program) + examples(footer);
  out += exit_status({}) + section("FILES") + entries(kFiles) + section("ENVIRONMENT") +
         entries(kEnvironment);
  return out;
}

std::string man_page(const CommandTree& tree, const Command& command) {
  const Footer footer = split_footer(command.footer);
  std::string out = head("fathom-" + command.name, first_line(spoken_line(command.description)));
  out += synopsis(command) + description(command, footer);
  out += arguments_of(command) + options_of(command) + examples(footer) + exit_status(footer);
  out += section("SEE ALSO") + ".BR fathom (1)";
  for (const Command& other : tree.commands) {
    if (other.group == command.group && other.name != command.name)
      out += fmt::format(",\n.BR fathom\\-{} (1)", roff_text(other.name));
  }
  return out + "\n";
}

}  // namespace fathom::cli
