#include "calib/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>

#include "calib/aiconfigurator.hpp"
#include "calib/csv.hpp"
#include "calib/devices.hpp"
#include "calib/generic_table.hpp"
#include "calib/infersim.hpp"
#include "calib/sheet.hpp"
#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "hw/cluster.hpp"

namespace fathom::calib {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 10'000;
constexpr int kMaxDepth = 8;

std::vector<fs::path> csv_files(const fs::path& dir) {
  if (fs::is_regular_file(dir)) return {dir};
  if (!fs::is_directory(dir)) {
    throw InputError(fmt::format("{}: no such folder", printable(dir.string(), 200)));
  }
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it{dir}, end; it != end; ++it) {
    if (it.depth() >= kMaxDepth) it.disable_recursion_pending();
    if (it->is_regular_file() && it->path().extension() == ".csv") files.push_back(it->path());
    if (files.size() > kMaxFiles) {
      throw InputError(fmt::format("{}: more than {} tables; expected a folder of measurements",
                                   printable(dir.string(), 200), kMaxFiles));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  if (fs::file_size(a) != fs::file_size(b)) return false;
  std::ifstream first{a, std::ios::binary};
  std::ifstream second{b, std::ios::binary};
  return std::equal(std::istreambuf_iterator<char>{first}, {},
                    std::istreambuf_iterator<char>{second});
}

/// Reads files one by one; rows of one device and layout gather in one sheet.
class Importer {
 public:
  explicit Importer(fs::path root) : root_(std::move(root)) {}

  void read(const fs::path& path) {
    InfersimTable infersim;
    if (const auto below = below_bench_data(path)) {
      if (!parse_infersim_path(*below, infersim)) return skip(path);
      return read_infersim_table(path, infersim);
    }
    if (aiconfigurator_table(path.stem().string()) != nullptr && !is_generic(path)) {
      return read_aiconfigurator(path);
    }
    if (is_generic(path)) return read_generic(path);
    skip(path);
  }

  Import take() && {
    for (auto& [key, sheet] : sheets_) {
      for (Dataset& data : std::move(sheet).datasets()) out_.datasets.push_back(std::move(data));
    }
    std::stable_sort(out_.datasets.begin(), out_.datasets.end(),
                     [](const Dataset& a, const Dataset& b) {
                       return std::tie(a.family, a.device) < std::tie(b.family, b.device);
                     });
    return std::move(out_);
  }

 private:
  // The path as shown: below the folder that was asked for.
  std::string shown(const fs::path& path) const {
    const fs::path below = path.lexically_relative(root_);
    return printable((below == "." ? path.filename() : below).string(), 200);
  }

  void skip(const fs::path& path) {
    out_.skipped.push_back(shown(path) + ": no form covers this table");
  }

  static std::optional<fs::path> below_bench_data(const fs::path& path) {
    const fs::path full = fs::absolute(path);
    const auto marker = std::find(full.begin(), full.end(), "bench_data");
    if (marker == full.end()) return std::nullopt;
    fs::path below;
    for (auto part = std::next(marker); part != full.end(); ++part) below /= *part;
    return below;
  }

  bool is_generic(const fs::path& path) const {
    return looks_generic(csv_header(path, shown(path)));
  }

  const std::string& known_device(std::string_view name, const std::string& where) {
    const auto seen = profiles_.find(name);
    if (seen != profiles_.end()) return seen->second;
    if (is_known_device(name)) {
      return profiles_.emplace(std::string{name}, profile_of(name)).first->second;
    }
    const auto names = list_data_files("hwprofiles");
    const std::vector<std::string_view> known(names.begin(), names.end());
    throw InputError(fmt::format("{}: unknown device '{}'{}", where, printable(name),
                                 did_you_mean(name, known)));
  }

  const forms::DeviceFigures& figures(const std::string& profile) {
    const auto found = figures_.find(profile);
    if (found != figures_.end()) return found->second;
    return figures_.emplace(profile, device_figures(hw::load_cluster(profile))).first->second;
  }

  Sheet& sheet(const std::string& layout, const std::string& device, const std::string& file) {
    const auto key = std::make_pair(layout, device);
    const auto found = sheets_.find(key);
    if (found != sheets_.end()) return found->second;
    return sheets_.emplace(key, Sheet{device, file, figures(device)}).first->second;
  }

  // DeepEP's multi-node table of one device exists as a byte-for-byte copy under another.
  std::string copied_from(const fs::path& path) {
    auto& files = tables_[path.stem().string()];
    for (const fs::path& other : files) {
      if (same_bytes(path, other)) return shown(other);
    }
    files.push_back(path);
    return {};
  }

  void read_aiconfigurator(const fs::path& path) {
    const std::string name = shown(path);
    const std::string folder = fs::absolute(path).parent_path().filename().string();
    const std::string device = known_device(folder, name);
    const std::string original = copied_from(path);
    if (!original.empty()) {
      out_.skipped.push_back(fmt::format("{}: a copy of {}", name, original));
      return;
    }
    const TableReader reader = aiconfigurator_table(path.stem().string());
    Sheet& into = sheet(name, device, name);
    for_each_row(path, name, [&](const CsvRow& row) { reader(row, loads_, into); });
  }

  void read_infersim_table(const fs::path& path, const InfersimTable& table) {
    const std::string name = shown(path);
    const std::string device = known_device(table.device, name);
    const std::string folder = shown(path.parent_path());
    read_infersim(path, name, table, figures(device),
                  sheet("infersim " + table.kind, device, folder));
  }

  void read_generic(const fs::path& path) {
    const std::string name = shown(path);
    for_each_row(path, name, [&](const CsvRow& row) {
      const std::string device =
          known_device(row.text("device"), fmt::format("{}:{}:device", name, row.line));
      const std::string stack{row.text("stack")};
      sheet("generic " + stack, device, name).add(row, stack, generic_draft(row, loads_));
    });
  }

  fs::path root_;
  Import out_;
  forms::ExpertLoads loads_;
  std::map<std::string, std::string, std::less<>> profiles_;  // by the name in the tables
  std::map<std::string, forms::DeviceFigures> figures_;
  std::map<std::pair<std::string, std::string>, Sheet> sheets_;
  std::map<std::string, std::vector<fs::path>> tables_;  // by name, to find copies
};

}  // namespace

Import import_tables(const fs::path& dir) {
  const std::vector<fs::path> files = csv_files(dir);
  Importer importer{dir};
  for (const fs::path& path : files) importer.read(path);
  Import out = std::move(importer).take();
  if (!out.datasets.empty()) return out;
  throw InputError(fmt::format(
      "{}: no table of measurements; expected DEVICE/FAMILY.csv as aiconfigurator lays them out, "
      "InferSim's bench_data, or columns op, device, stack, dtype, latency_us",
      printable(dir.string(), 200)));
}

std::vector<Dataset> import_directory(const fs::path& dir) {
  return std::move(import_tables(dir).datasets);
}

}  // namespace fathom::calib
