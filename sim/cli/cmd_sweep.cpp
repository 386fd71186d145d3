#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/si_format.hpp"
#include "report/builders/sweep.hpp"
#include "sweep/job.hpp"
#include "sweep/mpi_peers.hpp"

namespace fathom::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string file;
  std::string database;
  OutputOptions summary;
  std::string shard;
  int threads = 0;
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  bool no_mpi = false;
};

std::string database_of(const Request& request) {
  if (!request.database.empty()) return request.database;
  return std::filesystem::path(request.file).stem().string() + ".db";
}

int run_dry(const sweep::Sweep& sweep, study::Library& library, const sweep::Shard& shard,
            const Request& request) {
  const sweep::Forecast f = sweep::forecast(sweep, library, shard);
  const int threads = request.threads > 0 ? request.threads : hardware_threads();
  const double seconds = f.rows * f.seconds_per_row / threads;
  const auto columns =
      static_cast<double>(sweep.layout.inputs.size() + sweep.layout.results.size());
  const double bytes = f.rows * columns * sizeof(double);
  nlohmann::json data{{"points", f.points},
                      {"rows", std::round(f.rows)},
                      {"rows_counted", f.exact_rows},
                      {"threads", threads},
                      {"evaluation_s", seconds},
                      {"database_bytes", bytes},
                      {"tried", f.tried},
                      {"feasible_share_of_tried", f.feasible}};
  report::Document page;
  page.title = "Dry run" + (sweep.name.empty() ? "" : ": " + sweep.name);
  page.finding = fmt::format(
      "{} points, {}{} rows, {} of evaluation on {} thread{} like those of this machine.",
      format_count(f.points), f.exact_rows ? "" : "about ",
      format_count(static_cast<std::int64_t>(std::round(f.rows))), format_seconds(Seconds{seconds}),
      threads, threads == 1 ? "" : "s");
  report::Table table{.columns = {report::text_column("axis"),
                                  report::number_column("values", "", report::NumberFormat::count),
                                  report::text_column("base")}};
  for (const sweep::Base& base : sweep.bases) {
    for (const sweep::Axis& axis : base.axes) {
      std::string names;
      for (const std::int32_t field : axis.fields) {
        names +=
            (names.empty() ? "" : ", ") + sweep.fields[static_cast<std::size_t>(field)].pointer;
      }
      table.rows.push_back({names, axis.size, base.name});
    }
  }
  page.blocks.push_back(std::move(table));
  page.blocks.push_back(report::Note{
      report::NoteKind::info,
      fmt::format("{} points were tried, {} of them can run; the database takes about {}", f.tried,
                  format_percent(f.feasible), format_bytes_binary(Bytes{bytes}))});
  emit(std::move(page), data, request.summary);
  return kOk;
}

// Nothing while it is quick; then what was done and how fast.
void say_how_fast(const sweep::JobResult& result, Clock::time_point start) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const std::int64_t points = result.next - result.before;
  if (seconds < 1.0 || points == 0) return;
  fmt::print(stderr, "{} points in {}: {}\n", format_count(points),
             format_seconds(Seconds{seconds}),
             format_si(static_cast<double>(points) / seconds, "points/s"));
}

int finish(const sweep::Sweep& sweep, const sweep::JobResult& result, const Request& request) {
  const std::string database = database_of(request);
  report::SweepPage page{.name = sweep.name,
                         .database = database,
                         .points = sweep.points(),
                         .begin = result.range.begin,
                         .end = result.range.end,
                         .next = result.next,
                         .summary = result.summary,
                         .labels = request.summary.format == "html"};
  nlohmann::json data = sweep::to_json(result.summary);
  data["points"] = page.points;
  data["range"] = {page.begin, page.end};
  data["next"] = page.next;
  data["database"] = database;
  emit(report::sweep_document(page), data, request.summary);
  if (result.next == result.range.end) return kOk;
  fmt::print(stderr, "stopped: {} of {} points are in {}; go on with --resume\n",
             format_count(result.next - result.range.begin), format_count(result.range.points()),
             database);
  return kInterrupted;
}

int run(const Request& request) {
  const auto start = Clock::now();
  const std::stop_token stop = stop_on_interrupt();
  const auto peers = request.no_mpi ? nullptr : sweep::mpi_peers();
  const bool leader = peers == nullptr || peers->rank() == 0;
  study::Library library;
  const sweep::Sweep sweep = sweep::load_sweep(request.file, library);
  const sweep::Shard shard =
      request.shard.empty() ? sweep::Shard{} : sweep::parse_shard(request.shard, "--shard");
  if (request.dry_run) return leader ? run_dry(sweep, library, shard, request) : kOk;
  Progress progress("sweep");
  const sweep::PointRange range = sweep::range_of(sweep, shard);
  sweep::JobOptions job{.database = database_of(request),
                        .resume = request.resume,
                        .overwrite = request.overwrite,
                        .shard = shard};
  job.run.threads = request.threads;
  job.run.peers = peers.get();
  job.run.stop = stop;
  job.run.progress = [&](std::int64_t next) {
    progress.report_count(next - range.begin, range.points(), "points");
  };
  const sweep::JobResult result = sweep::run_job(sweep, library, job, version_line());
  progress.finish();
  if (!result.writer) return kOk;
  say_how_fast(result, start);
  return finish(sweep, result, request);
}

}  // namespace

void add_sweep(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "sweep", "Many scenarios at once: grids, samples and constraints, into a SQLite database");
  command
      ->add_option("SWEEP", request->file, "Sweep (JSON; docs/sweeps.md, docs/schema/sweep.json)")
      ->required()
      ->option_text("SWEEP.json");
  command
      ->add_option("-o,--output", request->database,
                   "Database to write; the sweep's name with .db in this folder when not given")
      ->option_text("FILE.db");
  command->add_flag("--resume", request->resume,
                    "Go on where an earlier run of the same sweep stopped; begin if none did");
  command->add_flag("--overwrite", request->overwrite, "Replace an existing database");
  command->add_flag("--dry-run", request->dry_run, "Say how many points there are and how long");
  command
      ->add_option("--shard", request->shard,
                   "Only part i of n, for job arrays; `fathom merge` puts the parts together")
      ->option_text("I/N");
  command->add_option("--threads", request->threads, "Threads of this process; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  command->add_flag("--no-mpi", request->no_mpi, "Alone, even when an MPI launcher started it");
  add_format_option(*command, request->summary, {"table", "json", "markdown", "html", "csv"});
  command
      ->add_option("--summary", request->summary.output,
                   "Write the summary to a file instead of standard output")
      ->option_text("FILE");
  command->footer(
      "Examples:\n"
      "  fathom sweep examples/sweep-decode.json --dry-run\n"
      "  fathom sweep examples/sweep-decode.json -o decode.db\n"
      "  fathom sweep examples/sweep-million.json -o million.db --resume\n"
      "  fathom report decode.db --format html -o decode.html\n"
      "  fathom report decode.db --format csv -o decode.csv      every row\n"
      "  mpirun -n 4 fathom sweep examples/sweep-million.json -o million.db --threads 8\n"
      "  fathom sweep examples/sweep-million.json -o part3.db --shard 3/16\n"
      "  fathom merge part*.db -o million.db\n"
      "\n"
      "Ctrl-C, kill -9 or a full disk lose nothing that was stored; --resume goes on. Rows are "
      "the\n"
      "same, byte for byte, for any number of threads, ranks and shards.");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
