#include "report/builders/hardware_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kGiB = 1073741824.0;
constexpr double kMiB = 1048576.0;
constexpr double kMicro = 1e-6;

// A figure that the profile leaves open.
Cell known(double value) { return value > 0.0 ? Cell{value} : Cell{"unknown"}; }

Cell whole(std::int64_t value) {
  Cell cell{value};
  cell.shown = fmt::format("{}", value);
  return cell;
}

Table device_table(const hw::Cluster& cluster) {
  const hw::DeviceProfile& device = cluster.device;
  Table table{.title = "Device",
              .columns = {text_column("figure"), number_column("value"), text_column("unit")}};
  table.rows = {{"memory, as exposed", device.memory_capacity.value / kGiB, "GiB"},
                {"memory, usable", device.memory_usable.value / kGiB, "GiB"},
                {"memory bandwidth", device.memory_bandwidth.value / kGiga, "GB/s"},
                {"compute units", device.sm_count, "SM, CU or core"},
                {"L2 cache", known(device.l2.value / kMiB), "MiB"},
                {"power limit", known(device.tdp_w), "W"},
                {"devices per node", whole(cluster.devices_per_node), ""},
                {"price", known(cluster.price.per_device_hour.value), "USD/device/h"}};
  return table;
}

Table peak_table(const hw::DeviceProfile& device) {
  Table table{.title = "Dense peaks and where the roofline bends",
              .columns = {text_column("arithmetic"), number_column("peak", "TFLOP/s"),
                          number_column("ridge", "FLOP/B")}};
  for (std::size_t m = 0; m < kMathCount; ++m) {
    const auto math = static_cast<Math>(m);
    const double peak = device.peak_of(math).value;
    if (peak == 0.0) {
      table.rows.push_back({name(math), "not supported", "-"});
    } else {
      table.rows.push_back({name(math), peak / kTera, hw::ridge(device, math).value});
    }
  }
  return table;
}

Table tier_table(const std::vector<hw::LinkTier>& tiers) {
  Table table{.title = "Interconnect, innermost first (per device and direction)",
              .columns = {text_column("tier"), number_column("devices", "", NumberFormat::exact),
                          number_column("bandwidth", "GB/s"), number_column("to one peer", "GB/s"),
                          number_column("latency", "us"), text_column("all-reduce in switch")}};
  for (const hw::LinkTier& tier : tiers) {
    table.rows.push_back({tier.name, tier.group, tier.bandwidth.value / kGiga,
                          tier.peer_bandwidth.value / kGiga, tier.latency.value / kMicro,
                          tier.in_network_reduction ? "yes" : "no"});
  }
  return table;
}

std::vector<Cell> efficiency_row(hw::Family family, std::string_view math,
                                 const hw::Efficiency& e) {
  const bool wire = hw::is_communication(family);
  return {hw::name(family),
          math,
          hw::is_arithmetic(family) ? Cell{e.compute} : Cell{"-"},
          e.memory,
          wire ? Cell{e.near} : Cell{"-"},
          e.overhead.value / kMicro,
          e.blend,
          e.tile_m,
          e.tile_n,
          e.feed.value / kGiga,
          e.wave,
          e.sustained_clock,
          e.sm_reserved,
          e.sm_busy_fixed_s / kMicro,
          e.sm_busy_per_token_s / kMicro,
          hw::name(e.evidence)};
}

// One row per family, and one per arithmetic where a family tells them apart.
Table efficiency_table(const hw::EfficiencySet& set) {
  Table table{
      .title = say("Efficiencies ({}): shares of peak and bandwidth reached", set.name),
      .columns = {text_column("family"), text_column("math"), number_column("compute"),
                  number_column("memory or fabric"), number_column("scale-up"),
                  number_column("overhead", "us"), number_column("blend"), number_column("tile m"),
                  number_column("tile n"), number_column("feed", "GB/s/SM"), number_column("wave"),
                  number_column("clock"), number_column("SMs held"), number_column("SM busy", "us"),
                  number_column("SM busy", "us/token"), text_column("evidence")}};
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const auto family = static_cast<hw::Family>(f);
    const auto& row = set.table[f];
    const bool same =
        std::all_of(row.begin(), row.end(), [&](const auto& entry) { return entry == row[0]; });
    for (std::size_t m = 0; m < (same ? 1 : kMathCount); ++m) {
      const std::string_view math = same ? "any" : name(static_cast<Math>(m));
      table.rows.push_back(efficiency_row(family, math, row[m]));
    }
  }
  return table;
}

