#include "sweep/database_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/error.hpp"
#include "core/system_message.hpp"
#include "core/utf8.hpp"
#include "sweep/database_schema.hpp"

namespace fs = std::filesystem;

namespace fathom::sweep {
namespace {

[[noreturn]] void fail(const std::string& shown, const std::string& message) {
  throw InputError(fmt::format("{}: {}", shown, message));
}

// "process 4711 on node-3", as the holder wrote it, or less if it is only just writing it.
std::string holder(int fd) {
  std::array<char, 200> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  const std::string_view line(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return line.empty() ? "another process" : printable(line.substr(0, line.find('\n')), 120);
}

// A missing name only makes the message poorer.
void write_holder(int fd) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string line =
      fmt::format("process {} on {}\n", static_cast<long>(::getpid()), host.data());
  if (::ftruncate(fd, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(fd, line.data(), line.size(), 0);
}

// The last holder may have removed the file between our open and our lock.
bool is_still_there(int fd, const std::string& path) {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

// By its first 100 bytes, so that a damaged one may be replaced as well. The format's own words:
// https://www.sqlite.org/fileformat2.html#the_database_header
bool is_sweep_database(const fs::path& path) {
  std::array<char, 100> header{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(header.data(), header.size())) return false;
  std::int64_t id = 0;
  for (std::size_t i = 68; i < 72; ++i) id = id * 256 + static_cast<unsigned char>(header[i]);
  return std::memcmp(header.data(), "SQLite format 3", 16) == 0 && id == kApplicationId;
}

}  // namespace

std::string shown_path(const fs::path& path) { return printable(path.string(), 200); }

fs::path database_path(const std::string& path) {
  if (path.empty()) throw InputError("no file name for the database; expected a path");
  const std::string shown = shown_path(path);
  if (path.find('\0') != std::string::npos) fail(shown, "has a NUL in its name");
  std::error_code error;
  fs::path real = fs::absolute(path, error);
  if (!error) real = fs::weakly_canonical(real, error);
  if (error) fail(shown, fmt::format("cannot be reached: {}", system_message(error.value())));
  const fs::file_status status = fs::status(real, error);
  if (fs::is_directory(status)) fail(shown, "is a directory; expected a file name");
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(shown, "is no regular file; expected a file to keep a database in");
  }
  if (!fs::is_directory(real.parent_path(), error)) {
    fail(shown, fmt::format("the folder {} does not exist; create it first",
                            shown_path(real.parent_path())));
  }
  return real;
}

WriterLock::WriterLock(const fs::path& database, const std::string& shown)
    : path_(database.string() + "-lock") {
  take(shown);
}

void WriterLock::take(const std::string& shown) {
  // A side file, because SQLite's own locks on the database live and die with every descriptor of
  // it that this process opens and closes.
  for (;;) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) {
      fail(shown,
           fmt::format("{} cannot be written: {}", shown_path(path_), system_message(errno)));
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string who = holder(fd_);
      ::close(fd_);
      if (error == EWOULDBLOCK) {
        fail(shown, fmt::format("{} is writing it; wait for it or choose another file", who));
      }
      fail(shown, fmt::format("cannot be locked: {}", system_message(error)));
    }
    if (is_still_there(fd_, path_)) break;
    ::close(fd_);
  }
  write_holder(fd_);
}

WriterLock::~WriterLock() {
  ::unlink(path_.c_str());
  ::close(fd_);
}

void remove_side_files(const fs::path& database) {
  for (const char* suffix : {"-wal", "-shm", "-journal"}) {
    ::unlink((database.string() + suffix).c_str());
  }
}

void require_replaceable(const fs::path& database, const std::string& shown, bool overwrite) {
  std::error_code error;
  if (!fs::exists(database, error)) return;
  if (!overwrite) {
    fail(shown, "exists; continue it with --resume or replace it with --overwrite");
  }
  if (fs::file_size(database, error) != 0 && !is_sweep_database(database)) {
    fail(shown,
         "is not a sweep's database, and --overwrite replaces nothing else; remove it first");
  }
}

}  // namespace fathom::sweep
