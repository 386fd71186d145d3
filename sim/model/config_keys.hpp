#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "core/json_reader.hpp"

namespace fathom::model {

/// Keys of a config.json that cannot change cost: token ids, dropout, initialisation, sampling.
std::span<const std::string_view> ignored_keys();
/// Keys that some family reads.
std::span<const std::string_view> read_keys();
/// Whether `key` is of either sort.
bool is_known_key(std::string_view key);

/// InputError for the first key that names a part we do not model (when its value switches it on),
/// then for the first key nobody knows, with the nearest known one.
void check_keys(const nlohmann::json& object, std::string_view where);

/// Marks as asked for everything that cannot change cost, and every key whose value is null.
void ignore_costless(JsonReader& in, const nlohmann::json& object);

}  // namespace fathom::model
