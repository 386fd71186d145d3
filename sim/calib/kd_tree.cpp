#include "calib/kd_tree.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.hpp"

namespace fathom::calib {
namespace {

constexpr std::size_t kLeaf = 12;

bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.index < b.index;
}

}  // namespace

KdTree::KdTree(std::vector<double> points, std::size_t dimensions)
    : points_(std::move(points)), dimensions_(dimensions) {
  FATHOM_EXPECT(dimensions_ > 0 && points_.size() % dimensions_ == 0, "whole points");
  order_.resize(points_.size() / dimensions_);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (!order_.empty()) build(0, order_.size());
}

std::span<const double> KdTree::point(std::size_t index) const {
  return std::span<const double>(points_).subspan(index * dimensions_, dimensions_);
}

std::size_t KdTree::build(std::size_t begin, std::size_t end) {
  const std::size_t id = nodes_.size();
  nodes_.push_back({.begin = begin, .end = end});
  if (end - begin <= kLeaf) return id;
  std::size_t axis = 0;
  double widest = 0.0;
  for (std::size_t d = 0; d < dimensions_; ++d) {
    double low = point(order_[begin])[d];
    double high = low;
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min(low, point(order_[i])[d]);
      high = std::max(high, point(order_[i])[d]);
    }
    if (high - low > widest) {
      widest = high - low;
      axis = d;
    }
  }
  if (widest <= 0.0) return id;  // all the same point
  const std::size_t middle = begin + (end - begin) / 2;
  const auto at = [this](std::size_t i) { return order_.begin() + static_cast<std::ptrdiff_t>(i); };
  std::nth_element(at(begin), at(middle), at(end), [&](std::size_t a, std::size_t b) {
    return std::pair{point(a)[axis], a} < std::pair{point(b)[axis], b};
  });
  const double split = point(order_[middle])[axis];
  const std::size_t left = build(begin, middle);
  const std::size_t right = build(middle, end);
  nodes_[id].axis = axis;
  nodes_[id].split = split;
  nodes_[id].left = left;
  nodes_[id].right = right;
  return id;
}

void KdTree::offer(std::size_t index, const Query& query) const {
  if (!query.skip.labels.empty() && query.skip.labels[index] == query.skip.label) return;
  const std::span<const double> p = point(index);
  Neighbour found{index, 0.0};
  for (std::size_t d = 0; d < dimensions_; ++d) {
    const double difference = p[d] - query.at[d];
    found.distance2 += difference * difference;
  }
  std::vector<Neighbour>& out = query.out;
  if (out.size() == query.count && !nearer(found, out.back())) return;
  if (out.size() == query.count) out.pop_back();
  out.insert(std::ranges::upper_bound(out, found, nearer), found);
}

void KdTree::visit(std::size_t id, const Query& query) const {
  const Node& node = nodes_[id];
  if (node.left == 0) {
    for (std::size_t i = node.begin; i < node.end; ++i) offer(order_[i], query);
    return;
  }
  const double beyond = query.at[node.axis] - node.split;
  visit(beyond < 0.0 ? node.left : node.right, query);
  const bool full = query.out.size() == query.count;
  if (full && beyond * beyond > query.out.back().distance2) return;
  visit(beyond < 0.0 ? node.right : node.left, query);
}

void KdTree::nearest(std::span<const double> at, std::size_t count, const Skip& skip,
                     std::vector<Neighbour>& out) const {
  out.clear();
  if (count > 0 && !nodes_.empty()) visit(0, {at, count, skip, out});
}

}  // namespace fathom::calib
