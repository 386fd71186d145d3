#include "train/schedules/dualpipev.hpp"

#include "core/error.hpp"
#include "train/schedules/bidirectional.hpp"

namespace fathom::train {

PipelineSchedule dualpipev(std::int64_t ranks, std::int64_t chunks) {
  FATHOM_EXPECT(ranks > 0 && chunks >= 2 * ranks, "DualPipeV needs chunks >= 2 * ranks");
  PipelineSchedule out{.num_stages = 2 * ranks};
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    out.orders.push_back(bidirectional_order(
        {.rank = rank, .ranks = ranks, .position = rank, .depth = ranks, .chunks = chunks}));
    out.stages.push_back({{.path = 0, .stage = rank}, {.path = 0, .stage = 2 * ranks - 1 - rank}});
  }
  return out;
}

}  // namespace fathom::train
