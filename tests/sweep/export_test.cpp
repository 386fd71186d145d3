#include "sweep/export.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.hpp"
#include "core/error.hpp"
#include "stored_sweep.hpp"

using namespace fathom;
using namespace fathom::sweep;
using nlohmann::json;

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

std::string store(const std::string& path, const Layout& layout, const Block& block) {
  const PointRange range = {block.begin, block.end};
  Database database =
      Database::create(path, {.layout = layout, .range = range, .whole = range}, false);
  database.append(block);
  database.finish();
  return path;
}

std::string csv_of(const std::string& path) {
  std::ostringstream out;
  Reader reader = Reader::open(path);
  export_csv(reader, out);
  return out.str();
}

std::string jsonl_of(const std::string& path) {
  std::ostringstream out;
  Reader reader = Reader::open(path);
  export_jsonl(reader, out);
  return out.str();
}

// RFC 4180, the reader's side.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      const bool doubled = c == '"' && i + 1 < text.size() && text[i + 1] == '"';
      if (c != '"' || doubled) row.back() += c;
      if (doubled) ++i;
      quoted = c != '"' || doubled;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.emplace_back();
    } else if (c == '\r' && text.at(i + 1) == '\n') {
      rows.push_back(row);
      row.assign(1, "");
      ++i;
    } else {
      row.back() += c;
    }
  }
  CHECK(row == std::vector<std::string>{""});
  return rows;
}

double number_of(const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CHECK(end == text.data() + text.size());
  return value;
}

const Layout kSmall = {.inputs = {{"/model", ColumnKind::text, {"a,b", "say \"hi\""}},
                                  {"/plan/tp", ColumnKind::integer, {}}},
                       .results = {{"tpot_s", ColumnKind::real, {}}}};

}  // namespace

TEST_CASE("a CSV export has a line of names, CRLF ends and quotes where RFC 4180 wants them",
          "[sweep]") {
  const ScratchFolder folder;
  const std::string path = store(folder / "r.db", kSmall,
                                 {.begin = 0,
                                  .end = 9,
                                  .numbers = {2, 3, 8},
                                  .inputs = {0, 8, 1, 1e6, kNothing, kNothing},
                                  .results = {0.0125, kInfinite, kNothing},
                                  .reason = {-1, -1, 0},
                                  .reasons = {"two\nlines"}});
  CHECK(csv_of(path) ==
        "number,/model,/plan/tp,tpot_s,feasible,reason\r\n"
        "2,\"a,b\",8,0.0125,1,\r\n"
        "3,\"say \"\"hi\"\"\",1000000,inf,1,\r\n"
        "8,,,,0,\"two\nlines\"\r\n");
}

TEST_CASE("a JSONL export is one object a row with every column", "[sweep]") {
  const ScratchFolder folder;
  const std::string path = store(folder / "r.db", kSmall,
                                 {.begin = 0,
                                  .end = 9,
                                  .numbers = {2, 8},
                                  .inputs = {1, 8, kNothing, kNothing},
                                  .results = {-kInfinite, kNothing},
                                  .reason = {-1, 0},
                                  .reasons = {"two\nlines"}});
  CHECK(
      jsonl_of(path) ==
      R"({"number":2,"/model":"say \"hi\"","/plan/tp":8,"tpot_s":"-inf","feasible":true,"reason":null})"
      "\n"
      R"({"number":8,"/model":null,"/plan/tp":null,"tpot_s":null,"feasible":false,"reason":"two\nlines"})"
      "\n");
}

TEST_CASE("no exported text is a formula to a spreadsheet", "[sweep]") {
  const ScratchFolder folder;
  const std::vector<std::string> texts = {"=1+1", "+1", "-x", "@SUM(A1)", "\tx", "\rx", "a=b"};
  Layout layout = {.inputs = {{"=name", ColumnKind::text, texts}}};
  Block block{.begin = 0, .end = 8};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    block.numbers.push_back(static_cast<std::int64_t>(i));
    block.inputs.push_back(static_cast<double>(i));
    block.reason.push_back(static_cast<std::int32_t>(i));
  }
  block.reasons = texts;
  const auto rows = parse_csv(csv_of(store(folder / "r.db", layout, block)));
  CHECK(rows.at(0) == std::vector<std::string>{"number", "'=name", "feasible", "reason"});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string shown = texts[i] == "a=b" ? "a=b" : "'" + texts[i];
    CHECK(rows.at(i + 1).at(1) == shown);
    CHECK(rows.at(i + 1).at(3) == shown);
  }
}

TEST_CASE("exports read back to the stored rows, numbers to the last bit", "[sweep][property]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U);
  const ScratchFolder folder;
  Rng rng(seed);
  const Manifest manifest = random_manifest(rng, {0, kBlockPoints + 9});
  const std::string path = write_sweep(folder / "r.db", manifest, seed, 20);
  const auto csv = parse_csv(csv_of(path));
  std::istringstream lines(jsonl_of(path));
  std::size_t row = 0;
  const auto same = [&](const Column& column, double value, std::size_t at, const json& object) {
    const json& shown = object.at(column.name);
    const std::string& field = csv.at(row).at(at);
    if (std::isnan(value)) return shown.is_null() && field.empty();
    if (column.kind == ColumnKind::text) {
      const std::string& text = column.texts.at(static_cast<std::size_t>(value));
      return shown == text && field == text;
    }
    if (std::isinf(value)) return shown == "inf" && field == "inf";
    return shown.get<double>() == value && number_of(field) == value;
  };
  std::string line;
  Reader::open(path).for_each([&](const Block& block) {
    for (std::size_t i = 0; i < block.rows(); ++i) {
      REQUIRE(std::getline(lines, line));
      ++row;  // the first of the CSV has the names
      const json object = json::parse(line);
      REQUIRE(object.at("number") == block.numbers[i]);
      bool all_same = true;
      std::size_t at = 1;
      for (std::size_t c = 0; c < manifest.layout.inputs.size(); ++c) {
        const double value = block.inputs[i * manifest.layout.inputs.size() + c];
        all_same = all_same && same(manifest.layout.inputs[c], value, at++, object);
      }
      for (std::size_t c = 0; c < manifest.layout.results.size(); ++c) {
        const double value = block.results[i * manifest.layout.results.size() + c];
        all_same = all_same && same(manifest.layout.results[c], value, at++, object);
      }
      CHECK(all_same);
    }
  });
  CHECK_FALSE(std::getline(lines, line));
  CHECK(csv.size() == row + 1);
}

TEST_CASE("an unfinished sweep is exported as far as it got", "[sweep]") {
  const ScratchFolder folder;
  Rng rng(2);
  const Manifest manifest = random_manifest(rng, {0, 2 * kBlockPoints});
  const std::string path = folder / "r.db";
  Database database = Database::create(path, manifest, false);
  append_rows(database, manifest, 2, 1);
  CHECK(parse_csv(csv_of(path)).size() == kBlockPoints + 1);
}

TEST_CASE("an export that finds no room is an input error", "[sweep]") {
  const ScratchFolder folder;
  const std::string path = store(
      folder / "r.db", kSmall,
      {.begin = 0, .end = 1, .numbers = {0}, .inputs = {0, 1}, .results = {1}, .reason = {-1}});
  Reader reader = Reader::open(path);
  std::ofstream full("/dev/full");
  CHECK_THROWS_AS(export_csv(reader, full), InputError);
  full.clear();
  CHECK_THROWS_AS(export_jsonl(reader, full), InputError);
}
