// What a sweep's database survives.

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "stored_sweep.hpp"

using namespace fathom;
using namespace fathom::sweep;
namespace fs = std::filesystem;

namespace {

Manifest some_sweep(std::int64_t points) {
  Manifest manifest{.range = {0, points}, .whole = {0, points}};
  manifest.layout.inputs = {{"/plan/tp", ColumnKind::integer, {}},
                            {"/model", ColumnKind::text, {"deepseek-v3", "llama"}}};
  manifest.layout.results = {{"tpot_s", ColumnKind::real, {}}, {"usd", ColumnKind::real, {}}};
  manifest.provenance.entries = {{"version", "0.1.0"}, {"models/deepseek-v3.json", "f00d"}};
  return manifest;
}

}  // namespace

TEST_CASE("a writer that is killed at any moment loses nothing that it stored",
          "[sweep][property]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(12 * kBlockPoints);
  const std::string once = write_sweep(folder / "once.db", manifest, 3, 8);
  const std::string path = folder / "killed.db";
  Rng rng(3);
  std::int64_t stored = 0;
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = start([&] {
      Database database = Database::resume(path, manifest);
      append_rows(database, manifest, 3, manifest.range.end, 8);
      return database.finish() ? 0 : 1;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(rng.below(40000)));
    ::kill(child, SIGKILL);
    wait_for(child);
    Database database = Database::resume(path, manifest);
    CHECK(database.next() >= stored);
    stored = database.next();
  }
  Database database = Database::resume(path, manifest);
  append_rows(database, manifest, 3, manifest.range.end, 8);
  CHECK(database.finish());
  CHECK(bytes_of(path) == bytes_of(once));
}

TEST_CASE("a log that lost its end in a power cut costs its last blocks, never the rest",
          "[sweep][property]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(9 * kBlockPoints);
  const std::string once = write_sweep(folder / "once.db", manifest, 4, 4);
  Rng rng(GENERATE(1U, 2U, 3U, 4U));
  const std::string path = folder / "cut.db";
  const std::int64_t until =
      4 * kBlockPoints + static_cast<std::int64_t>(rng.below(5)) * kBlockPoints;
  wait_for(start([&] {
    Database database = Database::create(path, manifest, false);
    append_rows(database, manifest, 4, until, 4);
    return ::raise(SIGKILL);
  }));
  const std::string log = path + "-wal";
  fs::resize_file(log, rng.below(fs::file_size(log)));
  fs::remove(path + "-shm");
  Database database = Database::resume(path, manifest);
  CHECK(database.next() < until);
  append_rows(database, manifest, 4, manifest.range.end, 4);
  CHECK(database.finish());
  CHECK(bytes_of(path) == bytes_of(once));
}

TEST_CASE("a full disk keeps what is stored, and a resume goes on once there is room", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(12 * kBlockPoints);
  const std::string path = folder / "r.db";
  const std::string note = folder / "note";
  const auto limit = GENERATE(rlim_t{20000}, rlim_t{200000}, rlim_t{700000});
  CAPTURE(limit);
  const int status = wait_for(start([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    std::int64_t next = 0;
    const std::string text = complaint([&] {
      const rlimit size = {limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &size);
      Database database = Database::resume(path, manifest);
      for (; next < manifest.range.end; next = database.next()) {
        append_rows(database, manifest, 3, next + 1);
      }
    });
    std::ofstream(note) << next << '\n' << text;
    return 0;
  }));
  REQUIRE(status == 0);
  std::ifstream file(note);
  std::int64_t next = 0;
  std::string text;
  file >> next;
  std::getline(file.ignore(), text);
  CHECK(next < manifest.range.end);
  CHECK_THAT(text, contains("r.db: ") && contains("file too large"));
  Database database = Database::resume(path, manifest);
  CHECK(database.next() == next);
  append_rows(database, manifest, 3);
  database.finish();
  CHECK(bytes_of(path) == bytes_of(write_sweep(folder / "once.db", manifest, 3)));
}

TEST_CASE("a block that found no room may be given again", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(4 * kBlockPoints);
  const std::string path = folder / "r.db";
  const int status = wait_for(start([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    Database database = Database::create(path, manifest, false);
    append_rows(database, manifest, 3, 1);
    rlimit size = {0, RLIM_INFINITY};
    ::getrlimit(RLIMIT_FSIZE, &size);
    const rlim_t unlimited = size.rlim_cur;
    size.rlim_cur = 300000;
    ::setrlimit(RLIMIT_FSIZE, &size);
    const bool refused = !complaint([&] { append_rows(database, manifest, 3); }).empty();
    size.rlim_cur = unlimited;
    ::setrlimit(RLIMIT_FSIZE, &size);
    append_rows(database, manifest, 3);
    return refused && database.finish() ? 0 : 1;
  }));
  CHECK(status == 0);
  CHECK(bytes_of(path) == bytes_of(write_sweep(folder / "once.db", manifest, 3)));
}
