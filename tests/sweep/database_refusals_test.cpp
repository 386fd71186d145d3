// What a sweep's database refuses, and how it says so.

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "catch.hpp"
#include "core/error.hpp"
#include "stored_sweep.hpp"
#include "sweep/database_sql.hpp"

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

void alter(const std::string& path, const std::string& sql) {
  SqlConnection connection(path, path, SqlConnection::Access::write);
  connection.execute(sql);
}

}  // namespace

TEST_CASE("one file has one writer, and the second hears who the first is", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(10);
  const std::string path = folder / "r.db";
  fs::create_symlink(path, folder / "link.db");
  const Database first = Database::create(path, manifest, false);
  const std::string other = GENERATE("r.db", "link.db");
  const auto holder = fmt::format("process {} on ", static_cast<long>(::getpid()));
  CHECK_THAT(complaint([&] { Database::resume(folder / other, manifest); }),
             contains(other + ": " + holder) && contains("is writing it"));
  CHECK_THAT(complaint([&] { Database::create(folder / other, manifest, true); }),
             contains(holder));
}

TEST_CASE("a lock file that a killed writer left keeps nobody out", "[sweep]") {
  const ScratchFolder folder;
  std::ofstream(folder / "r.db-lock") << "process 1 on nowhere\n";
  CHECK_NOTHROW(Database::create(folder / "r.db", some_sweep(10), false));
  CHECK_FALSE(fs::exists(folder / "r.db-lock"));
}

TEST_CASE("an existing file is replaced on demand only, and only a sweep's", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(100);
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  const std::string before = bytes_of(path);
  CHECK_THAT(complaint([&] { Database::create(path, manifest, false); }),
             contains("r.db: exists; continue it with --resume or replace it with --overwrite"));
  CHECK(bytes_of(path) == before);
  CHECK(Database::create(path, manifest, true).next() == 0);

  const std::string spec = folder / "sweep.json";
  std::ofstream(spec) << "{}";
  CHECK_THAT(complaint([&] { Database::create(spec, manifest, true); }),
             contains("sweep.json: is not a sweep's database"));
  CHECK(bytes_of(spec) == "{}");
}

TEST_CASE("a damaged sweep database may be overwritten", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(20000);
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  fs::resize_file(path, 40000);
  CHECK(Database::create(path, manifest, true).next() == 0);
}

TEST_CASE("a resume names what changed in the sweep", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(20000);
  const std::string path = folder / "r.db";
  { const Database begun = Database::create(path, manifest, false); }
  const auto refusal = [&](const std::function<void(Manifest&)>& change) {
    Manifest changed = manifest;
    change(changed);
    return complaint([&] { Database::resume(path, changed); });
  };
  CHECK_THAT(
      refusal([](Manifest& m) { m.provenance.entries[1].second = "beef"; }),
      contains("r.db: provenance 'models/deepseek-v3.json' is 'f00d', this sweep has 'beef'"));
  CHECK_THAT(refusal([](Manifest& m) { m.provenance.entries.pop_back(); }),
             contains("provenance 'models/deepseek-v3.json' is 'f00d', this sweep has none"));
  CHECK_THAT(refusal([](Manifest& m) { m.provenance.entries.emplace_back("calibration", "c4fe"); }),
             contains("provenance 'calibration' is missing, this sweep has 'c4fe'"));
  CHECK_THAT(refusal([](Manifest& m) { m.layout.inputs[0].name = "/plan/ep"; }),
             contains("column 1 of points is '/plan/tp' (INTEGER), this sweep has '/plan/ep' "
                      "(INTEGER)"));
  CHECK_THAT(refusal([](Manifest& m) { m.layout.results.pop_back(); }),
             contains("column 2 of results is 'usd' (REAL), this sweep has none"));
  CHECK_THAT(refusal([](Manifest& m) { m.layout.inputs[1].texts[1] = "qwen"; }),
             contains("column '/model' of points can hold 'llama', in this sweep 'qwen'"));
  CHECK_THAT(refusal([](Manifest& m) { m.layout.inputs[1].texts.pop_back(); }),
             contains("column '/model' of points can hold 'llama', in this sweep 1 texts"));
  CHECK_THAT(refusal([](Manifest& m) { m.range.end = 10000; }),
             contains("it is for points 0 to 20000, this shard has 0 to 10000"));
  CHECK(Database::resume(path, manifest).next() == 0);
}

TEST_CASE("two long values are shown where they part", "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = some_sweep(10);
  const std::string same(5000, 'x');
  manifest.provenance.entries[0].second = same + "tp 4";
  const std::string path = folder / "r.db";
  { const Database begun = Database::create(path, manifest, false); }
  manifest.provenance.entries[0].second = same + "tp 8";
  CHECK_THAT(complaint([&] { Database::resume(path, manifest); }),
             contains("is '…xxxxxxxxxxxxxtp 4', this sweep has '…xxxxxxxxxxxxxtp 8'"));
}

TEST_CASE("what is no sweep's database is refused by name and stays as it is", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(10);
  std::ofstream(folder / "text.db") << std::string(2000, 'a');
  std::ofstream(folder / "other.db");
  alter(folder / "other.db", "CREATE TABLE t(x)");
  std::ofstream(folder / "empty.db");
  const auto name = GENERATE("text.db", "other.db", "missing.db", "empty.db", "no/r.db", ".");
  const std::string path = folder / name;
  CAPTURE(path);
  const std::string before = fs::is_regular_file(path) ? bytes_of(path) : "";
  const std::string_view shown = name;
  CHECK_THAT(complaint([&] { Reader::open(path); }), contains(std::string(shown) + ": "));
  if (shown != "missing.db" && shown != "empty.db") {
    CHECK_THAT(complaint([&] { Database::resume(path, manifest); }),
               contains(std::string(shown) + ": "));
  }
  if (fs::is_regular_file(path) && !before.empty()) CHECK(bytes_of(path) == before);
}

