#pragma once
// Which operators a roofline page talks about, and its plots. Private to roofline.cpp.

#include <functional>
#include <string>
#include <vector>

#include "report/plot.hpp"
#include "study/operator_roofline.hpp"

namespace fathom::report::roofline {

using Points = std::vector<const study::RooflinePoint*>;
using Wanted = std::function<bool(const study::RooflinePoint&)>;
Points select(const study::OperatorRoofline& r, const Wanted& wanted);

bool is_routed(const study::RooflinePoint& p);  ///< a product of routed experts
bool is_decode(const study::OperatorRoofline& r);
/// The form that the phase usually runs in; the page is about it.
std::string main_form(const study::OperatorRoofline& r);
/// The batch that the page is about.
double reference_batch(const study::OperatorRoofline& r);
std::string batch_text(double batch);

/// The main form's operators at the reference batch, those that take longest first.
Points step_points(const study::OperatorRoofline& r);

struct BoundShare {
  timing::Bound bound = timing::Bound::memory;
  double share = 0.0;
  std::string largest;  ///< the operator that takes longest among them
};
/// Shares of step_points' time, largest first.
std::vector<BoundShare> bound_shares(const study::OperatorRoofline& r);

Plot step_plot(const study::OperatorRoofline& r);
Plot batch_plot(const study::OperatorRoofline& r);

}  // namespace fathom::report::roofline
