#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sweep {

enum class ValueKind : std::uint8_t { number, boolean, text };

/// The texts that expressions compare, each one a number: evaluation sees doubles only. A slot of
/// kind text holds an index into the dictionary that its expression was parsed with.
class TextDictionary {
 public:
  /// The index of `text`, which is added when it is new.
  std::int32_t intern(std::string_view text);
  const std::string& at(std::int32_t index) const { return texts_.at(std::size_t(index)); }
  std::int32_t size() const { return static_cast<std::int32_t>(texts_.size()); }

 private:
  std::vector<std::string> texts_;
  std::map<std::string, std::int32_t, std::less<>> index_;
};

/// Where the value of a name is found: `slots[index]` at evaluation, or a constant now. Booleans
/// are 0 and 1; texts are indices into the dictionary.
struct Slot {
  std::int32_t index = 0;
  ValueKind kind = ValueKind::number;
  std::optional<double> constant;
};

/// What an expression may name.
struct Scope {
  /// Nothing for what is unknown. A pointer comes without its double quotes ("/plan/tp").
  std::function<std::optional<Slot>(std::string_view name, bool pointer)> resolve;
  std::vector<std::string> known;  ///< names and pointers to suggest for an unknown one
  TextDictionary* texts = nullptr;
};

enum class Op : std::uint8_t;  // in expression_ops.hpp

struct Instruction {
  double constant = 0.0;
  std::int32_t slot = 0;
  Op op{};
};

/// A checked expression as a postfix program. Made by parse_expression() only.
struct Expression {
  std::string text;
  ValueKind kind = ValueKind::number;
  std::vector<Instruction> program;
};

/// parse_expression() refuses deeper nesting (parentheses, operands of operators, branches), and
/// each level keeps at most two values waiting.
inline constexpr int kMaxExpressionNesting = 100;
inline constexpr int kMaxExpressionStack = 2 * kMaxExpressionNesting + 1;

/// Reads, from what binds least to what binds most:
///
///   a ? b : c      or ||      and &&      not !      < <= > >= == !=      + -      * / %
///   unary -        ^ (from the right; -2^2 is -4)
///   numbers (64, 0.5, 1e3), 'texts', true, false, names, "/json/pointers", (…) and the functions
///   min(a, b, …) max(a, b, …) ceil floor round abs sqrt log2 log exp
///
/// A quote inside quotes is written twice. Numbers, booleans and texts do not mix: arithmetic and
/// < <= > >= take numbers, and/or/not and the condition of ?: booleans; == and != and the branches
/// of ?: two of a kind. Comparisons do not chain: write a < b and b < c.
/// InputError: `where`, what is wrong, and the text with a caret below the place.
Expression parse_expression(std::string_view text, std::string_view where, const Scope& scope);

/// IEEE arithmetic: 1/0 is infinite and 0/0 is NaN, `%` has the sign of the dividend, round() goes
/// away from zero at halves. NaN stands for "no value": arithmetic, min and max keep it, every
/// comparison with it is false (!= too), and as a boolean it counts as false. Both sides of and, or
/// and ?: are always evaluated. Allocates nothing and never throws. `slots` covers every index that
/// the scope gave out.
double evaluate(const Expression& expression, std::span<const double> slots);

/// Whether an expression of kind boolean is true.
inline bool holds(const Expression& condition, std::span<const double> slots) {
  return evaluate(condition, slots) > 0.0;
}

/// The slots whose values the result depends on, ascending, each once.
std::vector<std::int32_t> slots_used(const Expression& expression);

}  // namespace fathom::sweep
