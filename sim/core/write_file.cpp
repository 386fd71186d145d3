#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/system_message.hpp"
#include "core/utf8.hpp"

namespace fs = std::filesystem;

namespace fathom {
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& message) {
  throw InputError(fmt::format("{}: {}", printable(path.string(), 200), message));
}

// 0, or the errno of the first write that did not go through.
int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

// Devices, pipes and /dev/stdout have no content to protect and must not be renamed over. Appending
// keeps what a shell's ">>" already holds behind /dev/stdout.
void write_through(const fs::path& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) fail(path, fmt::format("cannot be written: {}", system_message(errno)));
  int error = write_all(fd, content);
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error != 0) fail(path, fmt::format("cannot be written: {}", system_message(error)));
}

// 0, or the errno of the first step that did not succeed; then the temporary file is gone again.
// A file that is replaced hands its permissions on.
int write_and_rename(const fs::path& target, std::string_view content,
                     const struct stat* replaced) {
  fs::path temporary;
  int fd = -1;
  // Another writer of this process, or a run that was killed, may hold the first names.
  for (int attempt = 0; fd < 0 && attempt < 100; ++attempt) {
    temporary = target.parent_path() /
                fmt::format(".fathom-{}-{}.tmp", static_cast<long>(::getpid()), attempt);
    fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) return errno;
  }
  if (fd < 0) return EEXIST;
  int error = write_all(fd, content);
  const bool keep_mode = error == 0 && replaced != nullptr;
  if (keep_mode && ::fchmod(fd, replaced->st_mode & mode_t{07777}) != 0) error = errno;
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(temporary.c_str());
  return error;
}

// /dev/stdout may lead to a regular file, which the shell holds open: renaming would detach it.
bool is_open_stream(const fs::path& path) {
  const std::string text = path.lexically_normal().string();
  return text == "/dev/stdout" || text == "/dev/stderr" || text.starts_with("/dev/fd/") ||
         text.starts_with("/proc/");
}

}  // namespace

std::string system_message(int error) {
  std::string message = std::generic_category().message(error);
  if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z') {
    message[0] = static_cast<char>(message[0] - 'A' + 'a');
  }
  return message;
}

void write_file(const fs::path& path, std::string_view content) {
  if (path.empty()) throw InputError("no file name to write to; expected a path");
  struct stat facts {};
  const bool exists = ::stat(path.c_str(), &facts) == 0;
  if (exists && S_ISDIR(facts.st_mode)) fail(path, "is a directory; expected a file name");
  if (exists && (!S_ISREG(facts.st_mode) || is_open_stream(path))) {
    write_through(path, content);
    return;
  }
  std::error_code ignored;
  const fs::path folder = path.parent_path();
  if (!exists && !folder.empty() && !fs::is_directory(folder, ignored)) {
    fail(path, fmt::format("the folder {} does not exist; create it first",
                           printable(folder.string(), 200)));
  }
  // A link keeps pointing at its file; the file behind it is what gets replaced.
  const fs::path target = exists ? fs::canonical(path, ignored) : path;
  const int error =
      write_and_rename(target.empty() ? path : target, content, exists ? &facts : nullptr);
  if (error != 0) fail(path, fmt::format("cannot be written: {}", system_message(error)));
}

}  // namespace fathom
