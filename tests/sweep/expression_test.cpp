#include "sweep/expression.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/rng.hpp"

using namespace fathom;
using namespace fathom::sweep;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// tp, dp, a boolean, a text and a constant, and the dictionary they share.
struct Names {
  TextDictionary texts;
  Scope scope{
      .resolve = [this](std::string_view name, bool pointer) -> std::optional<Slot> {
        if (pointer && name == "/plan/tp") return Slot{.index = 0};
        if (pointer && name == "/plan/dp") return Slot{.index = 1};
        if (pointer && name == "/plan/two_batch_overlap") {
          return Slot{.index = 2, .kind = ValueKind::boolean};
        }
        if (pointer && name == "/model") {
          return Slot{.index = 3, .kind = ValueKind::text};
        }
        if (!pointer && name == "gpus") return Slot{.constant = 64.0};
        if (!pointer && name == "tpot_s") return Slot{.index = 4};
        return std::nullopt;
      },
      .known = {"/plan/tp", "/plan/dp", "/plan/two_batch_overlap", "/model", "gpus", "tpot_s"},
      .texts = &texts};

  Names() = default;
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  Expression parse(std::string_view text) { return parse_expression(text, "s.json#/x", scope); }
  // tp = 8, dp = 4, overlap on, model = deepseek-v3, tpot_s = 0.05
  double value(std::string_view text) {
    const std::array slots{8.0, 4.0, 1.0, double(texts.intern("deepseek-v3")), 0.05};
    return evaluate(parse(text), slots);
  }
  std::string complaint(std::string_view text) {
    try {
      parse(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "none";
  }
};

// The character above the caret of a complaint about ASCII text, with what follows it.
std::string at_caret(const std::string& complaint) {
  const std::size_t first = complaint.find('\n');
  const std::size_t second = complaint.find('\n', first + 1);
  if (first == std::string::npos || second == std::string::npos) return "no caret: " + complaint;
  const std::string text = complaint.substr(first + 1, second - first - 1);
  const std::string caret = complaint.substr(second + 1);
  if (caret.find_first_not_of(' ') != caret.size() - 1) return "no caret: " + complaint;
  return caret.size() > text.size() ? "" : text.substr(caret.size() - 1);
}

}  // namespace

TEST_CASE("operators bind as in arithmetic", "[sweep][expression]") {
  Names names;
  CHECK(names.value("1 + 2 * 3") == 7.0);
  CHECK(names.value("(1 + 2) * 3") == 9.0);
  CHECK(names.value("10 - 4 - 3") == 3.0);
  CHECK(names.value("64 / 4 / 2") == 8.0);
  CHECK(names.value("17 % 5 * 2") == 4.0);
  CHECK(names.value("2 ^ 3 ^ 2") == 512.0);  // 2^(3^2)
  CHECK(names.value("-2 ^ 2") == -4.0);
  CHECK(names.value("2 ^ -1") == 0.5);
  CHECK(names.value("- - 3") == 3.0);
  CHECK(names.value("3 - -2") == 5.0);
  CHECK(names.value("-2 * 3") == -6.0);
}

TEST_CASE("comparisons bind less than sums, not less than comparisons, or least",
          "[sweep][expression]") {
  Names names;
  CHECK(names.value("1 + 1 == 2") == 1.0);
  CHECK(names.value("not 1 == 2") == 1.0);
  CHECK(names.value("! 1 == 2 && 3 >= 3") == 1.0);
  CHECK(names.value("true or true and false") == 1.0);  // true or (true and false)
  CHECK(names.value("(true or true) and false") == 0.0);
  CHECK(names.value("false || 1 != 2") == 1.0);
  CHECK(names.value("1 < 2 ? 3 : 4 < 5 ? 6 : 7") == 3.0);
  CHECK(names.value("1 > 2 ? 3 : 4 > 5 ? 6 : 7") == 7.0);
  CHECK(names.value("true == not false") == 1.0);
}

TEST_CASE("functions are those of the mathematics library", "[sweep][expression]") {
  Names names;
  CHECK(names.value("min(3, 1, 2)") == 1.0);
  CHECK(names.value("max(3, 1, 2 + 2)") == 4.0);
  CHECK(names.value("min(5)") == 5.0);
  CHECK(names.value("ceil(1.2) + floor(1.8) + abs(-1)") == 4.0);
  CHECK(names.value("round(2.5)") == 3.0);
  CHECK(names.value("round(-2.5)") == -3.0);
  CHECK(names.value("sqrt(9) + log2(8)") == 6.0);
  CHECK(names.value("log(exp(1))") == 1.0);
}

TEST_CASE("numbers are read as in JSON, and .5 too", "[sweep][expression]") {
  Names names;
  CHECK(names.value("1e3") == 1000.0);
  CHECK(names.value("2.5E-1") == 0.25);
  CHECK(names.value(".5") == 0.5);
  CHECK(at_caret(names.complaint("1 + 64Ki")) == "Ki");
  CHECK(at_caret(names.complaint("1.2.3")) == ".3");
  CHECK(at_caret(names.complaint("1 + 1e999")) == "1e999");
}

TEST_CASE("names and pointers are their slots, constants their values", "[sweep][expression]") {
  Names names;
  CHECK(names.value("\"/plan/tp\" * \"/plan/dp\"") == 32.0);
  CHECK(names.value("\"/plan/tp\" * \"/plan/dp\" <= gpus") == 1.0);
  CHECK(names.value("tpot_s") == 0.05);
  CHECK(names.value("not \"/plan/two_batch_overlap\"") == 0.0);
  CHECK(slots_used(names.parse("tpot_s * \"/plan/tp\" + tpot_s")) == std::vector{0, 4});
  CHECK(slots_used(names.parse("gpus * 2")).empty());
}

TEST_CASE("texts are compared by what they say", "[sweep][expression]") {
  Names names;
  CHECK(names.value("\"/model\" == 'deepseek-v3'") == 1.0);
  CHECK(names.value("\"/model\" != 'deepseek-v3'") == 0.0);
  CHECK(names.value("\"/model\" == 'Deepseek-v3'") == 0.0);
  CHECK(names.value("(gpus > 1 ? 'a' : 'b') == 'a'") == 1.0);
  CHECK(names.value("'it''s' == 'it''s'") == 1.0);
  CHECK(names.texts.at(names.texts.intern("it's")) == "it's");
}

TEST_CASE("an expression tells the kind of its result", "[sweep][expression]") {
  Names names;
  CHECK(names.parse("gpus + 1").kind == ValueKind::number);
  CHECK(names.parse("gpus > 1").kind == ValueKind::boolean);
  CHECK(names.parse("\"/plan/two_batch_overlap\"").kind == ValueKind::boolean);
  CHECK(names.parse("gpus > 1 ? 'a' : \"/model\"").kind == ValueKind::text);
}

TEST_CASE("division by zero is infinite or NaN", "[sweep][expression]") {
  Names names;
  CHECK(names.value("1 / 0") == kInfinity);
  CHECK(names.value("-1 / (gpus - 64)") == -kInfinity);
  CHECK(std::isnan(names.value("0 / 0")));
  CHECK(std::isnan(names.value("5 % 0")));
}

TEST_CASE("what has no value has none after arithmetic, and no comparison with it holds",
          "[sweep][expression]") {
  Names names;
  const std::array slots{kNan, 4.0, kNan, kNan, 0.05};
  for (const char* text :
       {"\"/plan/tp\" + 1", "min(\"/plan/tp\", 1)", "min(1, \"/plan/tp\")", "max(\"/plan/tp\", 1)",
        "max(1, \"/plan/tp\")", "\"/plan/tp\" ^ 0", "1 ^ \"/plan/tp\"", "-\"/plan/tp\""}) {
    CAPTURE(text);
    CHECK(std::isnan(evaluate(names.parse(text), slots)));
  }
  for (const char* text : {"<", "<=", ">", ">=", "==", "!="}) {
    CAPTURE(text);
    CHECK_FALSE(holds(names.parse(fmt::format("\"/plan/tp\" {} 1", text)), slots));
  }
  CHECK_FALSE(holds(names.parse("\"/model\" != 'x'"), slots));
  CHECK_FALSE(holds(names.parse("\"/plan/two_batch_overlap\""), slots));
  CHECK(evaluate(names.parse("\"/plan/two_batch_overlap\" ? 1 : 2"), slots) == 2.0);
}

TEST_CASE("an operation on constants is done once", "[sweep][expression]") {
  Names names;
  CHECK(names.parse("min(gpus, 8 * 4) + 2 ^ 10").program.size() == 1);
  CHECK(names.parse("\"/plan/tp\" * (2 * 1024)").program.size() == 3);
}

TEST_CASE("a syntax error shows the text with a caret below its place", "[sweep][expression]") {
  Names names;
  CHECK(names.complaint("\"/plan/tp\" * <= gpus") ==
        "s.json#/x: found '<=', expected a number, name or '('\n"
        "    \"/plan/tp\" * <= gpus\n"
        "                 ^");
  CHECK(names.complaint("") == "s.json#/x: an empty expression\n    \n    ^");
  CHECK(at_caret(names.complaint("(1 + 2")) == "");
  CHECK(at_caret(names.complaint("1 + 2)")) == ")");
  CHECK(at_caret(names.complaint("gpus gpus")) == "gpus");
  CHECK(at_caret(names.complaint("1 == 1 'x'")) == "'x'");
  CHECK(at_caret(names.complaint("gpus = 4")) == "= 4");
  CHECK(at_caret(names.complaint("true & false")) == "& false");
  CHECK(at_caret(names.complaint("min()")) == ")");
  CHECK(at_caret(names.complaint("sqrt(1, 2)")) == "sqrt(1, 2)");
  CHECK(at_caret(names.complaint("true ? 1")) == "");
  CHECK(at_caret(names.complaint("1 + 'abc")) == "'abc");
  CHECK(at_caret(names.complaint("1 + \"/abc")) == "\"/abc");
  CHECK(at_caret(names.complaint("1 < 2 < 3")) == "< 3");
}

TEST_CASE("a caret counts characters, not bytes", "[sweep][expression]") {
  Names names;
  CHECK(names.complaint("'größe' <") ==
        "s.json#/x: found the end, expected a number, name or '('\n"
        "    'größe' <\n"
        "             ^");
  CHECK(names.complaint("1 ≤ 2") ==
        "s.json#/x: found '≤', which means nothing here\n"
        "    1 ≤ 2\n"
        "      ^");
  CHECK(names.complaint("1\t\n+ \xff") ==
        "s.json#/x: found '\\xff', which means nothing here\n"
        "    1  + ?\n"
        "         ^");
}

TEST_CASE("of a long text a complaint shows the surroundings", "[sweep][expression]") {
  Names names;
  const std::string blank(2000, ' ');
  CHECK(names.complaint("1" + blank + "$" + blank + "1") ==
        "s.json#/x: found '$', which means nothing here\n    …" + blank.substr(0, 49) + "$" +
            blank.substr(0, 48) + "…\n    " + blank.substr(0, 50) + "^");
}

TEST_CASE("an unknown name comes with the nearest known one of its sort", "[sweep][expression]") {
  Names names;
  CHECK(names.complaint("gpu < 3").starts_with(
      "s.json#/x: unknown name 'gpu'; did you mean 'gpus'?"));
  CHECK(names.complaint("\"/plan/pt\" < 3")
            .starts_with("s.json#/x: unknown pointer '/plan/pt'; did you mean '/plan/tp'?"));
  CHECK(names.complaint("flor(2)").starts_with(
      "s.json#/x: unknown function 'flor'; did you mean 'floor'?"));
  CHECK(names.complaint("min + 1").starts_with(
      "s.json#/x: unknown name 'min'; the function is called as min("));
  CHECK(names.complaint("\"gpus\"").find("expected a JSON pointer") != std::string::npos);
  CHECK(names.complaint("/plan/tp < 3").find("a JSON pointer goes in double quotes") !=
        std::string::npos);
  CHECK(at_caret(names.complaint("1 + gpu")) == "gpu");
}

TEST_CASE("kinds do not mix", "[sweep][expression]") {
  Names names;
  CHECK(names.complaint("\"/model\" == 3") ==
        "s.json#/x: '==' compares a text with a number, expected two of a kind\n"
        "    \"/model\" == 3\n"
        "             ^");
  CHECK(at_caret(names.complaint("1 + 'a'")) == "'a'");
  CHECK(at_caret(names.complaint("'a' < 'b'")) == "'a' < 'b'");
  CHECK(at_caret(names.complaint("1 and true")) == "1 and true");
  CHECK(at_caret(names.complaint("not gpus")) == "gpus");
  CHECK(at_caret(names.complaint("- true")) == "true");
  CHECK(at_caret(names.complaint("(1 < 2) + 1")) == "(1 < 2) + 1");
  CHECK(at_caret(names.complaint("gpus ? 1 : 2")) == "gpus ? 1 : 2");
  CHECK(at_caret(names.complaint("true ? 1 : 'a'")) == "'a'");
  CHECK(at_caret(names.complaint("max(1, true)")) == "true)");
}

TEST_CASE("nesting has an end, length has none", "[sweep][expression]") {
  Names names;
  const auto repeat = [](int n, const std::string& part) {
    std::string out;
    for (int i = 0; i < n; ++i) out += part;
    return out;
  };
  for (const char* part :
       {"(", "-", "not ", "min(", "true ? ", "2 ^ ", "1 + (", "1 < 2 or 1 + 2 * ("}) {
    CAPTURE(part);
    CHECK(names.complaint(repeat(100'000, part) + "1").find("nested more than") !=
          std::string::npos);
  }
  CHECK(names.value(repeat(100'000, "1 + ") + "1") == 100'001.0);
  CHECK(names.value(repeat(99, "(") + "1" + repeat(99, ")")) == 1.0);
  // The deepest stacks: each level keeps a condition and a branch, or a sum, waiting.
  CHECK(names.value(repeat(99, "gpus < \"/plan/tp\" ? \"/plan/dp\" : ") + "\"/plan/dp\"") == 4.0);
  CHECK(names.value(repeat(49, "\"/plan/tp\" + (") + "1" + repeat(49, ")")) == 49 * 8.0 + 1.0);
}
