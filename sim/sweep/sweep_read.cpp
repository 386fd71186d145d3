#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "study/scenario.hpp"
#include "sweep/axes.hpp"
#include "sweep/check_settings.hpp"
#include "sweep/field_table.hpp"
#include "sweep/results.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 2> kDirections{"maximize", "minimize"};

// A file is looked for beside the sweep first.
std::string file_of(const std::string& name, const std::string& sweep_where) {
  const std::filesystem::path sweep(sweep_where.substr(0, sweep_where.find('#')));
  const std::filesystem::path beside = sweep.parent_path() / name;
  std::error_code missing;
  return std::filesystem::exists(beside, missing) ? beside.string() : name;
}

// A scenario, or the name of a file with one.
Base read_base(const json& value, const std::string& where, const std::string& sweep_where) {
  Base base;
  base.where = where;
  json document = value;
  if (value.is_string()) {
    const std::string file = file_of(value.get<std::string>(), sweep_where);
    base.where = file + "#";
    document = read_json(file);
  }
  JsonReader in{document, base.where};
  base.name = in.string_or("name", "base");
  base.phase = study::read_phase(in);
  base.document = document.dump();
  return base;
}

void read_bases(JsonReader& in, Sweep& sweep) {
  const json& value = in.raw("base");
  if (!value.is_array()) {
    sweep.bases.push_back(read_base(value, in.at("base"), sweep.where));
    return;
  }
  std::set<std::string> names;
  for (JsonReader& entry : in.objects("base")) {
    const std::string name = entry.string("name");
    Base base = read_base(entry.raw("scenario"), entry.at("scenario"), sweep.where);
    entry.finish();
    if (!names.insert(name).second)
      entry.fail("name", fmt::format("'{}' is taken by an earlier base", printable(name)));
    base.name = name;
    sweep.bases.push_back(std::move(base));
  }
  if (sweep.bases.empty()) in.fail("base", "is empty; expected at least one scenario");
}

// What expressions may name, fixed in the file.
std::map<std::string, Slot, std::less<>> read_constants(JsonReader& in, Sweep& sweep) {
  std::map<std::string, Slot, std::less<>> out;
  if (!in.has("let")) return out;
  const json& let = in.raw("let");
  if (!let.is_object()) in.fail("let", "expected an object of names and values");
  for (const auto& item : let.items()) {
    const json& v = item.value();
    Slot slot;
    if (v.is_number()) {
      slot = {.kind = ValueKind::number, .constant = v.get<double>()};
    } else if (v.is_boolean()) {
      slot = {.kind = ValueKind::boolean, .constant = v.get<bool>() ? 1.0 : 0.0};
    } else if (v.is_string()) {
      slot = {.kind = ValueKind::text,
              .constant = sweep.texts.intern(v.get_ref<const std::string&>())};
    } else {
      throw InputError(fmt::format("{}/{}: expected a number, a text, true or false", in.at("let"),
                                   printable(item.key())));
    }
    out.emplace(item.key(), slot);
  }
  return out;
}

ValueKind kind_of(const Field& field) {
  switch (field.encoding) {
    case Encoding::number:
      return ValueKind::number;
    case Encoding::boolean:
      return ValueKind::boolean;
    default:
      return ValueKind::text;
  }
}

Encoding encoding_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::number:
      return Encoding::number;
    case ValueKind::boolean:
      return Encoding::boolean;
    default:
      return Encoding::text;
  }
}

class Reader {
 public:
  Reader(const json& document, std::string_view where, study::Library& library)
      : in_(document, std::string(where)), library_(library) {
    sweep_.where = where;
  }

  Sweep read() {
    in_.ignore({"$schema", "comment"});
    sweep_.name = in_.string_or("name", "");
    read_bases(in_, sweep_);
    constants_ = read_constants(in_, sweep_);
    add_field({.pointer = "base", .encoding = Encoding::text}, sweep_);
    for (Base& base : sweep_.bases) base.values[0] = sweep_.texts.intern(base.name);
    read_axes();
    first_settings_ = check_settings(sweep_, library_);
    read_derived();
    check_workloads(sweep_);
    sweep_.constraints = conditions("constraints", false);
    read_results();
    sweep_.filters = conditions("filters", true);
    read_objectives();
    in_.finish();
    number_points();
    lay_out();
    return std::move(sweep_);
  }

 private:
  void read_axes() {
    std::vector<AxisText> axes;
    if (in_.has("axes")) {
      for (JsonReader& axis : in_.objects("axes")) axes.push_back(read_axis(std::move(axis)));
    }
    add_axes(axes, sweep_);
  }

