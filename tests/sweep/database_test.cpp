#include "sweep/database.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "catch.hpp"
#include "stored_sweep.hpp"
#include "sweep/database_sql.hpp"

using namespace fathom;
using namespace fathom::sweep;
namespace fs = std::filesystem;

namespace {

std::string value_text(const Column& column, double value) {
  if (std::isnan(value)) return "-";
  return column.kind == ColumnKind::text ? column.texts.at(static_cast<std::size_t>(value))
                                         : fmt::format("{:a}", value);
}

// Rows as texts: NaN compares equal to itself, a reason to its like in another block.
void describe(const Layout& layout, const Block& block, std::vector<std::string>& out) {
  const std::size_t inputs = layout.inputs.size();
  const std::size_t results = layout.results.size();
  for (std::size_t row = 0; row < block.rows(); ++row) {
    std::string line = std::to_string(block.numbers[row]);
    for (std::size_t i = 0; i < inputs; ++i) {
      line += '|' + value_text(layout.inputs[i], block.inputs[row * inputs + i]);
    }
    for (std::size_t i = 0; i < results; ++i) {
      line += '|' + value_text(layout.results[i], block.results[row * results + i]);
    }
    const std::int32_t reason = block.reason[row];
    out.push_back(line + '|' +
                  (reason < 0 ? "" : block.reasons.at(static_cast<std::size_t>(reason))));
  }
}

std::vector<std::string> stored_rows(const std::string& path) {
  std::vector<std::string> out;
  Reader reader = Reader::open(path);
  reader.for_each([&](const Block& block) { describe(reader.manifest().layout, block, out); });
  return out;
}

Manifest two_columns(PointRange whole) {
  Manifest manifest{.range = whole, .whole = whole};
  manifest.layout.inputs = {{"/plan/tp", ColumnKind::integer, {}}};
  manifest.layout.results = {{"tpot_s", ColumnKind::real, {}}};
  manifest.provenance.entries = {{"seed", "1"}};
  return manifest;
}

std::vector<std::string> names_beside(const ScratchFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("what is appended is what is read, whatever the columns", "[sweep][property]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  const ScratchFolder folder;
  Rng rng(seed);
  const auto begin = static_cast<std::int64_t>(rng.below(3 * kBlockPoints));
  const PointRange whole = {begin, begin + static_cast<std::int64_t>(rng.below(3 * kBlockPoints))};
  const Manifest manifest = random_manifest(rng, whole);
  const std::uint64_t sparsity = 1 + rng.below(200);
  const std::string path = write_sweep(folder / "r.db", manifest, seed, sparsity);
  std::vector<std::string> expected;
  describe(manifest.layout, random_block(manifest.layout, whole, seed, sparsity), expected);
  CHECK(stored_rows(path) == expected);
  CHECK(Reader::open(path).manifest() == manifest);
}

TEST_CASE("a finished database has the same bytes however often it was resumed",
          "[sweep][property]") {
  const auto seed = GENERATE(11U, 12U, 13U);
  const ScratchFolder folder;
  Rng rng(seed);
  const PointRange whole = {0, 6 * kBlockPoints + 17};
  const Manifest manifest = random_manifest(rng, whole);
  const std::string once = write_sweep(folder / "once.db", manifest, seed);
  const std::string often = folder / "often.db";
  for (bool complete = false; !complete;) {
    Database database = Database::resume(often, manifest);
    append_rows(database, manifest, seed,
                database.next() + static_cast<std::int64_t>(rng.below(3 * kBlockPoints)));
    complete = database.next() == whole.end;
    if (complete) CHECK(database.finish());
  }
  CHECK(bytes_of(once) == bytes_of(often));
}

TEST_CASE("several blocks in one are as good as one after another", "[sweep]") {
  const ScratchFolder folder;
  Rng rng(5);
  const PointRange whole = {100, 5 * kBlockPoints};
  const Manifest manifest = random_manifest(rng, whole);
  const std::string small = write_sweep(folder / "small.db", manifest, 5, 3);
  const std::string large = folder / "large.db";
  Database database = Database::create(large, manifest, false);
  database.append(random_block(manifest.layout, {100, 2 * kBlockPoints}, 5, 3));
  database.append(random_block(manifest.layout, {2 * kBlockPoints, whole.end}, 5, 3));
  database.finish();
  CHECK(bytes_of(small) == bytes_of(large));
}

TEST_CASE("resuming a finished database changes nothing", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 100});
  const std::string path = write_sweep(folder / "r.db", manifest, 1);
  const std::string before = bytes_of(path);
  Database again = Database::resume(path, manifest);
  CHECK(again.next() == 100);
  CHECK(again.finish());
  CHECK(again.finish());
  CHECK(bytes_of(path) == before);
}

TEST_CASE("a finished database is one file", "[sweep]") {
  const ScratchFolder folder;
  write_sweep(folder / "r.db", two_columns({0, 10000}), 1);
  CHECK(names_beside(folder) == std::vector<std::string>{"r.db"});
}

TEST_CASE("a sweep without points is complete at once", "[sweep]") {
  const ScratchFolder folder;
  const std::string path = write_sweep(folder / "r.db", two_columns({7, 7}), 1);
  Reader reader = Reader::open(path);
  CHECK(reader.complete());
  CHECK(reader.statistics() == Statistics{});
  reader.for_each([](const Block&) { FAIL("there is no block"); });
}

