#pragma once

#include <filesystem>
#include <string>

namespace fathom::sweep {

/// Where a database lies: links followed, so that every name of one file has one lock, and never a
/// name that SQLite takes for something else ("file:x", ":memory:"). InputError for a directory, a
/// device, a folder that does not exist, no name at all.
std::filesystem::path database_path(const std::string& path);
std::string shown_path(const std::filesystem::path& path);  ///< as it appears in messages

/// Holds FILE-lock while it lives; the kernel lets go if the process is killed. InputError, naming
/// the holder, if another writer has it.
class WriterLock {
 public:
  WriterLock(const std::filesystem::path& database, const std::string& shown);
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock();

 private:
  void take(const std::string& shown);
  std::string path_;
  int fd_ = -1;
};

/// Removes what SQLite keeps beside a database; a stray -wal would be read into the next one.
void remove_side_files(const std::filesystem::path& database);
/// InputError unless there is no file, or one that `overwrite` may replace.
void require_replaceable(const std::filesystem::path& database, const std::string& shown,
                         bool overwrite);

}  // namespace fathom::sweep
