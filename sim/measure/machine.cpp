#include "measure/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/processor.hpp"

namespace fathom::measure {
namespace {

std::string first_line(const char* path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

// "always [madvise] never"
std::string huge_pages() {
  const std::string line = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  const auto open = line.find('[');
  const auto close = line.find(']');
  if (open == std::string::npos || close == std::string::npos) return "unknown";
  return line.substr(open + 1, close - open - 1);
}

std::int64_t available_memory() {
  std::ifstream info{"/proc/meminfo"};
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("MemAvailable:")) return std::atoll(line.c_str() + 13) * 1024;
  return static_cast<std::int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

struct CgroupMemory {
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  std::int64_t used = 0;
};

CgroupMemory cgroup_memory() {
  CgroupMemory out;
  const std::string limit = first_line("/sys/fs/cgroup/memory.max");
  if (limit.empty() || limit == "max") return out;
  out.limit = std::atoll(limit.c_str());
  out.used = std::atoll(first_line("/sys/fs/cgroup/memory.current").c_str());
  return out;
}

}  // namespace

Machine this_machine() {
  const auto& features = kernels::cpu::cpu_features();
  Machine out{.model = features.model,
              .flags = features.flags(),
              .cpus = static_cast<int>(kernels::cpu::usable_cpus().size()),
              .l1d_bytes = features.l1d_bytes,
              .l2_bytes = features.l2_bytes,
              .l3_bytes = features.l3_bytes,
              .huge_pages = huge_pages()};
  const CgroupMemory cgroup = cgroup_memory();
  const auto installed = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  out.memory_bytes = std::min(installed, cgroup.limit);
  out.available_bytes = std::min(available_memory(), cgroup.limit - cgroup.used);
  utsname name{};
  if (uname(&name) == 0) out.system = fmt::format("{} {}", name.sysname, name.release);
  out.compiler = fmt::format("g++ {}.{}", __GNUC__, __GNUC_MINOR__);
#if defined(__clang__)
  out.compiler = fmt::format("clang {}.{}", __clang_major__, __clang_minor__);
#endif
  double load[1] = {};
  if (getloadavg(load, 1) == 1) out.load_average = load[0];
  return out;
}

bool busy(const Machine& machine) {
  // This program itself adds up to one by the time it asks.
  return machine.load_average > 0.5 * machine.cpus + 0.5;
}

nlohmann::json to_json(const Machine& m) {
  return {{"model", m.model},
          {"flags", m.flags},
          {"cpus", m.cpus},
          {"l1d_bytes", m.l1d_bytes},
          {"l2_bytes", m.l2_bytes},
          {"l3_bytes", m.l3_bytes},
          {"memory_bytes", m.memory_bytes},
          {"available_bytes", m.available_bytes},
          {"huge_pages", m.huge_pages},
          {"system", m.system},
          {"compiler", m.compiler},
          {"load_average", m.load_average},
          {"fingerprint", processor_fingerprint()}};
}

}  // namespace fathom::measure
