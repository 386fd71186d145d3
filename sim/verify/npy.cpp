#include "verify/npy.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/utf8.hpp"

namespace fathom::verify {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are stored little-endian");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 65536;

struct Header {
  std::string descr;
  kernels::Shape shape;
};

[[noreturn]] void fail(const std::string& shown, const std::string& message) {
  throw InputError(fmt::format("{}: {}", shown, message));
}

// The value text after `'key':` in the header's Python dictionary.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  const std::string quoted = fmt::format("'{}'", key);
  const auto at = header.find(quoted);
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + quoted.size());
  const auto colon = rest.find_first_not_of(' ');
  if (colon == std::string_view::npos || rest[colon] != ':') return {};
  rest.remove_prefix(colon + 1);
  const auto value = rest.find_first_not_of(' ');
  if (value == std::string_view::npos) return {};
  return rest.substr(value);
}

// "(3, 5, 256)", "(7,)" or "()".
std::optional<kernels::Shape> parse_shape(std::string_view text) {
  if (text.empty() || text.front() != '(') return {};
  const auto end = text.find(')');
  if (end == std::string_view::npos) return {};
  text = text.substr(1, end - 1);
  kernels::Shape shape;
  while (!text.empty()) {
    const auto digit = text.find_first_not_of(" ,");
    if (digit == std::string_view::npos) break;
    text.remove_prefix(digit);
    std::int64_t dim = 0;
    const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (error != std::errc{} || dim < 0) return {};
    text.remove_prefix(static_cast<std::size_t>(next - text.data()));
    shape.push_back(dim);
  }
  return shape;
}

std::int64_t checked_count(const kernels::Shape& shape, const std::string& shown) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim > 0 && count > kMaxElements / dim) {
      fail(shown, fmt::format("more than {} elements", kMaxElements));
    }
    count *= dim;
  }
  return count;
}

std::uint32_t little_endian(std::span<const char> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

Header read_header(std::ifstream& in, const std::string& shown) {
  std::array<char, 8> start{};
  if (!in.read(start.data(), start.size()) ||
      std::string_view(start.data(), kMagic.size()) != kMagic) {
    fail(shown, "not a .npy file (wrong magic bytes)");
  }
  const int version = start[6];
  if (version < 1 || version > 3) {
    fail(shown, fmt::format(".npy format version {}; expected 1, 2 or 3", version));
  }
  std::array<char, 4> length{};
  const std::size_t width = version == 1 ? 2 : 4;
  if (!in.read(length.data(), static_cast<std::streamsize>(width))) fail(shown, "truncated header");
  const std::uint32_t size = little_endian(std::span(length).first(width));
  if (size > kMaxHeader) fail(shown, fmt::format("header of {} bytes", size));
  std::string text(size, '\0');
  if (!in.read(text.data(), size)) fail(shown, "truncated header");
  const auto descr = value_of(text, "descr");
  const auto order = value_of(text, "fortran_order");
  const auto shape_text = value_of(text, "shape");
  const auto shape = shape_text ? parse_shape(*shape_text) : std::nullopt;
  if (!descr || descr->size() < 5 || !order || !shape) {
    fail(shown, "header without descr, fortran_order or shape");
  }
  if (!order->starts_with("False")) fail(shown, "Fortran order; expected C order");
  return {printable(descr->substr(1, descr->find('\'', 1) - 1), 20), *shape};
}

template <class T>
kernels::Tensor<T> read_values(std::ifstream& in, const Header& header, std::uintmax_t left,
                               const std::string& shown) {
  const auto count = static_cast<std::size_t>(checked_count(header.shape, shown));
  if (left != count * sizeof(T)) {
    fail(shown,
         fmt::format("{} bytes of data, expected {} for its shape ({})", left, count * sizeof(T),
                     left < count * sizeof(T) ? "truncated" : "trailing bytes"));
  }
  kernels::Tensor<T> out{header.shape};
  if (count > 0 && !in.read(reinterpret_cast<char*>(out.data.data()),
                            static_cast<std::streamsize>(count * sizeof(T)))) {
    fail(shown, "cannot be read to its end");
  }
  return out;
}

}  // namespace

Array read_npy(const std::filesystem::path& path, const std::string& shown) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail(shown, std::filesystem::exists(path, error) ? "not a regular file" : "no such file");
  }
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) fail(shown, "cannot be opened");
  const Header header = read_header(in, shown);
  const std::uintmax_t left = bytes - static_cast<std::uintmax_t>(in.tellg());
  if (header.descr == "<f4") return read_values<float>(in, header, left, shown);
  if (header.descr == "<f8") return read_values<double>(in, header, left, shown);
  if (header.descr == "<i8") return read_values<std::int64_t>(in, header, left, shown);
  fail(shown, fmt::format("dtype '{}'; expected <f4, <f8 or <i8", header.descr));
}

std::string dtype_name(const Array& array) {
  constexpr std::array names{"float32", "float64", "int64"};
  return names.at(array.index());
}

const kernels::Shape& shape_of(const Array& array) {
  return std::visit([](const auto& a) -> const kernels::Shape& { return a.shape; }, array);
}

}  // namespace fathom::verify