TEST_CASE("a database of another format is refused with both formats", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(10);
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  alter(path, "PRAGMA user_version = 2");
  const std::string message = "r.db: found sweep database format 2, expected 1";
  CHECK_THAT(complaint([&] { Database::resume(path, manifest); }), contains(message));
  CHECK_THAT(complaint([&] { Reader::open(path); }), contains(message));
}

TEST_CASE("a damaged database is an input error, whatever was damaged", "[sweep][property]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(20000);
  const std::string good = write_sweep(folder / "good.db", manifest, 1);
  const std::string path = folder / "r.db";
  Rng rng(GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U));
  std::string bytes = bytes_of(good);
  if (rng.below(3) == 0) {
    bytes.resize(rng.below(bytes.size()));
  } else {
    for (int i = 0; i < 2000; ++i)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
  }
  std::ofstream(path, std::ios::binary) << bytes;
  // Damage inside a number cannot be told from another number; anything else is refused.
  try {
    Reader::open(path).for_each([](const Block&) {});
  } catch (const InputError& error) {
    CHECK_THAT(error.what(), contains("r.db: "));
  }
  try {
    Database::resume(path, manifest);
  } catch (const InputError& error) {
    CHECK_THAT(error.what(), contains("r.db: "));
  }
}

TEST_CASE("rows that only one table has, and altered tables, are damage", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(20000);
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  const auto sql =
      GENERATE("DELETE FROM results WHERE number = 7", "DELETE FROM points WHERE number = 19999",
               "UPDATE points SET \"/model\" = 'gpt' WHERE number = 3",
               "UPDATE results SET usd = 'cheap' WHERE number = 3", "UPDATE progress SET next = 5",
               "UPDATE progress SET next = 20001", "DELETE FROM progress",
               "ALTER TABLE points ADD COLUMN more", "UPDATE columns SET kind = 'BLOB'",
               "UPDATE columns SET texts = '[1]'", "DROP TABLE provenance");
  CAPTURE(sql);
  alter(path, sql);
  CHECK_THAT(complaint([&] { Reader::open(path).for_each([](const Block&) {}); }),
             contains("r.db: "));
}

TEST_CASE("column names that SQL cannot tell apart are refused before a file is touched",
          "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = some_sweep(10);
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  const std::string before = bytes_of(path);
  manifest.layout.results[0].name =
      GENERATE(std::string("/PLAN/tp"), std::string("Reason"), std::string("number"), std::string(),
               std::string("a\0b", 3));
  CHECK_THAT(complaint([&] { Database::create(path, manifest, true); }),
             contains("r.db: column '"));
  CHECK(bytes_of(path) == before);
}

TEST_CASE("more columns than a table may have are counted", "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = some_sweep(10);
  for (int i = 0; i < 2000; ++i) {
    manifest.layout.inputs.push_back({fmt::format("/{}", i), ColumnKind::real, {}});
  }
  CHECK_THAT(complaint([&] { Database::create(folder / "r.db", manifest, false); }),
             contains("r.db: found 2007 columns, expected at most 2000"));
}

TEST_CASE("the most columns that are accepted work", "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = some_sweep(10);
  while (manifest.layout.inputs.size() + manifest.layout.results.size() < 1997) {
    const auto i = manifest.layout.inputs.size();
    manifest.layout.inputs.push_back({fmt::format("/{}", i), ColumnKind::real, {}});
  }
  CHECK(Reader::open(write_sweep(folder / "r.db", manifest, 1)).complete());
}

TEST_CASE("a folder that cannot be written to is named", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = some_sweep(2 * kBlockPoints);
  const fs::path locked = folder / "locked";
  fs::create_directory(locked);
  write_sweep((locked / "finished.db").string(), manifest, 1);
  wait_for(start([&] {
    Database database = Database::create((locked / "unfinished.db").string(), manifest, false);
    append_rows(database, manifest, 1, 1);
    return ::raise(SIGKILL);
  }));
  fs::remove(locked / "unfinished.db-shm");
  fs::permissions(locked, fs::perms{0555});
  fs::permissions(folder.path(), fs::perms::all);
  const std::string note = folder / "note";
  const int status = wait_for(start([&] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) return 1;  // nothing is locked to the superuser
    std::ofstream out(note);
    out << complaint([&] { Database::create((locked / "r.db").string(), manifest, false); })
        << '\n';
    out << complaint([&] { Reader::open((locked / "unfinished.db").string()); }) << '\n';
    return Reader::open((locked / "finished.db").string()).complete() ? 0 : 2;
  }));
  fs::permissions(locked, fs::perms::all);
  REQUIRE(status == 0);
  CHECK_THAT(bytes_of(note), contains("locked/r.db: ") && contains("permission denied") &&
                                 contains("locked/unfinished.db: is unfinished"));
}

TEST_CASE("names that SQLite takes for something else are files like any other", "[sweep]") {
  const ScratchFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string path = GENERATE(":memory:", "file:r.db?mode=memory", "-", "a b#c%20.db");
  const std::string text = complaint([&] { write_sweep(path, some_sweep(10), 1); });
  fs::current_path(before);
  CHECK(text == "");
  CHECK(fs::is_regular_file(folder.path() / path));
}
