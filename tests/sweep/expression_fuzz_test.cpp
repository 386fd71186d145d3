// Expressions against an evaluator of their trees, and against nonsense.

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/rng.hpp"
#include "sweep/expression.hpp"

using namespace fathom;
using namespace fathom::sweep;

namespace {

constexpr std::array kSlots{3.0, -0.5, 1.0, 0.0};  // two numbers, two booleans

Scope scope_of(TextDictionary& texts) {
  return {.resolve = [](std::string_view name, bool) -> std::optional<Slot> {
            if (name == "x") return Slot{.index = 0};
            if (name == "/y") return Slot{.index = 1};
            if (name == "p") return Slot{.index = 2, .kind = ValueKind::boolean};
            if (name == "/q") return Slot{.index = 3, .kind = ValueKind::boolean};
            return std::nullopt;
          },
          .known = {"x", "/y", "p", "/q"},
          .texts = &texts};
}

// A tree knows its value and how it is written; `binding` orders what needs parentheses.
struct Tree {
  double value = 0.0;
  std::string text;
  int binding =
      10;  // 1 conditional, 2 or, 3 and, 4 not, 5 comparison, 6 sum, 7 product, 8 minus, 9 power
};

class Grower {
 public:
  explicit Grower(std::uint64_t seed) : rng_(seed) {}

  Tree number(int depth) {
    if (depth == 0) return number_leaf();
    switch (rng_.below(6)) {
      case 0:
        return sum_or_product(depth);
      case 1:
        return power(depth);
      case 2: {
        const Tree a = number(depth - 1);
        return {-a.value, "-" + space() + within(a, 9), 8};
      }
      case 3:
        return function(depth);
      case 4: {
        const Tree c = boolean(depth - 1);
        return conditional(c, number(depth - 1), number(depth - 1));
      }
      default:
        return number_leaf();
    }
  }

  Tree boolean(int depth) {
    if (depth == 0) return boolean_leaf();
    switch (rng_.below(5)) {
      case 0:
        return comparison(depth);
      case 1: {
        const Tree a = boolean(depth - 1);
        const Tree b = boolean(depth - 1);
        const bool both = rng_.below(2) == 0;
        const int binding = both ? 3 : 2;
        const std::string word = both ? pick({" and ", "&&"}) : pick({" or ", "||"});
        const bool value = both ? a.value > 0 && b.value > 0 : a.value > 0 || b.value > 0;
        return {double(value), within(a, binding) + word + within(b, binding + 1), binding};
      }
      case 2: {
        const Tree a = boolean(depth - 1);
        return {double(a.value == 0.0), pick({"not ", "!"}) + within(a, 5), 4};
      }
      case 3: {
        const Tree c = boolean(depth - 1);
        return conditional(c, boolean(depth - 1), boolean(depth - 1));
      }
      default:
        return boolean_leaf();
    }
  }

 private:
  std::string pick(std::initializer_list<const char*> words) {
    return *(words.begin() + rng_.below(words.size()));
  }
  std::string space() { return pick({"", " ", "  ", "\t"}); }

  // In parentheses where they are needed, and now and then where they are not.
  std::string within(const Tree& tree, int binding) {
    const bool needed = tree.binding < binding;
    if (!needed && rng_.below(8) != 0) return tree.text;
    return "(" + space() + tree.text + space() + ")";
  }

  Tree number_leaf() {
    switch (rng_.below(4)) {
      case 0:
        return {kSlots[0], "x"};
      case 1:
        return {kSlots[1], "\"/y\""};
      default: {
        const double value = static_cast<double>(rng_.below(40)) / 8.0;
        return {value, fmt::format("{}", value)};
      }
    }
  }

  Tree boolean_leaf() {
    switch (rng_.below(4)) {
      case 0:
        return {kSlots[2], "p"};
      case 1:
        return {kSlots[3], "\"/q\""};
      case 2:
        return {1.0, "true"};
      default:
        return {0.0, "'a' == 'b'", 5};
    }
  }

