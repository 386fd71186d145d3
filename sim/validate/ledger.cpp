#include "validate/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "core/parallel.hpp"

namespace fathom::validate {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr double kLargest = 1e18;
constexpr std::array<std::string_view, kCategoryCount> kCategories{
    "exact", "limit", "kernel", "collective", "all_to_all", "inference", "mtp", "economics"};

std::string text(JsonReader& in, std::string_view key) {
  std::string value = in.string(key);
  if (value.empty()) in.fail(key, "empty");
  return value;
}

Category category(JsonReader& in) {
  return static_cast<Category>(in.choice("category", kCategories));
}

// A number, or [low, high] where the source gives a range.
void read_published(JsonReader& in, Row& row) {
  const json& value = in.raw("published");
  const auto finite = [](const json& v) { return v.is_number() && v.get<double>() > 0.0; };
  if (finite(value)) {
    row.low = row.high = value.get<double>();
  } else if (value.is_array() && value.size() == 2 && finite(value[0]) && finite(value[1]) &&
             value[0].get<double>() <= value[1].get<double>()) {
    row.low = value[0].get<double>();
    row.high = value[1].get<double>();
  } else {
    in.fail("published", fmt::format("found {}, expected a positive number or [low, high]",
                                     value.dump().substr(0, 60)));
  }
}

Unknowns read_unknowns(JsonReader& in) {
  Unknowns out;
  if (!in.has("unknown_kinds")) return out;
  for (const std::string& kind : in.strings("unknown_kinds")) {
    const auto found = std::ranges::find(kUnknownNames, kind);
    if (found == kUnknownNames.end()) {
      in.fail("unknown_kinds", fmt::format("unknown kind '{}'; expected one of {}", kind,
                                           fmt::join(kUnknownNames, ", ")));
    }
    out.set(static_cast<std::size_t>(found - kUnknownNames.begin()));
  }
  return out;
}

// {"setup"?, "quantity"?, "weight"?}: what is not given is the row's own.
void read_other(JsonReader in, const json& own_setup, Row& row) {
  const bool given = in.has("setup");
  row.other = Measure{parse_setup(given ? in.raw("setup") : own_setup, in.at("setup")),
                      in.string_or("quantity", row.measure.quantity)};
  row.weight = in.number_or("weight", 1.0, 0.0, kLargest);
  in.finish();
}

void read_relation(JsonReader& in, const json& own_setup, Row& row) {
  constexpr std::array<std::pair<std::string_view, Relation>, 3> kRelations{
      {{"divided_by", Relation::divided_by}, {"minus", Relation::minus}, {"plus", Relation::plus}}};
  for (const auto& [key, relation] : kRelations) {
    auto other = in.object_opt(key);
    if (!other) continue;
    if (row.other) in.fail(key, "a row compares with one other set-up only");
    row.relation = relation;
    read_other(std::move(*other), own_setup, row);
  }
}

Row read_row(JsonReader in) {
  Row row{.id = text(in, "id"),
          .category = category(in),
          .claim = text(in, "claim"),
          .source = text(in, "source")};
  const json& setup = in.raw("setup");
  row.measure = {parse_setup(setup, in.at("setup")), text(in, "quantity")};
  read_relation(in, setup, row);
  row.scale = in.number_or("scale", 1.0, -kLargest, kLargest);
  read_published(in, row);
  row.unit = in.string_or("unit", "");
  row.tolerance = in.number("tolerance", 0.0, 1.0);
  row.unknown = text(in, "unknown");
  row.unknowns = read_unknowns(in);
  row.blind = in.boolean("blind");
  in.finish();
  return row;
}

Gap read_gap(JsonReader in) {
  Gap gap{.id = text(in, "id"),
          .category = category(in),
          .claim = text(in, "claim"),
          .source = text(in, "source"),
          .reason = text(in, "reason")};
  in.finish();
  return gap;
}

void expect_unique_ids(const Ledger& ledger, std::string_view where) {
  std::set<std::string_view> seen;
  const auto check = [&](const std::string& id) {
    if (!seen.insert(id).second)
      throw InputError(fmt::format("{}: id '{}' appears twice in the ledger", where, id));
  };
  for (const Row& row : ledger.rows) check(row.id);
  for (const Gap& gap : ledger.gaps) check(gap.id);
}

}  // namespace

std::string_view name(Category category) { return kCategories[static_cast<std::size_t>(category)]; }

bool has_interval(Category category) {
  return category != Category::exact && category != Category::limit;
}

double published(const Row& row) { return (row.low + row.high) / 2.0; }

void read_ledger_file(const json& document, std::string_view where, Ledger& out) {
  JsonReader in{document, std::string(where)};
  in.ignore({"title", "comment"});
  if (in.has("rows")) {
    // parsing a row reads a model and a machine: milliseconds each
    const std::vector<JsonReader> readers = in.objects("rows");
    const auto rows = parallel_map(
        static_cast<std::int64_t>(readers.size()), 0,
        [&](std::int64_t i) { return read_row(readers[static_cast<std::size_t>(i)]); });
    out.rows.insert(out.rows.end(), rows.begin(), rows.end());
  }
  if (in.has("not_expressible")) {
    for (const JsonReader& reader : in.objects("not_expressible"))
      out.gaps.push_back(read_gap(reader));
  }
  in.finish();
  expect_unique_ids(out, where);
}

Ledger load_ledger(const fs::path& folder) {
  const fs::path base = folder.empty() ? data_dir() / "reports" / "ledger" : folder;
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator entry{base, error};
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    if (entry->path().extension() == ".json") files.push_back(entry->path());
  }
  if (error || files.empty()) {
    throw InputError(
        fmt::format("{}: expected a folder with .json files of ledger rows", base.string()));
  }
  std::ranges::sort(files);
  Ledger ledger;
  for (const fs::path& file : files) {
    const std::string content = read_text(file);
    const std::string shown =
        folder.empty() ? "reports/ledger/" + file.filename().string() : file.string();
    ledger.files.push_back({shown, content_hash(content)});
    read_ledger_file(parse_json(content, shown), shown + "#", ledger);
  }
  return ledger;
}

}  // namespace fathom::validate
