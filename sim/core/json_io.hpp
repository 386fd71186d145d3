#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace fathom {

/// Limits that keep a hostile or mistaken file from taking the machine down.
inline constexpr std::uintmax_t kMaxJsonBytes = 16U << 20U;
inline constexpr int kMaxJsonDepth = 64;

/// Reads and parses a JSON file. InputError for: missing, a directory, larger than kMaxJsonBytes
/// (checked before reading), not UTF-8, syntax errors (line and column), nesting deeper than
/// kMaxJsonDepth, duplicate keys, a number such as 1e400 that overflows. `shown` is how the file is
/// named in messages.
nlohmann::json read_json(const std::filesystem::path& path);
nlohmann::json parse_json(std::string_view text, std::string_view shown);
/// Whole file as text with the same size limit.
std::string read_text(const std::filesystem::path& path, std::uintmax_t max_bytes = kMaxJsonBytes);

/// Canonical text: sorted keys, two-space indent, shortest numbers that read back the same, final
/// newline.
std::string dump_json(const nlohmann::json& value);

/// Writes whole or not at all: a temporary file beside the target, flushed, then renamed.
/// InputError if it cannot.
void write_file(const std::filesystem::path& path, std::string_view content);

/// 64-bit FNV-1a of the bytes as 16 hex digits: identifies inputs in reports, not a security hash.
std::string content_hash(std::string_view bytes);

}  // namespace fathom
