// Precedence climbing (Pratt 1973) straight into a postfix program.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "sweep/expression.hpp"
#include "sweep/expression_ops.hpp"
#include "sweep/expression_tokens.hpp"

namespace fathom::sweep {
namespace {

// How strongly an operator holds its operands. `not` holds a whole comparison (not a < b), a sign
// a whole power (-2 ^ 2).
constexpr int kConditional = 1;
constexpr int kOr = 2;
constexpr int kAnd = 3;
constexpr int kComparison = 4;
constexpr int kSum = 5;
constexpr int kProduct = 6;
constexpr int kPower = 7;

struct BinaryOperator {
  std::string_view symbol;
  Op op;
  int binding;
};

constexpr std::array kBinary{
    BinaryOperator{"||", Op::logical_or, kOr},
    BinaryOperator{"&&", Op::logical_and, kAnd},
    BinaryOperator{"<", Op::less, kComparison},
    BinaryOperator{"<=", Op::less_equal, kComparison},
    BinaryOperator{">", Op::greater, kComparison},
    BinaryOperator{">=", Op::greater_equal, kComparison},
    BinaryOperator{"==", Op::equal, kComparison},
    BinaryOperator{"!=", Op::not_equal, kComparison},
    BinaryOperator{"+", Op::add, kSum},
    BinaryOperator{"-", Op::subtract, kSum},
    BinaryOperator{"*", Op::multiply, kProduct},
    BinaryOperator{"/", Op::divide, kProduct},
    BinaryOperator{"%", Op::remainder, kProduct},
    BinaryOperator{"^", Op::power, kPower},
};

struct Function {
  std::string_view name;
  Op op;
};

constexpr std::array kFunctions{
    Function{"min", Op::min},     Function{"max", Op::max},     Function{"ceil", Op::ceil},
    Function{"floor", Op::floor}, Function{"round", Op::round}, Function{"abs", Op::abs},
    Function{"sqrt", Op::sqrt},   Function{"log2", Op::log2},   Function{"log", Op::log},
    Function{"exp", Op::exp},
};

const BinaryOperator* binary_operator(const Token& token) {
  for (const BinaryOperator& candidate : kBinary) {
    if (token.is(candidate.symbol)) return &candidate;
  }
  return nullptr;
}

const Function* function(std::string_view name) {
  for (const Function& candidate : kFunctions) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::number:
      return "a number";
    case ValueKind::boolean:
      return "a boolean";
    default:
      return "a text";
  }
}

// A part that has been read: its values are what the program leaves on the stack.
struct Operand {
  ValueKind kind = ValueKind::number;
  std::size_t begin = 0;  // offset, for complaints
};

class Parser {
 public:
  Parser(const ExpressionSource& source, const Scope& scope)
      : source_(source), scope_(scope), token_(next_token(source, 0)) {}

  Expression whole() {
    if (token_.kind == TokenKind::end) complain(source_, token_.begin, "an empty expression");
    const Operand result = operand(kConditional);
    if (token_.kind != TokenKind::end) {
      complain(source_, token_.begin,
               fmt::format("found {}, expected an operator or the end", found()));
    }
    out_.text = std::string(source_.text);
    out_.kind = result.kind;
    return std::move(out_);
  }

 private:
  // Everything that holds together with at least `binding`.
  Operand operand(int binding) {
    if (++depth_ > kMaxExpressionNesting) {
      complain(source_, token_.begin,
               fmt::format("nested more than {} levels deep", kMaxExpressionNesting));
    }
    Operand left = prefix();
    bool compared = false;
    while (true) {
      if (token_.is("?") && binding <= kConditional) {
        left = conditional(left);
        continue;
      }
      const BinaryOperator* next = binary_operator(token_);
      if (next == nullptr || next->binding < binding) break;
      if (compared && next->binding == kComparison) {
        complain(source_, token_.begin, "comparisons do not chain; write a < b and b < c");
      }
      compared = next->binding == kComparison;
      left = infix(left, *next);
    }
    --depth_;
    return left;
  }

  Operand infix(const Operand& left, const BinaryOperator& by) {
    const Token symbol = take();
    // From the right: the operand of ^ may begin with another ^ or a sign.
    const Operand right = operand(by.binding == kPower ? kPower : by.binding + 1);
    if (by.op == Op::equal || by.op == Op::not_equal) {
      same_kind(left, right, symbol);
    } else {
      const ValueKind needed = by.binding <= kAnd ? ValueKind::boolean : ValueKind::number;
      need(left, needed, symbol);
      need(right, needed, symbol);
    }
    emit(by.op);
    return {by.binding <= kComparison ? ValueKind::boolean : ValueKind::number, left.begin};
  }

  Operand conditional(const Operand& condition) {
    const Token question = take();
    need(condition, ValueKind::boolean, question);
    const Operand yes = operand(kConditional);
    expect(":", "':' and what holds otherwise");
    const Operand no = operand(kConditional);
    if (yes.kind != no.kind) {
      complain(source_, no.begin,
               fmt::format("found {} after ':' and {} before it, expected two of a kind",
                           kind_name(no.kind), kind_name(yes.kind)));
    }
    emit(Op::select);
    return {yes.kind, condition.begin};
  }

  Operand prefix() {
    const Token token = take();
    switch (token.kind) {
      case TokenKind::number:
        push(token.number);
        return {ValueKind::number, token.begin};
      case TokenKind::text:
        FATHOM_EXPECT(scope_.texts != nullptr, "a scope has a dictionary");
        push(scope_.texts->intern(token.value));
        return {ValueKind::text, token.begin};
      case TokenKind::pointer:
        return resolved(token);
      case TokenKind::name:
        return named(token);
      default:
        return sign_or_group(token);
    }
  }

