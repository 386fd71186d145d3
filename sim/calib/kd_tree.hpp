#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace fathom::calib {

struct Neighbour {
  std::size_t index = 0;
  double distance2 = 0.0;  // squared
};

/// Points of which none, or those with one label, are passed over.
struct Skip {
  std::span<const int> labels;  // one per point; empty: nothing is passed over
  int label = -1;
};

/// Nearest neighbours in a few dimensions. Ties go to the lower index, so results do not depend on
/// how the tree was built.
class KdTree {
 public:
  /// `points` row-major, `dimensions` numbers each.
  KdTree(std::vector<double> points, std::size_t dimensions);

  std::size_t size() const { return order_.size(); }
  std::span<const double> point(std::size_t index) const;
  /// At most `count` neighbours, nearest first, into `out` (cleared).
  void nearest(std::span<const double> at, std::size_t count, const Skip& skip,
               std::vector<Neighbour>& out) const;

 private:
  struct Node {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t axis = 0;
    double split = 0.0;
    std::size_t left = 0;  // 0: a leaf
    std::size_t right = 0;
  };
  struct Query {
    std::span<const double> at;
    std::size_t count;
    const Skip& skip;
    std::vector<Neighbour>& out;
  };

  std::size_t build(std::size_t begin, std::size_t end);
  void visit(std::size_t node, const Query& query) const;
  void offer(std::size_t index, const Query& query) const;

  std::vector<double> points_;
  std::size_t dimensions_;
  std::vector<std::size_t> order_;
  std::vector<Node> nodes_;
};

}  // namespace fathom::calib