  Tree sum_or_product(int depth) {
    const Tree a = number(depth - 1);
    const Tree b = number(depth - 1);
    const std::size_t which = rng_.below(5);
    const std::array values{a.value + b.value, a.value - b.value, a.value * b.value,
                            a.value / b.value, std::fmod(a.value, b.value)};
    const int binding = which < 2 ? 6 : 7;
    return {values[which],
            within(a, binding) + space() + "+-*/%"[which] + space() + within(b, binding + 1),
            binding};
  }

  Tree power(int depth) {
    const Tree a = number(depth - 1);
    const Tree b = number(depth - 1);
    const bool missing = std::isnan(a.value) || std::isnan(b.value);
    // A sign needs no parentheses on the right of ^.
    const std::string right = b.binding == 8 ? b.text : within(b, 9);
    return {missing ? std::nan("") : std::pow(a.value, b.value), within(a, 10) + "^" + right, 9};
  }

  Tree function(int depth) {
    const Tree a = number(depth - 1);
    const Tree b = number(depth - 1);
    const bool missing = std::isnan(a.value) || std::isnan(b.value);
    switch (rng_.below(5)) {
      case 0:
        return {missing ? std::nan("") : std::fmin(a.value, b.value),
                "min(" + a.text + "," + b.text + ")"};
      case 1:
        return {missing ? std::nan("") : std::fmax(a.value, b.value),
                "max (" + a.text + " , " + b.text + " )"};
      case 2:
        return {std::floor(a.value), "floor(" + a.text + ")"};
      case 3:
        return {std::sqrt(a.value), "sqrt(" + a.text + ")"};
      default:
        return {std::abs(a.value), "abs(" + a.text + ")"};
    }
  }

  Tree comparison(int depth) {
    const Tree a = number(depth - 1);
    const Tree b = number(depth - 1);
    static constexpr std::array<const char*, 6> kSymbols{"<", "<=", ">", ">=", "==", "!="};
    const std::array values{a.value<b.value, a.value <= b.value, a.value> b.value,
                            a.value >= b.value, a.value == b.value,
                            a.value < b.value || a.value > b.value};
    const std::size_t which = rng_.below(6);
    return {double(values[which]),
            within(a, 6) + space() + kSymbols[which] + space() + within(b, 6), 5};
  }

  Tree conditional(const Tree& c, const Tree& a, const Tree& b) {
    return {c.value > 0.0 ? a.value : b.value,
            within(c, 2) + " ? " + within(a, 1) + " : " + within(b, 1), 1};
  }

  Rng rng_;
};

}  // namespace

TEST_CASE("a printed tree is read back and evaluates as the tree",
          "[sweep][expression][property]") {
  TextDictionary texts;
  const Scope scope = scope_of(texts);
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    Grower grower{seed};
    const int depth = 1 + static_cast<int>(seed % 6);
    const bool number = seed % 2 == 0;
    const Tree tree = number ? grower.number(depth) : grower.boolean(depth);
    CAPTURE(seed, tree.text);
    const Expression expression = parse_expression(tree.text, "x", scope);
    CHECK(expression.kind == (number ? ValueKind::number : ValueKind::boolean));
    const double value = evaluate(expression, kSlots);
    CHECK((value == tree.value || (std::isnan(value) && std::isnan(tree.value))));
  }
}

TEST_CASE("nonsense is read or refused with a caret, never worse",
          "[sweep][expression][property]") {
  TextDictionary texts;
  const Scope scope = scope_of(texts);
  Rng rng{17};
  static constexpr std::array<std::string_view, 32> kParts{
      "x", "\"/y\"", "p",    "\"/q\"", "1",  "2.5", "'a'",  "(",  ")",   "+",     "-",
      "*", "/",      "%",    "^",      "<",  "<=",  "==",   "!=", "and", "or",    "not",
      "?", ":",      "min(", ",",      "\"", "'",   "\xc3", "é",  "1e",  "floor("};
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t n = 1 + rng.below(9); n > 0; --n) {
      text += fmt::format("{} ", kParts[rng.below(kParts.size())]);
    }
    CAPTURE(text);
    try {
      evaluate(parse_expression(text, "x", scope), kSlots);
      ++read;
    } catch (const InputError& error) {
      CHECK(std::string_view(error.what()).ends_with("^"));
    }
  }
  CHECK(read > 100);
}
