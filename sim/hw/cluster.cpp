#include "hw/cluster.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "core/processor.hpp"
#include "hw/cluster_check.hpp"
#include "hw/figure.hpp"

namespace fathom::hw {
namespace {

constexpr std::string_view kSchema = "hwprofile/1";
constexpr std::string_view kFolder = "hwprofiles";
constexpr std::string_view kLocal = "local";
constexpr std::string_view kTransferred = "transferred:";
constexpr const char* kLocalFile = "fathom/local.json";
constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kMiB = 1048576.0;
constexpr double kGiB = 1073741824.0;  // capacities are binary, rates decimal
constexpr Range kCount{.min = 1.0, .max = 1e7};
constexpr Range kRate{.min = 1e-3, .max = 1e12};

// A limit profile is a thought experiment ("infinitely fast device"): its figures need not be those
// of a machine anyone could build, so the plausibility checks leave it alone.
constexpr std::array<std::string_view, 4> kStatuses{"production", "announced", "preliminary",
                                                    "limit"};
constexpr std::array<std::string_view, 4> kKinds{"gpu", "npu", "cpu", "soc"};
constexpr std::array<std::string_view, 4> kTopologies{"switch", "fat_tree", "bus", "mesh"};
constexpr std::string_view kMesh = "mesh";

// The matrix engine's peaks; fp32 is the vector unit's.
constexpr std::array<Math, 4> kMatrixMaths{Math::bf16, Math::fp8, Math::int8, Math::fp4};

std::string word(JsonReader& reader, std::string_view key,
                 std::span<const std::string_view> choices) {
  return std::string{choices[reader.choice(key, choices)]};
}

std::int64_t count(FigureReader& figures, JsonReader& parent, std::string_view key) {
  const auto value = figures.required(parent, key, kCount).value;
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) != value) {
    parent.fail(key, fmt::format("found {}; expected a whole number", value));
  }
  return whole;
}

void read_memory(FigureReader& figures, JsonReader memory, DeviceProfile& device) {
  device.memory_capacity = Bytes{figures.required(memory, "capacity_gib", kRate).value * kGiB};
  device.memory_usable = Bytes{figures.required(memory, "usable_gib", kRate).value * kGiB};
  device.memory_bandwidth =
      BytesPerSecond{figures.required(memory, "bandwidth_gb_s", kRate).value * kGiga};
  memory.ignore("type");
  memory.finish();
}

NotedPeaks read_peaks(FigureReader& figures, JsonReader peaks, DeviceProfile& device) {
  NotedPeaks noted{};
  const auto read = [&](JsonReader& unit, Math math) {
    const auto figure = figures.optional(unit, fathom::name(math), kRate);
    if (!figure) return;
    device.peak[static_cast<std::size_t>(math)] = FlopsPerSecond{figure->value * kTera};
    noted[static_cast<std::size_t>(math)] = figure->grounds.noted;
  };
  auto matrix = peaks.object("matrix");
  for (const auto math : kMatrixMaths) read(matrix, math);
  matrix.finish();
  auto vector = peaks.object("vector");
  read(vector, Math::fp32);
  vector.finish();
  peaks.finish();
  if (device.peak_of(Math::bf16).value <= 0.0) {
    peaks.fail("matrix/bf16", "missing; expected the dense bf16 peak, which every model needs");
  }
  return noted;
}

DeviceProfile read_device(FigureReader& figures, JsonReader reader, bool plausible) {
  DeviceProfile device;
  device.id = reader.string("id");
  device.kind = word(reader, "kind", kKinds);
  device.arch = reader.string("arch");
  device.sm_count = static_cast<double>(count(figures, reader, "compute_units"));
  read_memory(figures, reader.object("memory"), device);
  if (const auto l2 = figures.optional(reader, "l2_mib", kRate))
    device.l2 = Bytes{l2->value * kMiB};
  const auto noted = read_peaks(figures, reader.object("peak_dense_tflops"), device);
  if (const auto tdp = figures.optional(reader, "tdp_w", kRate)) device.tdp_w = tdp->value;
  reader.ignore("note");
  reader.finish();
  if (plausible) expect_consistent(device, noted, reader.where());
  return device;
}

