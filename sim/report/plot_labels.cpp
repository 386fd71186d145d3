#include "report/plot_labels.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/text.hpp"

namespace fathom::report {
namespace {

// From a point's centre to its label: beside it, then out of a cluster and of a crowd.
constexpr std::array<double, 4> kDistances = {7, 14, 24, 38};
constexpr double kAdjacent = 7;
constexpr double kMargin = 1.5;

struct Direction {
  double dx;
  double dy;
};

// In order of preference; text reads best to the right of its point.
constexpr std::array<Direction, 8> kDirections = {
    {{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {0.8, -0.8}, {-0.8, -0.8}, {0.8, 0.8}, {-0.8, 0.8}}};

Box box_towards(Direction direction, double x, double y, double distance, double width,
                double height) {
  const double left = direction.dx == 0  ? x - width / 2
                      : direction.dx > 0 ? x + direction.dx * distance
                                         : x + direction.dx * distance - width;
  const double top = y + direction.dy * (distance + height / 2) - height / 2;
  return {left, top, left + width, top + height};
}

}  // namespace

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// Liang-Barsky: shrink the segment's parameter interval side by side.
bool crosses(const Segment& segment, const Box& box) {
  double enter = 0;
  double leave = 1;
  const double dx = segment.x2 - segment.x1;
  const double dy = segment.y2 - segment.y1;
  const std::array<double, 4> step = {-dx, dx, -dy, dy};
  const std::array<double, 4> room = {segment.x1 - box.left, box.right - segment.x1,
                                      segment.y1 - box.top, box.bottom - segment.y1};
  for (std::size_t side = 0; side < step.size(); ++side) {
    const double p = step.at(side);
    const double q = room.at(side);
    if (p == 0) {
      if (q < 0) return false;
    } else if (p < 0) {
      enter = std::max(enter, q / p);
    } else {
      leave = std::min(leave, q / p);
    }
  }
  return enter <= leave;
}

double text_width(std::string_view text, double font_size) {
  // Latin letters and digits by an average, a Chinese character is as wide as it is high.
  const int wide = wide_characters(text);
  return font_size * (0.56 * (display_width(text) - 2 * wide) + wide);
}

bool LabelPlacer::is_free(const Box& box) const {
  const bool inside = box.left >= area_.left && box.right <= area_.right && box.top >= area_.top &&
                      box.bottom <= area_.bottom;
  if (!inside) return false;
  const auto hits_box = [&](const Box& other) { return overlap(box, other); };
  const auto hits_line = [&](const Segment& other) { return crosses(other, box); };
  return std::ranges::none_of(boxes_, hits_box) && std::ranges::none_of(segments_, hits_line);
}

std::string elided(const std::string& text, double room, double font_size) {
  if (text_width(text, font_size) <= room) return text;
  // The start of each character; its width is that of the text up to the next.
  double used = text_width("…", font_size);
  std::size_t end = 0;
  while (end < text.size()) {
    std::size_t next = end + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    used += text_width(std::string_view(text).substr(end, next - end), font_size);
    if (used > room) break;
    end = next;
  }
  return text.substr(0, end) + "…";
}

std::optional<LabelPlacer::Place> LabelPlacer::place(double x, double y, std::string_view text,
                                                     double font_size) {
  const double width = text_width(text, font_size);
  for (const double distance : kDistances) {
    for (const Direction direction : kDirections) {
      const Box box = box_towards(direction, x, y, distance, width, font_size);
      const Box padded{box.left - kMargin, box.top - kMargin, box.right + kMargin,
                       box.bottom + kMargin};
      if (!is_free(padded)) continue;
      const Segment leader{x, y, std::clamp(x, box.left, box.right),
                           std::clamp(y, box.top, box.bottom)};
      const auto under_leader = [&](const Box& label) { return crosses(leader, label); };
      if (std::ranges::any_of(labels_, under_leader)) continue;
      const bool far = distance > kAdjacent;
      boxes_.push_back(padded);
      labels_.push_back(padded);
      if (far) segments_.push_back(leader);
      const int side = direction.dx > 0 ? 1 : direction.dx < 0 ? -1 : 0;
      return Place{box, side, far, leader};
    }
  }
  return std::nullopt;
}

}  // namespace fathom::report
