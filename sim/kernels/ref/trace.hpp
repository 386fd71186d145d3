#pragma once

#include <string_view>

#include "kernels/counted.hpp"

namespace fathom::kernels::ref {

/// Receives the arithmetic of every labelled stretch of a run.
struct OpListener {
  virtual void operator_ran(std::string_view name, const Tally& work) = 0;

 protected:
  ~OpListener() = default;
};

/// Who listens on this thread; nobody by default.
inline thread_local OpListener* listener = nullptr;

/// Labels the arithmetic between its construction and its end with an operator's name, the one its
/// analytic twin has in sim/model. Scopes do not nest. Costs one test when nobody listens.
class OpScope {
 public:
  explicit OpScope(std::string_view name) : name_(name) {
    if (listener != nullptr) start_ = tally;
  }
  ~OpScope() {
    if (listener != nullptr) listener->operator_ran(name_, tally - start_);
  }
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

 private:
  std::string_view name_;
  Tally start_;
};

}  // namespace fathom::kernels::ref