TEST_CASE("resume begins a file that is not there or has nothing in it", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 10});
  const std::string path = folder / "r.db";
  if (GENERATE(false, true)) std::ofstream{path};
  CHECK(Database::resume(path, manifest).next() == 0);
  CHECK(Reader::open(path).manifest() == manifest);
}

TEST_CASE("excluded points have no row, and are not asked for again", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 2 * kBlockPoints});
  const std::string path = folder / "r.db";
  {
    Database database = Database::create(path, manifest, false);
    database.append({.begin = 0, .end = kBlockPoints});
  }
  CHECK(Database::resume(path, manifest).next() == kBlockPoints);
  CHECK(Reader::open(path).statistics().rows == 0);
}

TEST_CASE("a reader sees whole blocks while a writer goes on", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 3 * kBlockPoints});
  const std::string path = folder / "r.db";
  Database database = Database::create(path, manifest, false);
  append_rows(database, manifest, 1, 1);
  Reader reader = Reader::open(path);
  std::int64_t seen = 0;
  reader.for_each([&](const Block& block) {
    seen = block.end;
    if (database.next() < manifest.range.end) append_rows(database, manifest, 1);
  });
  CHECK(seen == kBlockPoints);
  CHECK(reader.next() == manifest.range.end);
}

TEST_CASE("a reader does not keep a database from being finished, only from being one file",
          "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 3 * kBlockPoints});
  const std::string path = folder / "r.db";
  {
    Database database = Database::create(path, manifest, false);
    Reader reader = Reader::open(path);
    append_rows(database, manifest, 1);
    CHECK_FALSE(database.finish());
    CHECK(reader.complete());
    CHECK(stored_rows(path).size() == 3 * kBlockPoints);
  }
  CHECK(Database::resume(path, manifest).finish());
  CHECK(bytes_of(path) == bytes_of(write_sweep(folder / "alone.db", manifest, 1)));
}

TEST_CASE("the view joins inputs, results and reasons under their names", "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = two_columns({0, 2});
  manifest.layout.inputs = {{"/a\"b'; DROP TABLE points; --", ColumnKind::text, {"x\"y", "z"}},
                            {"/line\nbreak", ColumnKind::integer, {}},
                            {"[select]", ColumnKind::real, {}}};
  const std::string path = folder / "r.db";
  Database database = Database::create(path, manifest, false);
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  database.append({.begin = 0,
                   .end = 2,
                   .numbers = {0, 1},
                   .inputs = {1, 8, 2, 0, nothing, 0.5},
                   .results = {0.25, nothing},
                   .reason = {-1, 0},
                   .reasons = {"too big"}});
  database.finish();
  SqlConnection sql(path, "r.db", SqlConnection::Access::read);
  SqlStatement rows(sql, "SELECT * FROM rows ORDER BY number");
  REQUIRE(rows.step());
  CHECK(rows.text(1) == "z");
  CHECK(rows.integer(2) == 8);
  CHECK(rows.real(3) == 2.0);
  CHECK(rows.real(4) == 0.25);
  CHECK(rows.integer(5) == 1);
  CHECK(rows.type(6) == SqlStatement::Value::null);
  REQUIRE(rows.step());
  CHECK(rows.text(1) == "x\"y");
  CHECK(rows.type(2) == SqlStatement::Value::null);
  CHECK(rows.type(4) == SqlStatement::Value::null);
  CHECK(rows.integer(5) == 0);
  CHECK(rows.text(6) == "too big");
  CHECK(sql.text("SELECT typeof(\"[select]\") FROM points WHERE number = 0") == "real");
  CHECK(sql.text("SELECT typeof(\"/line\nbreak\") FROM points WHERE number = 0") == "integer");
  CHECK(sql.text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("statistics count rows, feasible ones and reasons, the most frequent first", "[sweep]") {
  const ScratchFolder folder;
  Manifest manifest = two_columns({0, 6});
  const std::string path = folder / "r.db";
  Database database = Database::create(path, manifest, false);
  database.append({.begin = 0,
                   .end = 6,
                   .numbers = {0, 1, 3, 4, 5},
                   .inputs = {1, 1, 1, 1, 1},
                   .results = {1, 1, 1, 1, 1},
                   .reason = {0, -1, 1, 1, 2},
                   .reasons = {"b", "c", "a"}});
  const Statistics expected = {.rows = 5, .feasible = 1, .reasons = {{"c", 2}, {"a", 1}, {"b", 1}}};
  CHECK(Reader::open(path).statistics() == expected);
}

TEST_CASE("blocks that leave a gap, overlap or end between cuts are our mistake", "[sweep]") {
  const ScratchFolder folder;
  const Manifest manifest = two_columns({0, 3 * kBlockPoints});
  Database database = Database::create(folder / "r.db", manifest, false);
  append_rows(database, manifest, 1, 1);
  const std::int64_t cut = kBlockPoints;
  const auto range =
      GENERATE_COPY(PointRange{0, cut}, PointRange{2 * cut, 3 * cut}, PointRange{cut, cut},
                    PointRange{cut, 2 * cut - 1}, PointRange{cut, 4 * cut});
  CAPTURE(range.begin, range.end);
  CHECK_THROWS_AS(database.append(random_block(manifest.layout, range, 1)), BugError);
  CHECK(database.next() == cut);
}