void add_provenance(Document& page, const hw::Cluster& cluster) {
  if (!cluster.price.date.empty()) {
    page.blocks.emplace_back(
        Note{NoteKind::info, say("price of {}, {}, from {}", cluster.price.date,
                                 cluster.price.basis, cluster.price.source)});
  }
  for (const std::string& finding : hw::check(cluster)) {
    page.blocks.emplace_back(Note{NoteKind::warning, finding});
  }
  for (const std::string& pointer : cluster.assumed) {
    page.blocks.emplace_back(
        Note{NoteKind::assumption, say("{} is assumed, or its document was not opened", pointer)});
  }
  SourceRows sources;
  sources.add(cluster.id, cluster.sources);
  sources.add("efficiencies", cluster.efficiency.sources);
  page.blocks.emplace_back(sources_block(std::move(sources)));
}

}  // namespace

Document hardware_page(const hw::Cluster& cluster) {
  const hw::DeviceProfile& device = cluster.device;
  Document page{.title = cluster.id};
  page.finding = say("{} ({}): {} at {}, {} BF16, ridge {} FLOP/B; {} devices per node, status {}",
                     device.id, device.arch, format_bytes_binary(device.memory_capacity),
                     format_si(device.memory_bandwidth.value, "B/s"),
                     format_si(device.peak_of(Math::bf16).value, "FLOP/s"),
                     format_significant(hw::ridge(device, Math::bf16).value),
                     cluster.devices_per_node, cluster.status);
  page.metadata.inputs.push_back({cluster.path.filename().string(), cluster.hash});
  page.blocks.emplace_back(device_table(cluster));
  page.blocks.emplace_back(peak_table(device));
  page.blocks.emplace_back(tier_table(cluster.tiers));
  page.blocks.emplace_back(efficiency_table(cluster.efficiency));
  add_provenance(page, cluster);
  return page;
}

Document hardware_list(std::span<const hw::Cluster> clusters) {
  Document page{.title = "Hardware", .finding = say("{} systems", clusters.size())};
  Table table{.columns = {text_column("system"), text_column("status"),
                          number_column("memory", "GiB"), number_column("bandwidth", "GB/s"),
                          number_column("BF16", "TFLOP/s"), number_column("FP8", "TFLOP/s"),
                          number_column("ridge BF16", "FLOP/B"),
                          number_column("node", "devices", NumberFormat::exact),
                          number_column("scale-up", "GB/s"), number_column("scale-out", "GB/s"),
                          text_column("efficiencies")}};
  for (const hw::Cluster& cluster : clusters) {
    const hw::DeviceProfile& device = cluster.device;
    const double fp8 = device.peak_of(Math::fp8).value;
    const bool far = cluster.tiers.size() > 1;
    table.rows.push_back(
        {cluster.id, cluster.status, device.memory_capacity.value / kGiB,
         device.memory_bandwidth.value / kGiga, device.peak_of(Math::bf16).value / kTera,
         fp8 > 0.0 ? Cell{fp8 / kTera} : Cell{"-"}, hw::ridge(device, Math::bf16).value,
         cluster.devices_per_node, cluster.tiers.front().bandwidth.value / kGiga,
         far ? Cell{cluster.tiers.back().bandwidth.value / kGiga} : Cell{"-"},
         cluster.efficiency.name});
  }
  page.blocks.emplace_back(std::move(table));
  return page;
}

Document hardware_findings(std::span<const HardwareFindings> profiles) {
  Table table{.columns = {text_column("profile"), text_column("verdict"), text_column("finding")}};
  std::size_t errors = 0;
  std::size_t warnings = 0;
  for (const HardwareFindings& profile : profiles) {
    if (!profile.error.empty()) {
      ++errors;
      table.rows.push_back({profile.name, "error", profile.error});
    } else if (profile.warnings.empty()) {
      table.rows.push_back({profile.name, "ok", ""});
    }
    for (const std::string& warning : profile.warnings) {
      ++warnings;
      table.rows.push_back({profile.name, "warning", warning});
    }
  }
  Document page{.title = "Hardware check"};
  page.finding = say("{} profiles: {} do not load, {} warnings", profiles.size(), errors, warnings);
  page.blocks.emplace_back(std::move(table));
  return page;
}

}  // namespace fathom::report