LinkTier read_tier(FigureReader& figures, JsonReader& reader) {
  LinkTier tier;
  tier.name = reader.string("name");
  tier.group = count(figures, reader, "group");
  const auto topology = word(reader, "topology", kTopologies);
  tier.bandwidth = BytesPerSecond{figures.required(reader, "bandwidth_gb_s", kRate).value * kGiga};
  // Behind a switch one peer can have the whole bandwidth; in a mesh it gets a single link, which
  // must be said: a pair of MI300X sees a seventh of the headline figure.
  const auto peer = figures.optional(reader, "peer_bandwidth_gb_s", kRate);
  if (topology == kMesh && !peer) {
    reader.fail("peer_bandwidth_gb_s", "missing; expected the bandwidth of one link of the mesh");
  }
  tier.peer_bandwidth = peer ? BytesPerSecond{peer->value * kGiga} : tier.bandwidth;
  tier.latency =
      Seconds{figures.required(reader, "latency_us", {.min = 0.0, .max = 1e6}).value * 1e-6};
  tier.in_network_reduction = reader.boolean_or("in_network_reduction", false);
  reader.ignore("note");
  reader.finish();
  return tier;
}

Price read_price(FigureReader& figures, JsonReader reader) {
  Price price;
  const auto figure = figures.optional(reader, "usd_per_device_hour", {.min = 1e-4, .max = 1e6});
  reader.ignore("note");
  if (!figure) {
    reader.ignore("date");
    reader.finish();
    return price;
  }
  price.per_device_hour = Usd{figure->value};
  price.basis = name(figure->grounds.basis);
  price.source = figures.sources().find(figure->grounds.src.front())->second;
  price.date = reader.string("date");
  reader.finish();
  return price;
}

std::filesystem::path profile_path(std::string_view name_or_file) {
  if (name_or_file != kLocal) return find_data_file(name_or_file, kFolder);
  auto path = local_profile_path();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw InputError(fmt::format(
        "hardware 'local': {} does not exist; run `fathom calibrate` first", path.string()));
  }
  return path;
}

// A curve measured on one machine and used for another is an assumption.
void expect_this_machine(Cluster& cluster, std::string_view shown, bool transferred) {
  if (transferred) {
    for (auto& row : cluster.efficiency.table)
      for (auto& entry : row) entry.evidence = Evidence::assumed;
    cluster.assumed.emplace_back("/efficiency (transferred from another machine)");
  } else if (!cluster.fingerprint.empty() && cluster.fingerprint != processor_fingerprint()) {
    throw InputError(
        fmt::format("{}: measured on another machine ({}), this one is {}; run `fathom calibrate` "
                    "here, or write "
                    "transferred:FILE to use it as an assumption",
                    shown, cluster.measured_on, processor_model()));
  }
}

void read_machine(JsonReader machine, Cluster& cluster) {
  cluster.fingerprint = machine.string("fingerprint");
  cluster.measured_on = machine.string("model");
  machine.ignore({"flags", "cpus", "threads", "isa", "l1d_bytes", "l2_bytes", "l3_bytes",
                  "memory_bytes", "available_bytes", "huge_pages", "system", "compiler",
                  "load_average"});
  machine.finish();
}

nlohmann::json known(double value) {
  return value > 0.0 ? nlohmann::json(value) : nlohmann::json(nullptr);
}

nlohmann::json device_json(const DeviceProfile& device) {
  auto peaks = nlohmann::json::object();
  auto ridges = nlohmann::json::object();
  for (std::size_t m = 0; m < kMathCount; ++m) {
    const auto math = static_cast<Math>(m);
    peaks[std::string{fathom::name(math)}] = known(device.peak_of(math).value / kTera);
    ridges[std::string{fathom::name(math)}] = known(ridge(device, math).value);
  }
  return {{"id", device.id},
          {"kind", device.kind},
          {"arch", device.arch},
          {"compute_units", device.sm_count},
          {"memory_capacity_gib", device.memory_capacity.value / kGiB},
          {"memory_usable_gib", device.memory_usable.value / kGiB},
          {"memory_bandwidth_gb_s", device.memory_bandwidth.value / kGiga},
          {"peak_dense_tflops", peaks},
          {"ridge_flop_per_byte", ridges},
          {"l2_mib", known(device.l2.value / kMiB)},
          {"tdp_w", known(device.tdp_w)}};
}

