#pragma once
// Compares a published JSON Schema (docs/schema/) with the reader of the documents it describes, so
// that neither changes without the other: keys, choices, ranges and defaults.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/json_io.hpp"

namespace fathom::schema_test {

using nlohmann::json;

/// A document that the reader accepts, and the place in it that a part of the schema describes.
struct Example {
  std::string part;  // JSON pointer into the schema: "/definitions/plan"
  json document;
  std::string place;  // JSON pointer into the document: "/plan"
};

/// Reads a document and returns it with every default spelled out; null when that has no meaning.
using Read = std::function<json(const json&)>;

inline json schema(const std::string& name) {
  return read_json(fmt::format("{}/docs/schema/{}.json", FATHOM_SOURCE_DIR, name));
}

inline json example(const std::string& name) {
  return read_json(fmt::format("{}/examples/{}.json", FATHOM_SOURCE_DIR, name));
}

inline json& at(json& document, const std::string& pointer) {
  return document.at(json::json_pointer(pointer));
}
inline const json& at(const json& document, const std::string& pointer) {
  return document.at(json::json_pointer(pointer));
}

/// The document with one value set.
inline json with(json document, const std::string& pointer, json value) {
  document[json::json_pointer(pointer)] = std::move(value);
  return document;
}

/// Pointers to the parts of a schema that name every key they allow.
inline void strict_parts(const json& node, const std::string& pointer, std::set<std::string>& out) {
  if (node.is_object() && node.contains("properties") &&
      node.value("additionalProperties", json(true)) == false) {
    out.insert(pointer);
  }
  for (const auto& item : node.items()) {
    if (item.value().is_structured())
      strict_parts(item.value(), fmt::format("{}/{}", pointer, item.key()), out);
  }
}

/// Every string that could be a key, in the sources of a module or in one file of it ("hw",
/// "model/load_model.cpp").
inline std::set<std::string> words_of(const std::vector<std::string>& places) {
  static const std::regex kWord("\"([a-z][a-z0-9_]*)\"");
  const std::filesystem::path root = std::filesystem::path(FATHOM_SOURCE_DIR) / "sim";
  std::set<std::string> out;
  const auto add = [&out](const std::filesystem::path& file) {
    const std::string text = read_text(file);
    for (std::sregex_iterator word(text.begin(), text.end(), kWord), end; word != end; ++word)
      out.insert((*word)[1]);
  };
  for (const std::string& place : places) {
    if (place.ends_with(".cpp")) {
      add(root / place);
      continue;
    }
    for (const auto& file : std::filesystem::directory_iterator(root / place)) {
      if (file.path().extension() == ".cpp") add(file.path());
    }
  }
  return out;
}

/// Groups of parts of which a document takes one: the targets of each anyOf.
inline void alternatives(const json& node, std::vector<std::set<std::string>>& out) {
  if (node.is_object() && node.contains("anyOf")) {
    std::set<std::string> group;
    for (const json& one : node["anyOf"]) {
      const std::string target = one.value("$ref", "");
      if (target.starts_with("#/")) group.insert(target.substr(1));
    }
    out.push_back(std::move(group));
  }
  for (const auto& item : node.items()) {
    if (item.value().is_structured()) alternatives(item.value(), out);
  }
}

class Comparison {
 public:
  /// `words`: what the reader may know without the schema saying so.
  Comparison(json schema, Read read, std::set<std::string> words)
      : schema_(std::move(schema)), read_(std::move(read)), words_(std::move(words)) {
    alternatives(schema_, alternatives_);
  }

  /// What differs, in words; empty when nothing does. Every strict part needs an example.
  std::vector<std::string> faults(const std::vector<Example>& examples) {
    std::set<std::string> parts;
    strict_parts(schema_, "", parts);
    for (const std::string& part : parts) {
      const bool shown = std::any_of(examples.begin(), examples.end(),
                                     [&](const Example& e) { return e.part == part; });
      if (!shown) faults_.push_back(fmt::format("{}: no example of this part", part));
    }
    for (const Example& example : examples) check_example(example);
    for (const std::string& part : parts) check_part(part, examples);
    return faults_;
  }

 private:
  // No key of ours comes after it, so a complaint about it means that all others are known.
  static constexpr const char* kUnknown = "zzzz";

