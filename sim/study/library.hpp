#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"
#include "model/hf_config.hpp"

namespace fathom::study {

/// Models and machines by name, each file read once: many scenarios differ in everything else.
/// Safe to share between threads. What is in it does not change when a file does.
class Library {
 public:
  /// As model::load_model and hw::load_cluster; errors are not kept.
  const model::Model& model(std::string_view name_or_file, const model::ReadOptions& options);
  const hw::Cluster& cluster(std::string_view name_or_file);

  /// Another file that scenarios rest on: efficiencies of another stack, a trace of expert loads.
  void record(const std::string& name, const std::string& hash);

  /// What was read so far, sorted: "models/NAME" or a path, and its hash.
  struct Input {
    std::string name;
    std::string hash;
    bool operator==(const Input&) const = default;
  };
  std::vector<Input> inputs() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<const model::Model>> models_;
  std::map<std::string, std::unique_ptr<const hw::Cluster>, std::less<>> clusters_;
  std::map<std::string, std::string> others_;  // name, hash
};

}  // namespace fathom::study
