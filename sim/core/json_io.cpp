#include "core/json_io.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.hpp"
#include "core/fnv.hpp"
#include "core/json_syntax.hpp"
#include "core/si_format.hpp"
#include "core/system_message.hpp"
#include "core/utf8.hpp"

namespace fathom {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string shown_path(const std::filesystem::path& path) { return printable(path.string(), 200); }

[[noreturn]] void fail_errno(const std::filesystem::path& path, int error) {
  throw InputError(fmt::format("{}: {}", shown_path(path), system_message(error)));
}

[[noreturn]] void fail_too_large(const std::filesystem::path& path, const std::string& found,
                                 std::uintmax_t max_bytes) {
  throw InputError(fmt::format("{}: {}; expected at most {}", shown_path(path), found,
                               format_bytes_binary(Bytes{static_cast<double>(max_bytes)})));
}

// One byte more than allowed is asked for: pipes and growing files have no size to look at first.
std::string read_at_most(int fd, const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::string text;
  std::vector<char> buffer(std::size_t{64} * 1024);
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path, errno);
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > max_bytes) fail_too_large(path, "larger than allowed", max_bytes);
  }
}

// JSON cannot say NaN or infinity and the library would write null, hiding a mistake of ours.
bool all_finite(const nlohmann::json& value) {
  if (value.is_number_float()) return std::isfinite(value.get<double>());
  if (!value.is_structured()) return true;
  return std::all_of(value.begin(), value.end(), [](const auto& v) { return all_finite(v); });
}

}  // namespace

std::string read_text(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0 && errno == ENOENT) {
    throw InputError(fmt::format("{}: no such file", shown_path(path)));
  }
  if (file.get() < 0) fail_errno(path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) fail_errno(path, errno);
  if (S_ISDIR(facts.st_mode)) {
    throw InputError(fmt::format("{}: is a directory; expected a file", shown_path(path)));
  }
  const auto size = static_cast<std::uintmax_t>(std::max<off_t>(0, facts.st_size));
  if (size > max_bytes) {
    fail_too_large(path, format_bytes_binary(Bytes{static_cast<double>(size)}), max_bytes);
  }
  return read_at_most(file.get(), path, max_bytes);
}

nlohmann::json parse_json(std::string_view text, std::string_view shown) {
  // Editors on some systems start UTF-8 files with a byte order mark; it carries nothing.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  check_json_syntax(text, shown);
  nlohmann::json value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  FATHOM_EXPECT(!value.is_discarded(), "checked JSON does not parse");
  return value;
}

nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path, kMaxJsonBytes), shown_path(path));
}

std::string dump_json(const nlohmann::json& value) {
  FATHOM_EXPECT(all_finite(value), "a result is NaN or infinite");
  // File names need not be UTF-8; a replacement character is better than no output.
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string content_hash(std::string_view bytes) { return fmt::format("{:016x}", fnv1a(bytes)); }

}  // namespace fathom
