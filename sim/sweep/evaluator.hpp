#pragma once

#include <cstdint>
#include <memory>

#include "sweep/rows.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {

/// Answers points of a sweep, one thread's worth: the model is cut and placed once for all points
/// that share their setting, then only re-timed. Same rows whoever evaluates which points.
class Evaluator {
 public:
  /// Both must outlive it; the library may be shared.
  Evaluator(const Sweep& sweep, study::Library& library);
  Evaluator(Evaluator&&) noexcept;
  ~Evaluator();

  /// Rows of the points [begin, end) that no constraint excludes.
  void run(std::int64_t begin, std::int64_t end, Block& out);

  /// How many of them there are, without answering them.
  std::int64_t count(std::int64_t begin, std::int64_t end);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom::sweep
