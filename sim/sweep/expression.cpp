#include "sweep/expression.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "sweep/expression_ops.hpp"

namespace fathom::sweep {
namespace {

double as_number(bool b) { return b ? 1.0 : 0.0; }
// Booleans are 0 and 1; NaN, no value, is not true.
bool is_true(double b) { return b > 0.0; }

double unary(Op op, double a) {
  switch (op) {
    case Op::negate:
      return -a;
    case Op::logical_not:
      return as_number(!is_true(a));
    case Op::ceil:
      return std::ceil(a);
    case Op::floor:
      return std::floor(a);
    case Op::round:
      return std::round(a);
    case Op::abs:
      return std::abs(a);
    case Op::sqrt:
      return std::sqrt(a);
    case Op::log2:
      return std::log2(a);
    case Op::log:
      return std::log(a);
    default:
      return std::exp(a);
  }
}

// The branch of min and max that is taken for NaN on either side keeps it.
double binary(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::subtract:
      return a - b;
    case Op::multiply:
      return a * b;
    case Op::divide:
      return a / b;
    case Op::remainder:
      return std::fmod(a, b);
    case Op::power:
      return std::isnan(a) || std::isnan(b) ? a + b : std::pow(a, b);  // pow(NaN, 0) is 1
    case Op::min:
      return a < b || std::isnan(a) ? a : b;
    case Op::max:
      return a > b || std::isnan(a) ? a : b;
    case Op::less:
      return as_number(a < b);
    case Op::less_equal:
      return as_number(a <= b);
    case Op::greater:
      return as_number(a > b);
    case Op::greater_equal:
      return as_number(a >= b);
    case Op::equal:
      return as_number(a == b);
    case Op::not_equal:
      return as_number(a < b || a > b);
    case Op::logical_and:
      return as_number(is_true(a) && is_true(b));
    default:
      return as_number(is_true(a) || is_true(b));
  }
}

}  // namespace

std::int32_t TextDictionary::intern(std::string_view text) {
  const auto found = index_.find(text);
  if (found != index_.end()) return found->second;
  const std::int32_t index = size();
  texts_.emplace_back(text);
  index_.emplace(texts_.back(), index);
  return index;
}

double evaluate(const Expression& expression, std::span<const double> slots) {
  // Not initialised: the program writes each place before it reads it.
  std::array<double, kMaxExpressionStack> stack;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  double* top = stack.data();                     // one past the last value
  for (const Instruction& step : expression.program) {
    switch (operands(step.op)) {
      case 0:
        *top++ = step.op == Op::slot ? slots[static_cast<std::size_t>(step.slot)] : step.constant;
        break;
      case 1:
        top[-1] = unary(step.op, top[-1]);
        break;
      case 2:
        --top;
        top[-1] = binary(step.op, top[-1], top[0]);
        break;
      default:
        top -= 2;
        top[-1] = is_true(top[-1]) ? top[0] : top[1];
    }
  }
  return stack[0];
}

std::vector<std::int32_t> slots_used(const Expression& expression) {
  std::vector<std::int32_t> used;
  for (const Instruction& step : expression.program) {
    if (step.op == Op::slot) used.push_back(step.slot);
  }
  std::ranges::sort(used);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  return used;
}

}  // namespace fathom::sweep
