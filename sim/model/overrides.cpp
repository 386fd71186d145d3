#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "model/config_keys.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

// "128", "true", "[1,2]" and "null" are JSON; anything else is a string.
json parse_value(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json(text) : value;
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    parts.emplace_back(path.substr(from, dot - from));
    from = dot + 1;
  }
  return parts;
}

[[noreturn]] void unknown_field(const json& object, std::string_view key, std::string_view set) {
  std::vector<std::string> names;
  for (const auto& item : object.items()) names.push_back(item.key());
  std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string_view read : read_keys()) known.push_back(read);
  throw InputError(
      fmt::format("--set {}: unknown field '{}'{}", set, key, did_you_mean(key, known)));
}

// A key the file has may be set anywhere; a key that only the reader knows, at the top.
void apply(json& config, const std::string& set, std::string_view where) {
  const std::size_t equals = set.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw InputError(fmt::format("--set {}: expected FIELD=VALUE", set));
  }
  const std::vector<std::string> path = split(std::string_view(set).substr(0, equals));
  json* object = &config;
  if (!config.contains(path.front()) && config.contains("text_config")) {
    object = &config["text_config"];
  }
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (!object->is_object() || !object->contains(path[i])) unknown_field(*object, path[i], set);
    object = &(*object)[path[i]];
  }
  if (!object->is_object()) {
    throw InputError(fmt::format("--set {}: {}/{} is no object", set, where, path.front()));
  }
  const std::string& key = path.back();
  const bool known =
      object->contains(key) || (path.size() == 1 && is_known_key(key)) || is_ds_config(config);
  if (!known) unknown_field(*object, key, set);
  (*object)[key] = parse_value(set.substr(equals + 1));
}

}  // namespace

json apply_sets(json config, const std::vector<std::string>& sets, std::string_view where) {
  for (const std::string& set : sets) apply(config, set, where);
  return config;
}

}  // namespace fathom::model