  void read_derived() {
    if (!in_.has("derived")) return;
    for (JsonReader& entry : in_.objects("derived")) {
      const std::string pointer = entry.string("pointer");
      check_pointer(pointer, entry.at("pointer"));
      if (find_field(sweep_, pointer))
        entry.fail("pointer", "is an axis too, or derived twice; expected one of them");
      Expression value = parse_expression(entry.string("value"), entry.at("value"), scope(false));
      entry.finish();
      const std::int32_t field =
          add_pointer(pointer, encoding_of(value.kind), entry.at("pointer"), sweep_);
      sweep_.derived.push_back({field, std::move(value)});
    }
  }

  // A pointer that is not varied: what each base says, or its default.
  std::optional<std::int32_t> read_only_field(const std::string& pointer) {
    if (pointer.empty() || pointer.front() != '/') return std::nullopt;
    std::vector<const json*> found;
    std::vector<json> documents;
    for (const std::string& setting : first_settings_) documents.push_back(json::parse(setting));
    for (const json& document : documents) {
      try {
        const json::json_pointer p(pointer);
        found.push_back(document.contains(p) ? &document.at(p) : nullptr);
      } catch (const json::exception&) {
        return std::nullopt;
      }
    }
    std::vector<const json*> there = found;
    std::erase(there, nullptr);
    if (there.empty()) return std::nullopt;
    const Encoding encoding = common_encoding(there);
    const std::int32_t index =
        add_field({.pointer = pointer, .encoding = encoding, .column = false}, sweep_);
    for (std::size_t i = 0; i < found.size(); ++i) {
      sweep_.bases[i].values[static_cast<std::size_t>(index)] =
          found[i] == nullptr ? std::numeric_limits<double>::quiet_NaN()
                              : *encode(*found[i], encoding, sweep_.texts);
    }
    return index;
  }

  // Results are numbered behind all fields. Fields may still be added while expressions are read,
  // so results get negative slots until renumber().
  std::optional<Slot> resolve(std::string_view name, bool pointer, bool with_results) {
    if (const auto field = find_field(sweep_, name); field && pointer == (name.front() == '/'))
      return Slot{.index = *field,
                  .kind = kind_of(sweep_.fields[static_cast<std::size_t>(*field)])};
    if (pointer) {
      const auto field = read_only_field(std::string(name));
      if (!field) return std::nullopt;
      return Slot{.index = *field,
                  .kind = kind_of(sweep_.fields[static_cast<std::size_t>(*field)])};
    }
    if (const auto constant = constants_.find(name); constant != constants_.end())
      return constant->second;
    if (!with_results) return std::nullopt;
    const auto column = std::ranges::find(sweep_.layout.results, name, &Column::name);
    if (column == sweep_.layout.results.end()) return std::nullopt;
    const auto index = static_cast<std::int32_t>(column - sweep_.layout.results.begin());
    return Slot{.index = kFirstResult + index, .kind = ValueKind::number};
  }

  Scope scope(bool with_results) {
    Scope out;
    out.resolve = [this, with_results](std::string_view name, bool pointer) {
      return resolve(name, pointer, with_results);
    };
    for (const Field& field : sweep_.fields) out.known.push_back(field.pointer);
    for (const auto& [name, slot] : constants_) out.known.push_back(name);
    for (const Column& column : sweep_.layout.results) {
      if (with_results) out.known.push_back(column.name);
    }
    out.texts = &sweep_.texts;
    return out;
  }

  std::vector<Expression> conditions(std::string_view key, bool with_results) {
    std::vector<Expression> out;
    if (!in_.has(key)) return out;
    const std::vector<std::string> texts = in_.strings(key);
    for (const std::string& text : texts) {
      const std::string where = fmt::format("{}/{}", in_.at(key), out.size());
      out.push_back(parse_expression(text, where, scope(with_results)));
      if (out.back().kind != ValueKind::boolean)
        throw InputError(
            fmt::format("{}: '{}' is no condition; expected a comparison", where, printable(text)));
    }
    return out;
  }

  std::size_t add_result(const std::string& name, Expression value, const std::string& where) {
    if (std::ranges::find(sweep_.layout.results, name, &Column::name) !=
        sweep_.layout.results.end())
      throw InputError(fmt::format("{}: '{}' is a result already", where, printable(name)));
    if (value.kind == ValueKind::text)
      throw InputError(fmt::format("{}: is a text; expected a number or a condition", where));
    sweep_.layout.results.push_back({.name = name});
    sweep_.own_results.push_back({name, std::move(value)});
    return sweep_.layout.results.size() - 1;
  }

  void read_results() {
    sweep_.layout.results = result_columns();
    if (!in_.has("results")) return;
    const json& own = in_.raw("results");
    if (!own.is_object()) in_.fail("results", "expected an object of names and expressions");
    for (const auto& item : own.items()) {
      const std::string where =
          fmt::format("{}/{}", in_.at("results"), printable(pointer_token(item.key()), 120));
      if (!item.value().is_string()) throw InputError(where + ": expected an expression in quotes");
      add_result(item.key(), parse_expression(item.value().get<std::string>(), where, scope(true)),
                 where);
    }
  }

