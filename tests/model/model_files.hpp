#pragma once

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "model/hf_config.hpp"

namespace fathom::model::test {

inline std::filesystem::path models_dir() {
  return std::filesystem::path(FATHOM_SOURCE_DIR) / "models";
}

/// Published configurations and figures that lie beside a development checkout, not inside it.
inline std::filesystem::path reference_dir() {
  return std::filesystem::path(FATHOM_SOURCE_DIR) / ".." / "shared" / "reference";
}

inline ArchSpec load(const std::string& name, const ReadOptions& options = {}) {
  return load_model((models_dir() / (name + ".json")).string(), options).arch;
}

/// The `config` object of one of our files, to spoil.
inline nlohmann::json config_of(const std::string& name) {
  return read_json(models_dir() / (name + ".json"))["config"];
}

/// What the user would read; empty when nothing is thrown.
template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

/// What parse_hf_config complains about.
inline std::string complaint(const nlohmann::json& config, const ReadOptions& options = {}) {
  return message_of([&] { parse_hf_config(config, "x.json#", options); });
}

/// The first of `words` that `text` lacks, with the text; empty when it mentions all of them.
inline std::string missing(const std::string& text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text.find(word) == std::string::npos) {
      return "no '" + std::string(word) + "' in: " + text;
    }
  }
  return {};
}

}  // namespace fathom::model::test
