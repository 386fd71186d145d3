#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "sweep/merge.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::vector<std::string> shards;
  std::string output;
  bool overwrite = false;
};

}  // namespace

void add_merge(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("merge", "The shards of one sweep into one database");
  command->add_option("SHARDS", request->shards, "Databases that `fathom sweep --shard` wrote")
      ->required()
      ->option_text("FILE.db ...");
  command->add_option("-o,--output", request->output, "Database to write")
      ->required()
      ->option_text("FILE.db");
  command->add_flag("--overwrite", request->overwrite, "Replace an existing database");
  command->footer(
      "Examples:\n"
      "  for i in 0 1 2 3; do fathom sweep examples/sweep-decode.json --shard $i/4 -o part$i.db; "
      "done\n"
      "  fathom merge part0.db part1.db part2.db part3.db -o decode.db\n"
      "\n"
      "The result is byte for byte what one run would have written. Every shard must be complete\n"
      "and of the same sweep, models, profiles and program.");
  command->callback([request, &exit_code] {
    sweep::merge(request->shards, request->output, request->overwrite);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
