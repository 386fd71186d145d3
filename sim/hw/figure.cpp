#include "hw/figure.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"

namespace fathom::hw {
namespace {

constexpr const char* kNoSource = "no source; add one under \"sources\"";

std::vector<std::string_view> keys_of(const SourceTable& sources) {
  std::vector<std::string_view> keys;
  keys.reserve(sources.size());
  for (const auto& entry : sources) keys.push_back(entry.first);
  return keys;
}

Basis read_basis(JsonReader& entry) {
  std::array<std::string_view, kBasisCount> words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = name(static_cast<Basis>(i));
  return static_cast<Basis>(entry.choice("basis", words));
}

// "file.json#/device/tdp_w" -> "/device/tdp_w": the file is known from the cluster.
std::string pointer_of(const std::string& where) {
  const auto hash = where.find('#');
  return hash == std::string::npos ? where : where.substr(hash + 1);
}

}  // namespace

SourceTable read_sources(JsonReader& file) {
  SourceTable sources;
  const auto& listed_sources = file.raw("sources");
  if (!listed_sources.is_object()) file.fail("sources", "found no object; expected {key: {cite}}");
  for (const auto& item : listed_sources.items()) {
    JsonReader source{item.value(), file.at("sources") + "/" + item.key()};
    auto citation = source.string("cite");
    if (const auto place = source.string_or("where", ""); !place.empty()) citation += ", " + place;
    source.finish();
    sources.emplace(item.key(), std::move(citation));
  }
  return sources;
}

std::vector<std::string> listed(const SourceTable& sources) {
  std::vector<std::string> lines;
  lines.reserve(sources.size());
  for (const auto& [key, citation] : sources) lines.push_back(fmt::format("{}: {}", key, citation));
  return lines;
}

Grounds read_grounds(JsonReader& entry, const SourceTable& sources) {
  if (!entry.has("src")) throw InputError(fmt::format("{}: {}", entry.where(), kNoSource));
  Grounds grounds;
  grounds.basis = read_basis(entry);
  grounds.src = entry.strings("src");
  if (grounds.src.empty()) throw InputError(fmt::format("{}: {}", entry.where(), kNoSource));
  for (const auto& key : grounds.src) {
    if (sources.find(key) != sources.end()) continue;
    entry.fail("src", fmt::format("unknown source '{}'; add it under \"sources\"{}", key,
                                  did_you_mean(key, keys_of(sources))));
  }
  grounds.noted = !entry.string_or("note", "").empty();
  return grounds;
}

Figure FigureReader::required(JsonReader& parent, std::string_view key, Range range) {
  auto figure = optional(parent, key, range);
  if (!figure)
    parent.fail(key, "missing; expected {\"v\": number, \"src\": [key], \"basis\": word}");
  return *std::move(figure);
}

std::optional<Figure> FigureReader::optional(JsonReader& parent, std::string_view key,
                                             Range range) {
  if (!parent.has(key)) {
    parent.ignore(key);
    return std::nullopt;
  }
  if (parent.raw(key).is_number()) parent.fail(key, kNoSource);
  auto reader = parent.object(key);
  Figure figure;
  figure.value = reader.number("v", range.min, range.max);
  figure.grounds = read_grounds(reader, sources_);
  reader.finish();
  if (needs_confession(figure.grounds.basis)) assumed_.push_back(pointer_of(reader.where()));
  return figure;
}

}  // namespace fathom::hw
