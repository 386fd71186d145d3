#include "whatif/self_contained.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "core/data_dir.hpp"
#include "core/json_io.hpp"

namespace fathom::whatif {
namespace {

using nlohmann::json;

constexpr std::string_view kEfficiencies = "hwprofiles/efficiency";

class Collector {
 public:
  // The name under which the file is found again.
  std::string add(const std::filesystem::path& path, std::string_view folder) {
    std::string stem = path.stem().string();
    SelfContained::File file{fmt::format("{}/{}.json", folder, stem), read_text(path)};
    const auto same = std::ranges::find(files_, file.name, &SelfContained::File::name);
    if (same == files_.end()) {
      files_.push_back(std::move(file));
    } else if (same->text != file.text) {
      clash_ = fmt::format("two files of it are called {}", file.name);
    }
    return stem;
  }

  // An efficiency file and those that it starts from.
  std::string add_efficiency(std::string_view name_or_file) {
    const std::filesystem::path path = find_data_file(name_or_file, kEfficiencies);
    std::string stem = add(path, kEfficiencies);
    const json document = read_json(path);
    if (document.contains("transfer")) follow(document["transfer"].at("from"));
    return stem;
  }

  // A file named by another one, whose text stays as it is.
  void follow(const json& name) {
    if (!name.is_string()) return;  // written out in place
    const auto text = name.get<std::string>();
    const std::string stem = add_efficiency(text);
    if (stem != text) clash_ = fmt::format("one of its files names another by path, {}", text);
  }

  std::vector<SelfContained::File> take() { return std::move(files_); }
  const std::optional<std::string>& clash() const { return clash_; }

 private:
  std::vector<SelfContained::File> files_;
  std::optional<std::string> clash_;
};

std::optional<Bound> bound(const json& document, const study::Scenario& scenario) {
  if (!hw::is_plain_profile(document.at("hardware").get<std::string>()))
    return Bound{"its machine is a calibration of one machine"};
  if (scenario.load && !scenario.load->source.file.empty())
    return Bound{"its expert load comes from a trace"};
  return std::nullopt;
}

}  // namespace

std::variant<SelfContained, Bound> self_contained(const json& document,
                                                  const study::Scenario& scenario) {
  if (auto reason = bound(document, scenario)) return *std::move(reason);
  Collector collector;
  json named = document;
  named["model"] = collector.add(scenario.model.path, "models");
  named["hardware"] = collector.add(scenario.cluster.path, "hwprofiles");
  collector.follow(read_json(scenario.cluster.path).at("efficiency"));
  if (!scenario.efficiency.file.empty())
    named["efficiency"] = collector.add_efficiency(scenario.efficiency.file);
  if (collector.clash()) return Bound{*collector.clash()};
  return SelfContained{dump_json(named), collector.take()};
}

}  // namespace fathom::whatif