  Operand sign_or_group(const Token& token) {
    if (token.is("(")) {
      const Operand inside = operand(kConditional);
      expect(")", "an operator or ')'");
      return {inside.kind, token.begin};
    }
    const bool minus = token.is("-");
    if (!minus && !token.is("!")) no_operand(token);
    const Operand inside = operand(minus ? kPower : kComparison);
    const ValueKind kind = minus ? ValueKind::number : ValueKind::boolean;
    need(inside, kind, token);
    emit(minus ? Op::negate : Op::logical_not);
    return {kind, token.begin};
  }

  [[noreturn]] void no_operand(const Token& token) const {
    const std::string_view hint = token.is("/") ? "; a JSON pointer goes in double quotes" : "";
    complain(source_, token.begin,
             fmt::format("found {}, expected a number, name or '('{}", shown(token), hint));
  }

  Operand named(const Token& name) {
    if (token_.is("(")) return call(name);
    if (name.value == "true" || name.value == "false") {
      push(name.value == "true" ? 1.0 : 0.0);
      return {ValueKind::boolean, name.begin};
    }
    return resolved(name);
  }

  Operand call(const Token& name) {
    const Function* called = function(name.value);
    if (called == nullptr) {
      std::array<std::string_view, kFunctions.size()> names;
      std::ranges::transform(kFunctions, names.begin(), &Function::name);
      complain(source_, name.begin,
               fmt::format("unknown function '{}'{}", printable(name.value),
                           did_you_mean(name.value, names)));
    }
    const bool several = operands(called->op) == 2;
    std::size_t count = 0;
    do {
      take();  // the parenthesis or a comma
      need(operand(kConditional), ValueKind::number, name);
      if (several && count > 0) emit(called->op);
      ++count;
    } while (token_.is(","));
    expect(")", "',' or ')'");
    if (!several && count != 1) {
      complain(source_, name.begin, fmt::format("{} takes 1 value, found {}", name.value, count));
    }
    if (!several) emit(called->op);
    return {ValueKind::number, name.begin};
  }

  Operand resolved(const Token& name) {
    const bool pointer = name.kind == TokenKind::pointer;
    if (pointer && !name.value.starts_with('/')) {
      complain(source_, name.begin,
               fmt::format("found \"{}\", expected a JSON pointer such as \"/plan/tp\"; names are "
                           "written without quotes, texts in single quotes",
                           printable(name.value)));
    }
    const std::optional<Slot> slot = scope_.resolve(name.value, pointer);
    if (!slot) unknown(name);
    if (slot->constant) {
      push(*slot->constant);
    } else {
      add({.slot = slot->index, .op = Op::slot});
    }
    return {slot->kind, name.begin};
  }

  [[noreturn]] void unknown(const Token& name) const {
    const bool pointer = name.kind == TokenKind::pointer;
    std::vector<std::string_view> alike;
    for (const std::string& candidate : scope_.known) {
      if (candidate.starts_with('/') == pointer) alike.push_back(candidate);
    }
    std::string hint = did_you_mean(name.value, alike);
    if (!pointer && function(name.value) != nullptr) {
      hint = fmt::format("; the function is called as {}(…)", name.value);
    }
    complain(source_, name.begin,
             fmt::format("unknown {} '{}'{}", pointer ? "pointer" : "name", printable(name.value),
                         hint));
  }

  void need(const Operand& value, ValueKind kind, const Token& by) const {
    if (value.kind == kind) return;
    complain(source_, value.begin,
             fmt::format("found {}, {} takes {}", kind_name(value.kind), shown(by),
                         kind == ValueKind::number ? "numbers" : "booleans"));
  }

  void same_kind(const Operand& left, const Operand& right, const Token& by) const {
    if (left.kind == right.kind) return;
    complain(source_, by.begin,
             fmt::format("{} compares {} with {}, expected two of a kind", shown(by),
                         kind_name(left.kind), kind_name(right.kind)));
  }

  std::string shown(const Token& token) const {
    if (token.kind == TokenKind::end) return "the end";
    const auto written = source_.text.substr(token.begin, token.end - token.begin);
    const bool quoted = token.kind == TokenKind::text || token.kind == TokenKind::pointer;
    return quoted ? printable(written, 40) : fmt::format("'{}'", printable(written, 40));
  }

  std::string found() const { return shown(token_); }

  Token take() {
    Token taken = std::move(token_);
    token_ = next_token(source_, taken.end);
    return taken;
  }

  void expect(std::string_view symbol, std::string_view expected) {
    if (!token_.is(symbol)) {
      complain(source_, token_.begin, fmt::format("found {}, expected {}", found(), expected));
    }
    take();
  }

  void add(const Instruction& step) { out_.program.push_back(step); }
  void push(double constant) { add({.constant = constant, .op = Op::constant}); }

  // An operation on constants alone is done now, by the same code that would do it later.
  void emit(Op op) {
    add({.op = op});
    const auto steps = static_cast<std::size_t>(operands(op)) + 1;
    const auto first = out_.program.end() - static_cast<std::ptrdiff_t>(steps);
    for (auto step = first; step != out_.program.end() - 1; ++step) {
      if (step->op != Op::constant) return;
    }
    const double value = evaluate({.program = {first, out_.program.end()}}, {});
    out_.program.erase(first, out_.program.end());
    push(value);
  }

  ExpressionSource source_;
  const Scope& scope_;
  Token token_;
  Expression out_;
  int depth_ = 0;
};

}  // namespace

Expression parse_expression(std::string_view text, std::string_view where, const Scope& scope) {
  return Parser{{text, where}, scope}.whole();
}

}  // namespace fathom::sweep
