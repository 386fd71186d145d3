#include "cli/doctor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/modules.hpp"
#include "core/si_format.hpp"
#include "hw/cluster.hpp"
#include "kernels/cpu/isa.hpp"
#include "lang/say.hpp"
#include "measure/baselines.hpp"
#include "measure/machine.hpp"
#include "report/chart.hpp"

namespace fathom::cli {
namespace {

using lang::say;

namespace fs = std::filesystem;
using measure::Machine;

constexpr std::array<std::string_view, 3> kVerdicts{"ok", "note", "problem"};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Finding data_folder() {
  try {
    return {.what = "data folder",
            .found = say("{}: {} models, {} systems", data_dir().string(),
                         list_data_files("models").size(), list_data_files("hwprofiles").size())};
  } catch (const InputError& error) {
    return {"data folder", Verdict::problem, error.what(),
            "set FATHOM_DATA to the folder with models/ and hwprofiles/, or install again"};
  }
}

Finding processor(const Machine& machine) {
  return {.what = "processor",
          .found = say("{}, caches {} + {} + {}", machine.model,
                       format_bytes_binary(Bytes{static_cast<double>(machine.l1d_bytes)}),
                       format_bytes_binary(Bytes{static_cast<double>(machine.l2_bytes)}),
                       format_bytes_binary(Bytes{static_cast<double>(machine.l3_bytes)}))};
}

// What the processor says of itself, whether or not the system lets programs use it.
bool processor_has(std::string_view flag) {
  std::ifstream info{"/proc/cpuinfo"};
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("flags"))
      return (line + " ").find(fmt::format(" {} ", flag)) != std::string::npos;
  }
  return false;
}

Finding instruction_sets() {
  const kernels::cpu::CpuFeatures& cpu = kernels::cpu::cpu_features();
  Finding finding{.what = "instruction sets",
                  .found = fmt::format("{}", fmt::join(cpu.flags(), ", "))};
  if (processor_has("amx_tile") && !cpu.amx_bf16) {
    finding.verdict = Verdict::note;
    finding.found = say("{}; the processor has AMX, the system does not grant it", finding.found);
    finding.advice = "needs Linux 5.16 or newer, and a virtual machine that passes AMX on";
  } else if (!cpu.avx512) {
    finding.verdict = Verdict::note;
    if (cpu.flags().empty()) finding.found = "none beyond the portable ones";
    finding.advice = "measured kernels run portable code here; estimates are the same everywhere";
  }
  return finding;
}

Finding cores(const Machine& machine) {
  const auto installed = static_cast<int>(std::thread::hardware_concurrency());
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  Finding finding{.what = "cores",
                  .found = say("{} usable of {}", machine.cpus, std::max<long>(installed, online))};
  if (machine.cpus < online) {
    finding.verdict = Verdict::note;
    finding.advice = "the affinity mask or the cgroup's CPU quota keeps the others away";
  }
  if (measure::busy(machine)) {
    finding.verdict = Verdict::note;
    finding.found = say("{}, load average {:.1f}", finding.found, machine.load_average);
    finding.advice = "busy now: measure and calibrate when it is quiet";
  }
  return finding;
}

Finding memory(const Machine& machine) {
  const auto shown = [](std::int64_t bytes) {
    return format_bytes_binary(Bytes{static_cast<double>(bytes)});
  };
  Finding finding{
      .what = std::string(lang::meant("memory (of a computer)")),
      .found = say("{} free of {}", shown(machine.available_bytes), shown(machine.memory_bytes))};
  // Below a tenth the system starts to swap, and a measurement would time the disk.
  if (machine.available_bytes < machine.memory_bytes / 10) {
    finding.verdict = Verdict::note;
    finding.advice = "little is free: measurements may swap";
  }
  return finding;
}

Finding huge_pages(const Machine& machine) {
  const bool good = machine.huge_pages == "always" || machine.huge_pages == "madvise";
  return {"huge pages", good ? Verdict::ok : Verdict::note,
          say("transparent huge pages: {}", machine.huge_pages),
          good ? ""
               : "measured memory bandwidth is lower without them; as root: echo madvise > "
                 "/sys/kernel/mm/transparent_hugepage/enabled"};
}

Finding gpus() {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry{"/proc/driver/nvidia/gpus", error};
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    std::ifstream file{entry->path() / "information"};
    for (std::string line; std::getline(file, line);) {
      const std::size_t text = line.find_first_not_of(" \t", line.find(':') + 1);
      if (line.starts_with("Model:") && text != std::string::npos)
        names.push_back(line.substr(text));
    }
  }
  return {
      .what = "GPU",
      .found = names.empty() ? "none; none is needed" : fmt::format("{}", fmt::join(names, ", "))};
}

Finding module_file(const char* what, const char* file, const char* packages, const char* loss) {
  std::string error;
  if (open_module(file, ModuleScope::global, &error) != nullptr)
    return {.what = what, .found = file};
  return {what, Verdict::note, error.empty() ? say("{} is not there", file) : error,
          say("install fathom-modules, or {} and build again; without it {}", packages, loss)};
}

Finding libraries() {
  const std::vector<std::string> names = measure::baseline_libraries();
  Finding finding{.what = "libraries to measure against",
                  .found = fmt::format("{}", fmt::join(names, ", "))};
  if (names.size() < 3) {  // oneDNN, OpenBLAS, Eigen
    finding.verdict = Verdict::note;
    finding.advice =
        "install fathom-modules, or libdnnl-dev and libopenblas-dev and build again, for all "
        "columns";
  }
  return finding;
}

