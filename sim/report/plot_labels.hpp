#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::report {

struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};
bool overlap(const Box& a, const Box& b);

struct Segment {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;
};
bool crosses(const Segment& segment, const Box& box);

/// An estimate, since nothing here can measure a font: errs towards wide.
double text_width(std::string_view text, double font_size);

/// The text, or its beginning and an ellipsis where it is wider than `room`: names may be long.
std::string elided(const std::string& text, double room, double font_size);

/// Finds free places for labels beside their points: first come, first served, the nearest of
/// 32 places around the point. What does not fit stays off the picture.
class LabelPlacer {
 public:
  explicit LabelPlacer(const Box& area) : area_(area) {}

  struct Place {
    Box box;
    int side = 1;  ///< of its point: -1 left, 0 centred, 1 right; text hugs its point
    bool far = false;
    Segment leader;  ///< from the point to the label, to be drawn if far
  };
  void block(const Box& box) { boxes_.push_back(box); }
  void block(const Segment& segment) { segments_.push_back(segment); }
  std::optional<Place> place(double x, double y, std::string_view text, double font_size);
  [[nodiscard]] bool is_free(const Box& box) const;

 private:
  Box area_;
  std::vector<Box> boxes_;
  std::vector<Box> labels_;  // also among boxes_; leaders must not cross these
  std::vector<Segment> segments_;
};

}  // namespace fathom::report