  void read_objectives() {
    if (!in_.has("objectives")) return;
    for (JsonReader& entry : in_.objects("objectives")) {
      const bool maximize = entry.has(kDirections[0]);
      if (maximize == entry.has(kDirections[1]))
        throw InputError(entry.where() + ": expected either \"maximize\" or \"minimize\"");
      const std::string_view key = kDirections[maximize ? 0 : 1];
      const std::string text = entry.string(key);
      entry.finish();
      const auto column = std::ranges::find(sweep_.layout.results, text, &Column::name);
      const std::size_t index =
          column != sweep_.layout.results.end()
              ? static_cast<std::size_t>(column - sweep_.layout.results.begin())
              : add_result(text, parse_expression(text, entry.at(key), scope(true)), entry.at(key));
      sweep_.objectives.push_back({.column = index, .maximize = maximize});
    }
    constexpr std::size_t kMost = 3;  // of study::pareto_front
    if (sweep_.objectives.size() > kMost)
      in_.fail("objectives",
               fmt::format("{} objectives, expected at most {}", sweep_.objectives.size(), kMost));
  }

  void number_points() {
    long double total = 0.0L;
    for (const Base& base : sweep_.bases) {
      long double points = 1.0L;
      for (const Axis& axis : base.axes) points *= static_cast<long double>(axis.size);
      total += points;
    }
    constexpr long double kMost = 1e18L;  // numbers are 64-bit integers
    if (total > kMost) {
      throw InputError(
          fmt::format("{}: {:.3g} points; at most 1e18 can be numbered, and {} fit "
                      "one database; take fewer values or sample",
                      sweep_.where, static_cast<double>(total), kMaxPoints));
    }
    std::int64_t next = 0;
    for (Base& base : sweep_.bases) {
      base.begin = next;
      std::int64_t points = 1;
      for (const Axis& axis : base.axes) points *= axis.size;
      next = base.end = next + points;
    }
  }

  void renumber(Expression& expression) {
    for (Instruction& instruction : expression.program) {
      if (instruction.slot >= kFirstResult)
        instruction.slot += static_cast<std::int32_t>(sweep_.fields.size()) - kFirstResult;
    }
  }

  bool integral(std::size_t field) const {
    const auto whole = [](double v) { return std::isnan(v) || v == std::trunc(v); };
    for (const Base& base : sweep_.bases) {
      if (!whole(base.values[field])) return false;
      for (const Axis& axis : base.axes) {
        for (std::size_t i = 0; i < axis.values.size(); ++i) {
          const auto f = static_cast<std::size_t>(axis.fields[i % axis.fields.size()]);
          if (f == field && !whole(axis.values[i])) return false;
        }
      }
    }
    return true;
  }

  void lay_out() {
    for (Expression& filter : sweep_.filters) renumber(filter);
    for (OwnResult& own : sweep_.own_results) renumber(own.value);
    std::set<std::int32_t> derived;
    for (const Derived& d : sweep_.derived) derived.insert(d.field);
    std::vector<std::string> texts;
    for (std::int32_t i = 0; i < sweep_.texts.size(); ++i) texts.push_back(sweep_.texts.at(i));
    for (std::size_t i = 0; i < sweep_.fields.size(); ++i) {
      const Field& field = sweep_.fields[i];
      if (!field.column) continue;
      Column column{.name = field.pointer};
      if (kind_of(field) == ValueKind::text) {
        column.kind = ColumnKind::text;
        column.texts = texts;
      } else if (!derived.contains(static_cast<std::int32_t>(i)) && integral(i)) {
        column.kind = ColumnKind::integer;
      }
      sweep_.layout.inputs.push_back(std::move(column));
    }
    if (!sweep_.filters.empty())
      sweep_.layout.results.push_back({.name = "selected", .kind = ColumnKind::integer});
  }

  static constexpr std::int32_t kFirstResult = 1 << 20;

  JsonReader in_;
  study::Library& library_;
  Sweep sweep_;
  std::map<std::string, Slot, std::less<>> constants_;
  std::vector<std::string> first_settings_;  // per base, spelled out, with its own workload
};

}  // namespace

Sweep parse_sweep(const json& document, std::string_view where, study::Library& library) {
  Sweep sweep = Reader{document, where, library}.read();
  json spelled = document;
  spelled.erase("$schema");
  spelled.erase("comment");
  json& bases = spelled["base"];
  if (!bases.is_array()) {
    bases = json::parse(sweep.bases.front().document);
  } else {
    for (std::size_t i = 0; i < bases.size(); ++i)
      bases[i]["scenario"] = json::parse(sweep.bases[i].document);
  }
  sweep.document = spelled.dump();
  return sweep;
}

Sweep load_sweep(std::string_view file, study::Library& library) {
  const std::string path{file};
  return parse_sweep(read_json(path), path + "#", library);
}

}  // namespace fathom::sweep
