#include "sweep/merge.hpp"

#include <fstream>
#include <functional>

#include "catch.hpp"
#include "stored_sweep.hpp"

using namespace fathom;
using namespace fathom::sweep;
namespace fs = std::filesystem;

namespace {

Manifest some_sweep(PointRange range, PointRange whole) {
  Manifest manifest{.range = range, .whole = whole};
  manifest.layout.inputs = {{"/plan/tp", ColumnKind::integer, {}}};
  manifest.layout.results = {{"tpot_s", ColumnKind::real, {}}};
  manifest.provenance.entries = {{"seed", "1"}};
  return manifest;
}

// Shards of points 0 to 99, as the file names say.
std::string write_shard(const ScratchFolder& folder, std::int64_t begin, std::int64_t end) {
  const std::string name = std::to_string(begin) + "-" + std::to_string(end) + ".db";
  return write_sweep(folder / name, some_sweep({begin, end}, {0, 100}), 1);
}

}  // namespace

TEST_CASE("merged shards are the file that one run writes, byte for byte", "[sweep][property]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  const ScratchFolder folder;
  Rng rng(seed);
  const auto begin = static_cast<std::int64_t>(rng.below(5000));
  const PointRange whole = {begin, begin + 5 * kBlockPoints};
  Manifest manifest = random_manifest(rng, whole);
  const std::string once = write_sweep(folder / "once.db", manifest, seed, 3);
  std::vector<std::int64_t> cuts = {whole.begin, whole.end};
  for (int i = 0; i < 6; ++i) {
    cuts.push_back(begin + static_cast<std::int64_t>(rng.below(5 * kBlockPoints)));
  }
  cuts.push_back(cuts.back());  // a shard without points
  std::ranges::sort(cuts);
  std::vector<std::string> shards;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    manifest.range = {cuts[i], cuts[i + 1]};
    shards.push_back(write_sweep(folder / std::to_string(i), manifest, seed, 3));
  }
  for (std::size_t i = 0; i < shards.size(); ++i) std::swap(shards[i], shards[rng.below(i + 1)]);
  merge(shards, folder / "merged.db", false);
  CHECK(bytes_of(folder / "merged.db") == bytes_of(once));
}

TEST_CASE("a merge names the points that no shard has", "[sweep]") {
  const ScratchFolder folder;
  const std::vector<std::string> shards = {write_shard(folder, 60, 70),
                                           write_shard(folder, 10, 40)};
  CHECK_THAT(complaint([&] { merge(shards, folder / "m.db", false); }),
             contains("m.db: points 0 to 9, 40 to 59, 70 to 99 are in none of the 2 shards"));
  CHECK_FALSE(fs::exists(folder / "m.db"));
}

TEST_CASE("a merge refuses points that two shards have", "[sweep]") {
  const ScratchFolder folder;
  const std::string first = write_shard(folder, 0, 60);
  const std::string second = write_shard(folder, 50, 100);
  CHECK_THAT(complaint([&] {
               merge({first, second}, folder / "m.db", false);
             }),
             contains("50-100.db: has points 50 to 59, which ") && contains("0-60.db has as well"));
  CHECK_THAT(complaint([&] {
               merge({first, first}, folder / "m.db", false);
             }),
             contains("0-60.db: has points 0 to 59, which "));
}

TEST_CASE("a merge refuses a shard that is not complete and says what it lacks", "[sweep]") {
  const ScratchFolder folder;
  const std::string path = folder / "half.db";
  const std::int64_t whole = 3 * kBlockPoints;
  const Manifest manifest = some_sweep({0, whole}, {0, whole});
  {
    Database database = Database::create(path, manifest, false);
    append_rows(database, manifest, 1, 1);
  }
  CHECK_THAT(complaint([&] { merge({path}, folder / "m.db", false); }),
             contains("half.db: lacks points 4,096 to 12,287; finish it with --resume first"));
}

TEST_CASE("a merge refuses shards of different sweeps and names the difference", "[sweep]") {
  const ScratchFolder folder;
  const std::string first = write_shard(folder, 0, 60);
  const auto refusal = [&](const std::function<void(Manifest&)>& change) {
    Manifest manifest = some_sweep({60, 100}, {0, 100});
    change(manifest);
    fs::remove(folder / "other.db");
    write_sweep(folder / "other.db", manifest, 1);
    return complaint([&] { merge({first, folder / "other.db"}, folder / "m.db", false); });
  };
  CHECK_THAT(refusal([](Manifest& m) { m.provenance.entries[0].second = "2"; }),
             contains("other.db: provenance 'seed' is '2', ") && contains("0-60.db has '1'"));
  CHECK_THAT(refusal([](Manifest& m) { m.layout.inputs[0].name = "/plan/ep"; }),
             contains("other.db: column 1 of points is '/plan/ep'"));
  CHECK_THAT(
      refusal([](Manifest& m) { m.whole.end = 200; }),
      contains("other.db: the sweep has points 0 to 199, that of ") && contains("has 0 to 99"));
}

TEST_CASE("a merge keeps what it must not replace", "[sweep]") {
  const ScratchFolder folder;
  const std::string first = write_shard(folder, 0, 60);
  const std::string second = write_shard(folder, 60, 100);
  const std::string output = write_sweep(folder / "m.db", some_sweep({0, 9}, {0, 9}), 1);
  const std::string before = bytes_of(output);
  CHECK_THAT(complaint([&] { merge({first, second}, output, false); }), contains("m.db: exists"));
  CHECK_THAT(complaint([&] {
               merge({first, second}, first, true);
             }),
             contains("is a shard and the output"));
  CHECK_THAT(complaint([&] { merge({}, output, true); }), contains("no shards"));
  CHECK(bytes_of(output) == before);
  merge({first, second}, output, true);
  CHECK(Reader::open(output).manifest() == some_sweep({0, 100}, {0, 100}));
}

TEST_CASE("a merge waits for no writer of its output: it is refused", "[sweep]") {
  const ScratchFolder folder;
  const std::string shard = write_shard(folder, 0, 100);
  const Database writer = Database::create(folder / "m.db", some_sweep({0, 9}, {0, 9}), false);
  CHECK_THAT(complaint([&] { merge({shard}, folder / "m.db", true); }),
             contains("m.db: process ") && contains("is writing it"));
}

TEST_CASE("a merge that fails leaves nothing behind", "[sweep]") {
  const ScratchFolder folder;
  const std::string shard = write_sweep(folder / "a.db", some_sweep({0, 50000}, {0, 50000}), 1);
  std::string bytes = bytes_of(shard);
  bytes.replace(bytes.size() / 2, 20000, 20000, '\x55');
  std::ofstream(shard, std::ios::binary) << bytes;
  CHECK_THAT(complaint([&] { merge({shard}, folder / "m.db", false); }), contains("a.db: "));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path())) ++files;
  CHECK(files == 1);
}
