#include "literals.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

namespace fathom::test {
namespace {

enum class Kind : std::uint8_t { word, literal, sign };

struct Token {
  Kind kind;
  std::string text;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '0':
      return '\0';
    default:
      return c;
  }
}

// Walks C++ text; knows comments, literals of both kinds, raw ones and digit separators.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Token> tokens() {
    while (at_ < text_.size()) step();
    return std::move(tokens_);
  }

 private:
  bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void step() {
    const char c = text_[at_];
    if (sees("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (sees("/*")) {
      at_ = std::min(text_.find("*/", at_), text_.size() - 2) + 2;
    } else if (c == '"') {
      literal();
    } else if (c == '\'') {
      skip_character();
    } else if (is_word(c)) {
      word();
    } else {
      if (std::isspace(static_cast<unsigned char>(c)) == 0) tokens_.push_back({Kind::sign, {c}});
      ++at_;
    }
  }

  // A number takes its separators with it: 50'000.
  void word() {
    const std::size_t begin = at_;
    const bool number = std::isdigit(static_cast<unsigned char>(text_[at_])) != 0;
    while (at_ < text_.size() && (is_word(text_[at_]) || (number && text_[at_] == '\''))) ++at_;
    const std::string_view found = text_.substr(begin, at_ - begin);
    const bool raw = found == "R" || found == "u8R" || found == "UR" || found == "LR";
    if (raw && sees("\"")) return raw_literal();
    if (sees("\"") && (found == "u8" || found == "U" || found == "u" || found == "L")) return;
    tokens_.push_back({Kind::word, std::string(found)});
  }

  void skip_character() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '\'') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  void literal() {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        out += text_[at_];
        continue;
      }
      ++at_;
      if (text_[at_] == 'x') {
        out += static_cast<char>(std::stoi(std::string(text_.substr(at_ + 1, 2)), nullptr, 16));
        at_ += 2;
      } else {
        out += unescaped(text_[at_]);
      }
    }
    ++at_;
    push(std::move(out));
  }

  void raw_literal() {
    const std::size_t open = text_.find('(', at_);
    const std::string end = ")" + std::string(text_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const std::size_t close = text_.find(end, open);
    push(std::string(text_.substr(open + 1, close - open - 1)));
    at_ = close + end.size();
  }

  void push(std::string literal) {
    if (!tokens_.empty() && tokens_.back().kind == Kind::literal) {
      tokens_.back().text += literal;
    } else {
      tokens_.push_back({Kind::literal, std::move(literal)});
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<std::string> literals_in_source(std::string_view text) {
  std::vector<std::string> out;
  for (Token& token : Scanner(text).tokens()) {
    if (token.kind == Kind::literal) out.push_back(std::move(token.text));
  }
  return out;
}

std::vector<Said> said_in_source(std::string_view text) {
  const std::vector<Token> tokens = Scanner(text).tokens();
  std::vector<Said> out;
  for (std::size_t i = 2; i < tokens.size(); ++i) {
    const bool called = tokens[i].kind == Kind::literal && tokens[i - 1].text == "(" &&
                        tokens[i - 2].kind == Kind::word;
    const std::string& name = tokens[i - 2].text;
    if (called && (name == "say" || name == "tr")) out.push_back({tokens[i].text, name == "say"});
  }
  return out;
}

std::vector<Said> said_in_script(std::string_view text) {
  constexpr std::string_view kCall = "say(\"";
  std::vector<Said> out;
  for (std::size_t at = text.find(kCall); at != std::string_view::npos; at = text.find(kCall, at)) {
    at += kCall.size();
    Said said{.filled = true};
    for (; at < text.size() && text[at] != '"'; ++at) {
      said.english += text[at] == '\\' ? unescaped(text[++at]) : text[at];
    }
    out.push_back(std::move(said));
  }
  return out;
}

std::set<std::pair<int, std::string>> fields_of(std::string_view form) {
  std::set<std::pair<int, std::string>> out;
  int next = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool doubled = i + 1 < form.size() && form[i + 1] == form[i];
    if ((form[i] == '{' || form[i] == '}') && doubled) ++i;
    if (form[i] != '{' || doubled) continue;
    std::string number;
    for (++i; i < form.size() && std::isdigit(static_cast<unsigned char>(form[i])) != 0; ++i)
      number += form[i];
    std::string rest;
    int nested = 0;
    for (; i < form.size() && (form[i] != '}' || nested > 0); ++i) {
      nested += form[i] == '{' ? 1 : form[i] == '}' ? -1 : 0;
      rest += form[i];
    }
    out.emplace(number.empty() ? next++ : std::stoi(number), rest);
    for (std::size_t k = rest.find("{}"); k != std::string::npos; k = rest.find("{}", k + 1))
      out.emplace(next++, "nested");
  }
  return out;
}

}  // namespace fathom::test
