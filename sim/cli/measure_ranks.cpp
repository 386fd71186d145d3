#include "cli/measure_ranks.hpp"

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "collectives/measure_collectives.hpp"

namespace fathom::cli {

void measure_ranks(const measure::RunOptions& options, std::int64_t largest_mib,
                   const OutputOptions& output) {
  collectives::Communicator ranks;
  collectives::CollectiveOptions wanted{.rounds = options.paired.rounds,
                                        .seconds = options.paired.seconds,
                                        .shortest = options.paired.shortest,
                                        .largest = largest_mib << 20,
                                        .only = options.only,
                                        .seed = options.seed};
  if (options.suite != measure::Suite::quick) wanted.size_step = 2;
  std::unique_ptr<Progress> progress;
  if (ranks.rank() == 0) {
    progress = std::make_unique<Progress>("measuring");
    wanted.progress = [&](double share, const std::string&) { progress->report(share); };
  }
  const collectives::RanksMeasurement measured =
      collectives::measure_collectives(ranks, wanted, stop_on_interrupt());
  if (ranks.rank() != 0) return;
  progress->finish();
  emit(collectives::page(measured), collectives::to_json(measured), output);
}

}  // namespace fathom::cli
