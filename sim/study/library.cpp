#include "study/library.hpp"

#include <algorithm>

#include "core/data_dir.hpp"

namespace fathom::study {
namespace {

// One text per way of reading a file; '\n' is in no name of a file or field that we could read.
std::string key_of(std::string_view name, const model::ReadOptions& options) {
  std::string key(name);
  key += options.text_only ? "\ntext\n" : "\nall\n";
  key += options.attention;
  for (const std::string& set : options.sets) key += '\n' + set;
  return key;
}

}  // namespace

const model::Model& Library::model(std::string_view name, const model::ReadOptions& options) {
  const std::scoped_lock lock(mutex_);
  auto& entry = models_[key_of(name, options)];
  if (!entry) entry = std::make_unique<const model::Model>(model::load_model(name, options));
  return *entry;
}

const hw::Cluster& Library::cluster(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  const auto found = clusters_.find(name);
  if (found != clusters_.end()) return *found->second;
  auto cluster = std::make_unique<const hw::Cluster>(hw::load_cluster(name));
  return *clusters_.emplace(name, std::move(cluster)).first->second;
}

void Library::record(const std::string& name, const std::string& hash) {
  const std::scoped_lock lock(mutex_);
  others_[name] = hash;
}

std::vector<Library::Input> Library::inputs() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Input> out;
  for (const auto& [key, model] : models_) {
    if (model) out.push_back({"models/" + shown_data_file(model->path, "models"), model->hash});
  }
  for (const auto& [key, cluster] : clusters_) {
    out.push_back({"hwprofiles/" + shown_data_file(cluster->path, "hwprofiles"), cluster->hash});
  }
  for (const auto& [name, hash] : others_) out.push_back({name, hash});
  std::ranges::sort(out, {}, &Input::name);
  const auto same = std::ranges::unique(out);
  out.erase(same.begin(), same.end());
  return out;
}

}  // namespace fathom::study
