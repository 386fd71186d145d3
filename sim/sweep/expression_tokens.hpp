#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::sweep {

/// An expression as written, and what complaints call the place it stands in.
struct ExpressionSource {
  std::string_view text;
  std::string_view where;
};

/// InputError: `where: message`, then the text with a caret below the character at `offset`. Of a
/// long text the surroundings are shown.
[[noreturn]] void complain(const ExpressionSource& source, std::size_t offset,
                           const std::string& message);

enum class TokenKind : std::uint8_t { number, text, pointer, name, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t begin = 0;  // offsets in bytes
  std::size_t end = 0;
  std::string value;    // without quotes; and, or, not are the symbols && || !
  double number = 0.0;  // of kind number

  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && value == symbol; }
};

/// The token at or after `offset`. InputError for what is no token.
Token next_token(const ExpressionSource& source, std::size_t offset);

}  // namespace fathom::sweep
