#include "train/schedules/dualpipe.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "train/schedules/bidirectional.hpp"

namespace fathom::train {

PipelineSchedule dualpipe(std::int64_t ranks, std::int64_t chunks) {
  FATHOM_EXPECT(ranks > 0 && ranks % 2 == 0, "DualPipe needs an even number of ranks");
  FATHOM_EXPECT(chunks % 2 == 0 && chunks >= 2 * ranks, "DualPipe: chunks odd or too few");
  PipelineSchedule out{.num_stages = ranks};
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const std::int64_t mirrored = ranks - 1 - rank;
    out.orders.push_back(bidirectional_order({.rank = rank,
                                              .ranks = ranks,
                                              .position = std::min(rank, mirrored),
                                              .depth = ranks / 2,
                                              .chunks = chunks / 2,
                                              .swapped = mirrored < rank}));
    out.stages.push_back({{.path = 0, .stage = rank}, {.path = 1, .stage = mirrored}});
  }
  return out;
}

}  // namespace fathom::train