  std::string complaint(const json& document) const {
    try {
      read_(document);
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  }

  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
  static std::string unknown(const std::string& key) {
    return fmt::format("unknown key '{}'", key);
  }

  void check_example(const Example& e) {
    const std::string found = complaint(e.document);
    if (!found.empty()) faults_.push_back(fmt::format("example of {}: {}", e.part, found));
    const std::string strict = complaint(with(e.document, e.place + "/" + kUnknown, 1));
    if (!contains(strict, unknown(kUnknown)))
      faults_.push_back(fmt::format("{} is not strict: '{}'", e.part, strict));
    for (const std::string& word : words_) {
      if (allows(e.part, word)) continue;
      if (!contains(complaint_about(e, word, 1), unknown(word)))
        faults_.push_back(fmt::format("{}: the reader knows '{}'", e.part, word));
    }
  }

  // Also what an alternative of the part allows: the key makes the object one of those.
  bool allows(const std::string& part, const std::string& key) const {
    if (names(at(schema_, part), key)) return true;
    return std::ranges::any_of(alternatives_, [&](const std::set<std::string>& group) {
      return group.contains(part) && std::ranges::any_of(group, [&](const std::string& other) {
               return names(at(schema_, other), key);
             });
    });
  }

  static bool names(const json& part, const std::string& key) {
    if (part.contains("properties") && part["properties"].contains(key)) return true;
    if (!part.contains("patternProperties")) return false;
    for (const auto& pattern : part["patternProperties"].items()) {
      if (std::regex_search(key, std::regex(pattern.key()))) return true;
    }
    return false;
  }

  void check_part(const std::string& part, const std::vector<Example>& examples) {
    for (const auto& item : at(schema_, part).at("properties").items()) {
      bool known = false;
      for (const Example& e : examples) {
        if (e.part != part) continue;
        known = known || is_known(e, item.key(), item.value());
        if (item.value().contains("enum")) check_choices(e, item.key(), item.value());
        check_range(e, item.key(), item.value());
        if (item.value().contains("default")) check_default(e, item.key(), item.value());
      }
      if (!known) faults_.push_back(fmt::format("{}/properties/{}: no such key", part, item.key()));
    }
  }

  // A value that the key may have, for readers that do not take null for absent.
  static json value_for(const json& property) {
    for (const char* key : {"default", "const", "minimum"}) {
      if (property.contains(key)) return property[key];
    }
    for (const char* key : {"examples", "enum"}) {
      if (property.contains(key)) return property[key].front();
    }
    return "text";
  }

  bool is_known(const Example& e, const std::string& key, const json& property) const {
    const json& object = at(e.document, e.place);
    std::vector<json> values{nullptr, value_for(property)};
    if (object.contains(key)) values = {object[key]};
    for (const json& value : values) {
      json document = with(e.document, e.place + "/" + key, value);
      document = with(std::move(document), e.place + "/" + kUnknown, 1);
      const std::string found = complaint(document);
      // Either the reader came to the end and knew all but one key, or it disliked the value.
      if (contains(found, unknown(kUnknown))) return true;
      if (!contains(found, "unknown key") && contains(found, key)) return true;
    }
    return false;
  }

  std::string complaint_about(const Example& e, const std::string& key, const json& value) const {
    return complaint(with(e.document, e.place + "/" + key, value));
  }

  void check_choices(const Example& e, const std::string& key, const json& property) {
    std::set<std::string> ours;
    for (const json& value : property.at("enum")) {
      if (!value.is_string()) continue;
      ours.insert(value.get<std::string>());
      const std::string found = complaint_about(e, key, value);
      if (contains(found, "expected one of") && contains(found, "/" + key + ":"))
        faults_.push_back(fmt::format("{}/{}: {}", e.part, key, found));
    }
    const std::string found = complaint_about(e, key, kUnknown);
    std::smatch list;
    static const std::regex kList("expected one of ('[^;]*')");
    if (!std::regex_search(found, list, kList)) return;
    std::set<std::string> theirs;
    const std::string words = list[1];
    static const std::regex kWord("'([^']*)'");
    for (std::sregex_iterator word(words.begin(), words.end(), kWord), end; word != end; ++word)
      theirs.insert((*word)[1]);
    if (ours != theirs) faults_.push_back(fmt::format("{}/{}: the reader {}", e.part, key, found));
  }

  // The range that the reader names when a value is far outside.
  void check_range(const Example& e, const std::string& key, const json& property) {
    if (!property.contains("maximum")) return;  // none, or one that follows from other fields
    const std::string found = complaint_about(e, key, 1e300);
    std::smatch range;
    static const std::regex kRange(
        "/([^/:]+): found .*expected an? (?:integer|number) from (\\S+) to (\\S+)$");
    if (!std::regex_search(found, range, kRange) || range[1] != key) return;
    const bool same = property.contains("minimum") &&
                      property["minimum"].get<double>() == std::stod(range[2]) &&
                      property["maximum"].get<double>() == std::stod(range[3]);
    if (!same) faults_.push_back(fmt::format("{}/{}: the reader {}", e.part, key, found));
  }

  void check_default(const Example& e, const std::string& key, const json& property) {
    json without = e.document;
    at(without, e.place).erase(key);
    if (!complaint(without).empty()) return;  // required here
    const std::string found = complaint_about(e, key, property["default"]);
    if (contains(found, unknown(key))) return;  // belongs to another kind of document
    if (!found.empty()) {
      faults_.push_back(fmt::format("{}/{}: default: {}", e.part, key, found));
    } else if (read_(without) !=
               read_(with(e.document, e.place + "/" + key, property["default"]))) {
      faults_.push_back(
          fmt::format("{}/{}: absent is not {}", e.part, key, property["default"].dump()));
    }
  }

  json schema_;
  Read read_;
  std::set<std::string> words_;
  std::vector<std::set<std::string>> alternatives_;
  std::vector<std::string> faults_;
};

/// What differs between a schema and its reader, whose keys are written down in `places`.
inline std::vector<std::string> faults(const std::string& name,
                                       const std::vector<std::string>& places,
                                       const std::vector<Example>& examples, const Read& read) {
  return Comparison{schema(name), read, words_of(places)}.faults(examples);
}
inline const std::vector<std::string> kNone;

}  // namespace fathom::schema_test
