#include "core/processor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "core/fnv.hpp"

namespace fathom {
namespace {

std::string cpuinfo(std::string_view key) {
  std::ifstream info{"/proc/cpuinfo"};
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos && colon + 2 <= line.size())
      return line.substr(colon + 2);
  }
  return {};
}

}  // namespace

std::string processor_model() {
  const std::string model = cpuinfo("model name");
  return model.empty() ? "unknown processor" : model;
}

std::string processor_fingerprint() {
  const std::string text = fmt::format(
      "{}|{}|{}|{}|{}", processor_model(), cpuinfo("flags"), sysconf(_SC_LEVEL1_DCACHE_SIZE),
      sysconf(_SC_LEVEL2_CACHE_SIZE), sysconf(_SC_LEVEL3_CACHE_SIZE));
  return fmt::format("{:016x}", fnv1a(text));
}

}  // namespace fathom
