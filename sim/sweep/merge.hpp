#pragma once

#include <string>
#include <vector>

namespace fathom::sweep {

/// Writes the shards of one sweep into one database, byte for byte the one that a single run would
/// have written. InputError, and no output, unless they agree on provenance, columns and sweep, all
/// are complete, and together have every point once; it names what differs or is missing.
void merge(const std::vector<std::string>& shards, const std::string& output, bool overwrite);

}  // namespace fathom::sweep
