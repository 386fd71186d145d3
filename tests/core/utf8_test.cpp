#include "core/utf8.hpp"

#include "catch.hpp"

namespace fathom {
namespace {

TEST_CASE("text in any script is valid UTF-8", "[core][utf8]") {
  CHECK(first_invalid_utf8("latent µ 注意 🙂") == std::string_view::npos);
}

TEST_CASE("the offset of the first bad byte is counted in bytes", "[core][utf8]") {
  CHECK(first_invalid_utf8("\xC2\xB5m\xFF") == 3);
}

TEST_CASE("overlong forms, surrogates and truncated characters are not UTF-8", "[core][utf8]") {
  CHECK(first_invalid_utf8("\xC0\xAF") == 0);
  CHECK(first_invalid_utf8("\xE0\x80\xAF") == 0);
  CHECK(first_invalid_utf8("\xED\xA0\x80") == 0);
  CHECK(first_invalid_utf8("\xF4\x90\x80\x80") == 0);
  CHECK(first_invalid_utf8("a\xE6\xB3") == 1);
}

TEST_CASE("nothing that a terminal could obey gets into a message", "[core][utf8]") {
  CHECK(printable("a\x1b[31mb\n") == "a\\x1b[31mb\\x0a");
  CHECK(printable("\xC2\x9B") == "\\xc2\\x9b");
  CHECK(printable("\xFF") == "\\xff");
}

TEST_CASE("a long text is cut at a character", "[core][utf8]") {
  CHECK(printable("µµµµ", 3) == "µµµ…");
  CHECK(printable("µµµ", 3) == "µµµ");
}

}  // namespace
}  // namespace fathom