Finding database() {
  sqlite3* memory = nullptr;
  const int code = sqlite3_open(":memory:", &memory);
  sqlite3_close(memory);
  const std::string version = fmt::format("SQLite {}", sqlite3_libversion());
  if (code == SQLITE_OK) return {.what = "database", .found = version};
  return {"database", Verdict::problem, version + ": " + sqlite3_errstr(code),
          "install libsqlite3-0"};
}

Finding pages() {
  const std::string_view charts = report::chart_library_version();
  Finding finding{
      .what = "HTML reports",
      .found =
          say("{}; {}", charts.empty() ? "static figures" : say("figures by Chart.js {}", charts),
              report::has_calculator() ? "sliders that recompute them" : "no sliders")};
  if (charts.empty() || !report::has_calculator()) {
    finding.verdict = Verdict::note;
    finding.advice =
        "install libjs-chart.js for interactive figures, emscripten for sliders, and "
        "build again";
  }
  return finding;
}

std::string age_of(const fs::path& path) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  const auto age = fs::file_time_type::clock::now() - written;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  return hours < 48 ? say("{} h old", hours) : say("{} days old", hours / 24);
}

Finding calibration() {
  const fs::path path = hw::local_profile_path();
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return {"calibration", Verdict::note, say("none at {}", path.string()),
            "fathom calibrate measures this machine: --hardware local"};
  }
  try {
    hw::load_cluster("local");  // refuses one of another machine
    return {.what = "calibration",
            .found = say("{}, {}, of this machine", path.string(), age_of(path))};
  } catch (const InputError& error) {
    return {"calibration", Verdict::note, error.what(), "fathom calibrate writes a new one"};
  }
}

Finding writing() {
  const fs::path here = fs::current_path();
  if (::access(here.c_str(), W_OK) == 0)
    return {.what = "this folder", .found = say("{} can be written", here.string())};
  return {"this folder", Verdict::note, say("{} cannot be written", here.string()),
          "give -o with another folder, or change into one"};
}

Finding terminal() {
  const int width = terminal_width();
  Finding finding{.what = "terminal"};
  finding.found = width == 0 ? "not a terminal: plain text, 100 columns"
                             : say("{} columns, {}", width,
                                   colour_terminal() ? "colour" : "no colour (NO_COLOR or TERM)");
  return finding;
}

// The first that is set rules (POSIX, "Environment Variables").
Finding locale() {
  std::string value = variable("LC_ALL");
  if (value.empty()) value = variable("LC_CTYPE");
  if (value.empty()) value = variable("LANG");
  std::string lower = value;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool utf8 =
      lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
  return {"locale", utf8 ? Verdict::ok : Verdict::note, value.empty() ? "not set" : value,
          utf8 ? "" : "output is UTF-8 in any locale; export LC_ALL=C.UTF-8 if signs look wrong"};
}

std::string notes_finding(std::ptrdiff_t notes) {
  return notes == 1 ? say("Everything essential works; {} note below.", notes)
                    : say("Everything essential works; {} notes below.", notes);
}

}  // namespace

std::string_view name(Verdict verdict) { return kVerdicts.at(static_cast<std::size_t>(verdict)); }

std::vector<Finding> examine_this_machine() {
  const Machine machine = measure::this_machine();
  return {Finding{.what = "program", .found = version_line()},
          data_folder(),
          database(),
          pages(),
          writing(),
          processor(machine),
          instruction_sets(),
          cores(machine),
          memory(machine),
          huge_pages(machine),
          gpus(),
          calibration(),
          libraries(),
          module_file("MPI for measure --collectives", "fathom_mpi.so",
                      "libopenmpi-dev and openmpi-bin", "collectives cannot be measured"),
          module_file("MPI for sweep", "fathom_sweep_mpi.so", "libboost-mpi-dev",
                      "sweeps run in one process, or in shards"),
          module_file("PNG figures", "fathom_png.so", "librsvg2-dev",
                      "figures are SVG; pages still save PNG"),
          terminal(),
          locale()};
}

bool has_problem(const std::vector<Finding>& findings) {
  return std::ranges::find(findings, Verdict::problem, &Finding::verdict) != findings.end();
}

report::Document doctor_page(const std::vector<Finding>& findings) {
  report::Document page{.title = "This machine"};
  const auto notes = std::ranges::count(findings, Verdict::note, &Finding::verdict);
  page.finding = has_problem(findings)
                     ? "Something essential is missing; see the lines marked problem."
                 : notes > 0 ? notes_finding(notes)
                             : "Everything works.";
  report::Table table{.columns = {report::text_column("what"), report::text_column(""),
                                  report::text_column("found")}};
  for (const Finding& finding : findings) {
    table.rows.push_back({finding.what, name(finding.verdict), finding.found});
  }
  page.blocks.emplace_back(std::move(table));
  for (const Finding& finding : findings) {
    if (finding.advice.empty()) continue;
    const bool problem = finding.verdict == Verdict::problem;
    page.blocks.emplace_back(
        report::Note{problem ? report::NoteKind::warning : report::NoteKind::info,
                     say("{}: {}", finding.what, finding.advice)});
  }
  return page;
}

nlohmann::json to_json(const std::vector<Finding>& findings) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Finding& finding : findings) {
    rows.push_back({{"what", finding.what},
                    {"verdict", name(finding.verdict)},
                    {"found", finding.found},
                    {"advice", finding.advice}});
  }
  return {{"findings", rows}, {"usable", !has_problem(findings)}};
}

}  // namespace fathom::cli
