#include "validate/run.hpp"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "report/markdown.hpp"
#include "validate/ledger_rows.hpp"
#include "validate/validate_page.hpp"

using namespace fathom;
using namespace fathom::validate;
using nlohmann::json;

namespace {

LedgerReport run(const std::vector<json>& rows, const std::vector<json>& gaps = {}) {
  return run_ledger(ledger_of(rows, gaps), {.day = "", .draws = 40, .threads = 2});
}

LedgerReport run_shipped(const std::vector<std::string>& categories) {
  return run_ledger({.folder = std::filesystem::path(FATHOM_SOURCE_DIR) / "reports" / "ledger",
                     .categories = categories,
                     .day = "",
                     .draws = 10,
                     .threads = 2});
}

constexpr double kCacheBytes = (512 + 64) * 61 * 2;

}  // namespace

TEST_CASE("counts and planning bounds of the ledger are met", "[validate][ledger]") {
  for (const RowResult& r : run_shipped({"exact", "limit"}).rows) {
    CAPTURE(r.row.id, r.predicted, r.row.low, r.row.high);
    CHECK(r.inside_tolerance);
  }
}

TEST_CASE("a published value that is wrong by one byte is outside its tolerance", "[validate]") {
  CHECK_FALSE(outside_tolerance(run({cache_row("right", kCacheBytes)})));
  const LedgerReport planted =
      run({cache_row("right", kCacheBytes), cache_row("off", kCacheBytes + 1)});
  CHECK(outside_tolerance(planted));
  CHECK(planted.all.outside == 1);
  CHECK_FALSE(planted.rows[1].inside_tolerance);
}

TEST_CASE("rows, gaps and summaries add up", "[validate][invariant]") {
  const LedgerReport r =
      run({cache_row("a", kCacheBytes), cache_row("b", 1), kernel_row("c", 700)}, {gap_entry("d")});
  long rows = 0;
  long outside = 0;
  long gaps = 0;
  for (const CategorySummary& s : r.categories) {
    rows += s.rows;
    outside += s.outside;
    gaps += s.gaps;
  }
  CHECK(rows == 3);
  CHECK(r.all.rows == rows);
  CHECK(r.all.outside == outside);
  CHECK(r.all.gaps == gaps);
  CHECK(r.timed.rows == 1);
  CHECK(gaps == 1);
  const json out = to_json(r);
  CHECK(out.at("rows").size() == 3);
  CHECK(out.at("not_expressible").size() == 1);
  CHECK(out.at("summary").at("all").at("rows") == 3);
}

TEST_CASE("the error is predicted over published less one, whatever the scale", "[validate]") {
  json row = cache_row("kb", 2.0 * kCacheBytes / 1000.0);
  row["scale"] = 1e-3;
  row["tolerance"] = 1.0;
  const LedgerReport r = run({row});
  CHECK(r.rows[0].predicted == Approx(kCacheBytes / 1000.0).epsilon(1e-12));
  CHECK(r.rows[0].error == Approx(-0.5).epsilon(1e-12));
  CHECK(r.all.median == Approx(0.5).epsilon(1e-12));
  CHECK(r.all.bias == Approx(-0.5).epsilon(1e-12));
}

TEST_CASE("a row may divide by, take off or add another set-up", "[validate]") {
  // Qwen-2.5 72B: 2 x 8 heads x 128 x 80 layers x 2 B
  constexpr double kQwen = 2 * 8 * 128 * 80 * 2;
  struct Case {
    const char* key;
    json extra;
    double expected;
  };
  const auto c = GENERATE_COPY(Case{"divided_by", {}, kCacheBytes / kQwen},
                               Case{"minus", {{"weight", 0.1}}, kCacheBytes - 0.1 * kQwen},
                               Case{"plus", {{"weight", 0.5}}, kCacheBytes + 0.5 * kQwen});
  json row = cache_row("two", c.expected);
  json other = c.extra.is_null() ? json::object() : c.extra;
  other["setup"] = {{"model", "qwen2.5-72b"}};
  other["quantity"] = "/kv_cache/formats/bf16/growth_bytes_per_token";
  row[c.key] = other;
  CAPTURE(c.key);
  CHECK_FALSE(outside_tolerance(run({row})));
}

TEST_CASE("inside a published range there is no tolerance to spend", "[validate]") {
  json row = cache_row("range", 1);
  row["published"] = {kCacheBytes - 1, kCacheBytes + 1};
  CHECK_FALSE(outside_tolerance(run({row})));
  row["published"] = {kCacheBytes + 1, kCacheBytes + 2};
  CHECK(outside_tolerance(run({row})));
}

TEST_CASE("a set-up that cannot run is reported and counts as outside", "[validate]") {
  json row = cache_row("big", 1000);
  row["category"] = "inference";
  row["quantity"] = "tokens_per_s_per_gpu";
  row["setup"] = {{"scenario",
                   {{"model", "deepseek-v3"},
                    {"hardware", "h800"},
                    {"phase", "decode"},
                    {"workload", {{"sequences", 1}, {"context_tokens", 1024}}}}}};
  const LedgerReport r = run({row});
  CHECK_FALSE(r.rows[0].infeasible.empty());
  CHECK(r.all.infeasible == 1);
  CHECK(outside_tolerance(r));
  CHECK(to_json(r).at("rows").at(0).contains("infeasible"));
  CHECK_THAT(report::render_markdown(page(r)), contains("CANNOT RUN"));
}

TEST_CASE("a quantity that a set-up does not have is named with its row", "[validate]") {
  json row = kernel_row("typo", 700);
  row["quantity"] = "times_s";
  CHECK_THROWS_WITH(run({row}), contains("ledger row 'typo'") && contains("did you mean 'time_s'"));
  row["quantity"] = "/step";
  CHECK_THROWS_AS(run({row}), InputError);
  json cache = cache_row("pointer", 1);
  cache["quantity"] = "/kv_cache/formats";
  CHECK_THROWS_WITH(run({cache}), contains("no number at this JSON pointer"));
}

TEST_CASE("a category that does not exist is refused", "[validate]") {
  CHECK_THROWS_WITH(run_ledger(ledger_of({}), {.categories = {"kernels"}, .day = ""}),
                    contains("did you mean 'kernel'"));
}

TEST_CASE("the report does not depend on the number of threads", "[validate][property]") {
  const Ledger ledger = ledger_of({kernel_row("a", 700), kernel_row("b", 900)});
  const auto text = [&](int threads) {
    return to_json(run_ledger(ledger, {.day = "", .draws = 30, .threads = threads})).dump();
  };
  CHECK(text(1) == text(2));
}

TEST_CASE("the page shows every row and every gap", "[validate]") {
  const LedgerReport r =
      run({cache_row("row-a", kCacheBytes), kernel_row("row-b", 700)}, {gap_entry("gap-c")});
  const std::string text = report::render_markdown(page(r));
  for (const char* id : {"row-a", "row-b", "gap-c", "batch is not given"}) {
    CHECK_THAT(text, contains(id));
  }
}
