#include "validate/ledger.hpp"

#include <filesystem>
#include <set>

#include "catch.hpp"
#include "core/error.hpp"
#include "validate/ledger_rows.hpp"

using namespace fathom;
using namespace fathom::validate;
using nlohmann::json;

namespace {

const Ledger& shipped() {
  static const Ledger ledger =
      load_ledger(std::filesystem::path(FATHOM_SOURCE_DIR) / "reports" / "ledger");
  return ledger;
}

std::string complaint(const json& row) {
  try {
    ledger_of({row});
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every ledger file loads and no id appears twice", "[validate][ledger]") {
  std::set<std::string> ids;
  for (const Row& row : shipped().rows) CHECK(ids.insert(row.id).second);
  for (const Gap& gap : shipped().gaps) CHECK(ids.insert(gap.id).second);
  CHECK(shipped().rows.size() >= 60);
  CHECK(shipped().files.size() >= 5);
}

TEST_CASE("every row has a source, a tolerance and what is unknown", "[validate][ledger]") {
  for (const Row& row : shipped().rows) {
    CAPTURE(row.id);
    CHECK(row.source.size() > 10);
    CHECK(row.claim.size() > 5);
    CHECK(row.unknown.size() > 5);
    CHECK(row.tolerance > 0.0);
    CHECK(row.low > 0.0);
    CHECK(row.low <= row.high);
  }
  for (const Gap& gap : shipped().gaps) {
    CAPTURE(gap.id);
    CHECK(gap.reason.size() > 5);
    CHECK(gap.source.size() > 10);
  }
}

TEST_CASE("every category has rows", "[validate][ledger]") {
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    const auto category = static_cast<Category>(i);
    CAPTURE(std::string(name(category)));
    CHECK(std::ranges::count(shipped().rows, category, &Row::category) > 0);
  }
}

TEST_CASE("a mistake in a row is named by file and pointer", "[validate][ledger]") {
  struct Mistake {
    const char* key;
    json value;
    const char* message;
  };
  const auto m = GENERATE(
      Mistake{"published", "seven", "/rows/0/published: "},
      Mistake{"published", -1, "/rows/0/published: "},
      Mistake{"published", {3, 2}, "/rows/0/published: "},
      Mistake{"category", "kernels", "did you mean 'kernel'"},
      Mistake{"source", "", "/rows/0/source: empty"},
      Mistake{"unknown", "", "/rows/0/unknown: empty"},
      Mistake{"tolerance", 2.0, "/rows/0/tolerance"}, Mistake{"tolerence", 0.1, "tolerence"},
      Mistake{"unknown_kinds", {"weather"}, "expected one of load, software"},
      Mistake{"setup", {{"modell", "deepseek-v3"}}, "/rows/0/setup: expected one of"},
      Mistake{"setup", {{"model", "deepseek-v33"}}, "/rows/0/setup/model"});
  json row = cache_row("a", 70272);
  row[m.key] = m.value;
  CAPTURE(m.key, m.value.dump());
  CHECK_THAT(complaint(row), contains(m.message));
  CHECK_THAT(complaint(row), contains("test.json#"));
}

TEST_CASE("a row compares with at most one other set-up", "[validate][ledger]") {
  json row = cache_row("a", 1);
  row["divided_by"] = json::object();
  row["minus"] = json::object();
  CHECK_THAT(complaint(row), contains("one other set-up only"));
}

TEST_CASE("an id that a row and a gap share is refused", "[validate][ledger]") {
  CHECK_THROWS_WITH(ledger_of({cache_row("a", 1)}, {gap_entry("a")}), contains("appears twice"));
}

TEST_CASE("a folder without ledger files is refused", "[validate][ledger]") {
  CHECK_THROWS_AS(load_ledger(std::filesystem::path(FATHOM_SOURCE_DIR) / "cmake"), InputError);
  CHECK_THROWS_AS(load_ledger("no-such-folder"), InputError);
}
