#pragma once

#include <cstdint>
#include <string_view>

namespace fathom {

/// 64-bit FNV-1a, to be continued byte by byte: identifies values, not a security hash.
inline constexpr std::uint64_t kFnvStart = 0xcbf29ce484222325U;
constexpr std::uint64_t fnv1a(std::uint64_t hash, std::uint8_t byte) {
  return (hash ^ byte) * 0x100000001b3U;
}
constexpr std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = kFnvStart;
  for (const char c : bytes) hash = fnv1a(hash, static_cast<std::uint8_t>(c));
  return hash;
}

}  // namespace fathom
