#pragma once

#include <cstdint>
#include <string>

#include "sweep/database.hpp"
#include "sweep/database_sql.hpp"

namespace fathom::sweep {

/// Marks the file as a sweep's: "fsw1" in SQLite's application_id, bytes 68 to 71 of the file.
inline constexpr std::int64_t kApplicationId = 0x66737731;
/// Of the tables, in SQLite's user_version. A change of the tables changes it.
inline constexpr std::int64_t kFormatVersion = 1;

/// InputError for a layout that SQL cannot hold (names that differ in case only, too many columns).
void check_manifest(const Manifest& manifest, const std::string& shown);

/// All tables of a new file with the manifest, in one transaction.
void write_schema(SqlConnection& connection, const Manifest& manifest);

/// InputError unless the file is a sweep's database of this format with unaltered tables.
Manifest read_manifest(SqlConnection& connection);
/// The first number not yet stored.
std::int64_t read_next(SqlConnection& connection);

/// What differs, in words: "provenance 'seed' is '1', OTHER has '2'"; empty if nothing does.
/// Ranges are left to the caller.
std::string difference(const Manifest& stored, const Manifest& other,
                       const std::string& other_name);

}  // namespace fathom::sweep
