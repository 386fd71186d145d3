#include "report/plot_labels.hpp"

#include "catch.hpp"

using namespace fathom::report;

TEST_CASE("placed labels never overlap and stay inside", "[report][labels][property]") {
  const Box area{0, 0, 400, 300};
  LabelPlacer placer(area);
  std::vector<Box> placed;
  for (int i = 0; i < 60; ++i) {
    const auto place = placer.place(20 + (i * 37) % 360, 20 + (i * 53) % 260, "label", 11);
    if (!place) continue;
    const Box& box = place->box;
    CHECK((box.left >= area.left && box.right <= area.right));
    for (const Box& other : placed) CHECK_FALSE(overlap(box, other));
    placed.push_back(box);
  }
  CHECK(placed.size() > 20);
}

TEST_CASE("a label finds no place where everything is taken", "[report][labels]") {
  LabelPlacer placer({0, 0, 100, 100});
  placer.block(Box{0, 0, 100, 100});
  CHECK_FALSE(placer.place(50, 50, "x", 11).has_value());
}

TEST_CASE("a segment crosses the boxes it passes through", "[report][labels]") {
  const Box box{10, 10, 20, 20};
  CHECK(crosses({0, 0, 30, 30}, box));
  CHECK(crosses({12, 12, 14, 14}, box));
  CHECK_FALSE(crosses({0, 0, 9, 30}, box));
  CHECK_FALSE(crosses({0, 25, 30, 25}, box));
}
