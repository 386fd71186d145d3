#include "cli/help_text.hpp"

#include <algorithm>

#include "lang/language.hpp"
#include "report/text.hpp"

namespace fathom::cli {
namespace {

constexpr int kWidth = 88;  // as wide as the English lines of the help
constexpr std::string_view kExamples = "Examples:";

// A piece of help: what stays, then what is spoken.
struct Piece {
  std::string stays;
  std::string text;
  bool wraps = true;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  lines.push_back(text);
  return lines;
}

// The remark of an example stands behind two or more blanks.
Piece example(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t gap = line.find("  ", begin);
  const std::size_t remark = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  if (remark == std::string_view::npos) return {std::string(line), "", false};
  return {std::string(line.substr(0, remark)), std::string(line.substr(remark)), false};
}

// "name  text" with lines that hang below the text.
std::vector<Piece> list_of(const std::vector<std::string_view>& lines) {
  std::vector<Piece> pieces;
  for (const std::string_view line : lines) {
    if (line.starts_with(' ') && !pieces.empty()) {
      pieces.back().text += "\n" + std::string(line);
    } else {
      pieces.push_back(example(line));
      pieces.back().wraps = true;
    }
  }
  for (Piece& piece : pieces) piece.text = flowed(piece.text);
  return pieces;
}

std::vector<Piece> pieces_of(std::string_view block) {
  const std::vector<std::string_view> lines = lines_of(block);
  if (lines.front() == kExamples) {
    std::vector<Piece> pieces{{"", std::string(kExamples)}};
    for (std::size_t i = 1; i < lines.size(); ++i) pieces.push_back(example(lines[i]));
    return pieces;
  }
  const auto hangs = [](std::string_view line) { return line.starts_with(' '); };
  if (std::ranges::any_of(lines, hangs)) return list_of(lines);
  return {{"", flowed(block)}};
}

std::string spoken(const Piece& piece) {
  if (piece.text.empty()) return piece.stays;
  const std::string text(lang::tr(piece.text));
  if (!piece.wraps) return piece.stays + text;
  const int indent = report::display_width(piece.stays);
  const std::string blanks(static_cast<std::size_t>(indent), ' ');
  std::string out;
  for (const std::string_view paragraph : lines_of(text)) {
    for (const std::string& line : report::wrap(paragraph, kWidth - indent)) {
      out += (out.empty() ? piece.stays : "\n" + blanks) + line;
    }
  }
  return out;
}

std::vector<std::string_view> blocks_of(std::string_view footer) {
  std::vector<std::string_view> blocks;
  constexpr std::string_view kBetween = "\n\n";
  for (std::size_t end = footer.find(kBetween); end != std::string_view::npos;
       end = footer.find(kBetween)) {
    blocks.push_back(footer.substr(0, end));
    footer.remove_prefix(end + kBetween.size());
  }
  blocks.push_back(footer);
  return blocks;
}

// Keeps the first of equal texts.
void add(std::vector<std::string>& texts, std::string text) {
  if (!text.empty() && std::ranges::find(texts, text) == texts.end())
    texts.push_back(std::move(text));
}

void add_command(std::vector<std::string>& texts, const Command& command) {
  add(texts, flowed(command.description));
  for (const CommandOption& option : command.options) {
    add(texts, flowed(option.group));
    add(texts, flowed(option.description));
  }
  for (const std::string_view block : blocks_of(command.footer)) {
    for (Piece& piece : pieces_of(block)) add(texts, std::move(piece.text));
  }
}

}  // namespace

std::string flowed(std::string_view text) {
  std::string out;
  for (std::string_view line : lines_of(text)) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!out.empty() && !line.empty()) out += ' ';
    out += line;
  }
  return out;
}

std::string spoken_line(std::string_view text) {
  if (lang::spoken() == lang::Language::english) return std::string(text);
  const std::string line = flowed(text);
  return std::string(lang::tr(line));
}

std::string spoken_text(std::string_view text) {
  if (lang::spoken() == lang::Language::english) return std::string(text);
  std::string out;
  for (const Piece& piece : pieces_of(text)) out += (out.empty() ? "" : "\n") + spoken(piece);
  return out;
}

std::string spoken_footer(std::string_view footer) {
  if (lang::spoken() == lang::Language::english) return std::string(footer);
  std::string out;
  for (const std::string_view block : blocks_of(footer)) {
    out += (out.empty() ? "" : "\n\n") + spoken_text(block);
  }
  return out;
}

std::string spoken_example(std::string_view line) {
  if (lang::spoken() == lang::Language::english) return std::string(line);
  return spoken(example(line));
}

std::vector<std::string> help_texts(const CommandTree& tree) {
  std::vector<std::string> texts;
  add_command(texts, tree.program);
  for (const Command& command : tree.commands) {
    add(texts, flowed(command.group));
    add_command(texts, command);
  }
  return texts;
}

}  // namespace fathom::cli
