#pragma once
// Sweeps of random rows, for the tests of what stores them.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>

#include "core/rng.hpp"
#include "sweep/database.hpp"

namespace fathom::sweep {

/// A folder that goes with the test.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string bytes_of(const std::string& path);

/// Up to 11 inputs and 15 results of all kinds.
Manifest random_manifest(Rng& rng, PointRange whole);

/// The rows of the range, the same for one `seed` however the points are cut. About one number in
/// `sparsity` has a row, every fifth of them without results.
Block random_block(const Layout& layout, PointRange range, std::uint64_t seed,
                   std::uint64_t sparsity = 1);

/// Appends such rows, block by block, until `until` is stored or the range is complete.
void append_rows(Database& database, const Manifest& manifest, std::uint64_t seed,
                 std::int64_t until = std::numeric_limits<std::int64_t>::max(),
                 std::uint64_t sparsity = 1);

/// A finished database, written in one go; returns `path`.
std::string write_sweep(const std::string& path, const Manifest& manifest, std::uint64_t seed,
                        std::uint64_t sparsity = 1);

/// The message of the InputError, empty if there was none.
std::string complaint(const std::function<void()>& work);

/// Another process that does the work and exits with what it returns, 99 if it throws.
pid_t start(const std::function<int()>& work);
int wait_for(pid_t child);  ///< its exit status, -1 if it was killed

}  // namespace fathom::sweep