nlohmann::json tiers_json(const std::vector<LinkTier>& tiers) {
  auto out = nlohmann::json::array();
  for (const auto& tier : tiers) {
    out.push_back({{"name", tier.name},
                   {"group", tier.group},
                   {"bandwidth_gb_s", tier.bandwidth.value / kGiga},
                   {"peer_bandwidth_gb_s", tier.peer_bandwidth.value / kGiga},
                   {"latency_us", tier.latency.value * 1e6},
                   {"in_network_reduction", tier.in_network_reduction}});
  }
  return out;
}

}  // namespace

FlopsPerByte ridge(const DeviceProfile& device, Math math) {
  return device.peak_of(math) / device.memory_bandwidth;
}

Cluster parse_cluster(const nlohmann::json& document, std::string_view where) {
  JsonReader file{document, std::string{where}};
  const std::array schemas{kSchema};
  file.choice("schema", schemas);
  Cluster cluster;
  cluster.id = file.string("id");
  cluster.status = word(file, "status", kStatuses);
  file.ignore({"$schema", "note"});
  file.ignore("calibration");  // samples and errors, for people
  if (auto machine = file.object_opt("machine")) read_machine(std::move(*machine), cluster);
  FigureReader figures{read_sources(file)};

  cluster.device = read_device(figures, file.object("device"), cluster.status != "limit");
  cluster.devices_per_node = count(figures, file, "devices_per_node");
  for (auto& tier : file.objects("interconnect")) cluster.tiers.push_back(read_tier(figures, tier));
  expect_nested(cluster.tiers, where);
  // By name as in every shipped profile, or inline for a scenario that changes a single share.
  const auto& efficiency = file.raw("efficiency");
  cluster.efficiency = efficiency.is_object() ? parse_efficiency(efficiency, file.at("efficiency"))
                                              : load_efficiency(file, "efficiency");
  cluster.price = read_price(figures, file.object("price"));
  file.finish();
  cluster.sources = listed(figures.sources());
  cluster.assumed = figures.assumed();
  return cluster;
}

bool is_plain_profile(std::string_view name) {
  return name != kLocal && !name.starts_with(kTransferred);
}

std::filesystem::path local_profile_path() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path{value == nullptr ? "" : value};
  };
  if (const auto file = variable("FATHOM_LOCAL"); !file.empty()) return file;
  if (const auto data = variable("XDG_DATA_HOME"); !data.empty()) return data / kLocalFile;
  return variable("HOME") / ".local" / "share" / kLocalFile;
}

Cluster load_cluster(std::string_view name_or_file) {
  const bool transferred = name_or_file.starts_with(kTransferred);
  if (transferred) name_or_file.remove_prefix(kTransferred.size());
  const auto path = profile_path(name_or_file);
  const auto text = read_text(path);
  const auto shown = fmt::format("{}/{}", kFolder, path.filename().string());
  auto cluster = parse_cluster(parse_json(text, shown), shown + "#");
  // as it has to be written to load it again
  cluster.path =
      transferred ? std::filesystem::path{fmt::format("{}{}", kTransferred, path.string())} : path;
  cluster.hash = content_hash(text + cluster.efficiency.hash);
  expect_this_machine(cluster, shown, transferred);
  return cluster;
}

nlohmann::json to_json(const Cluster& cluster) {
  const auto& price = cluster.price;
  return {{"id", cluster.id},
          {"status", cluster.status},
          {"device", device_json(cluster.device)},
          {"devices_per_node", cluster.devices_per_node},
          {"interconnect", tiers_json(cluster.tiers)},
          {"efficiency", to_json(cluster.efficiency)},
          {"price",
           {{"usd_per_device_hour", known(price.per_device_hour.value)},
            {"date", price.date},
            {"basis", price.basis},
            {"source", price.source}}},
          {"sources", cluster.sources},
          {"assumed", cluster.assumed},
          {"hash", cluster.hash}};
}

}  // namespace fathom::hw
