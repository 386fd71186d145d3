#include "sweep/rows.hpp"

namespace fathom::sweep {

void Block::clear() {
  begin = end = 0;
  numbers.clear();
  inputs.clear();
  results.clear();
  reason.clear();
  reasons.clear();
}

}  // namespace fathom::sweep
