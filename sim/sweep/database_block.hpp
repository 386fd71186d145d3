#pragma once

#include <cstddef>
#include <memory>

#include "sweep/database_sql.hpp"
#include "sweep/rows.hpp"

namespace fathom::sweep {

/// A block's rows as two tables that SQL can select from: `block_points` and `block_results`, with
/// the columns of `points` and `results`. They exist in their connection only, and must be
/// destroyed after it.
class BlockTables {
 public:
  explicit BlockTables(const Layout& layout);
  ~BlockTables();
  void attach(SqlConnection& connection);
  /// They now hold rows [first, last) of the block, which must outlive the selects.
  void show(const Block& block, std::size_t first, std::size_t last);

  struct Table;

 private:
  std::unique_ptr<Table> points_;
  std::unique_ptr<Table> results_;
};

}  // namespace fathom::sweep
