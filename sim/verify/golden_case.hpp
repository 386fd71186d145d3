#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_reader.hpp"
#include "verify/npy.hpp"

namespace fathom::verify {

/// How one entry of `expected` is to be compared.
struct Expectation {
  std::string name;
  std::string file;      // of the float32 (or integer, or float64-only) run
  std::string file_f64;  // empty: the case has no float64 run of it
  std::string dtype;     // empty for a JSON file
  kernels::Shape shape;
  bool exact = false;
  bool may_flip = false;  // the case warns that rounding cells may flip with the summation order
  double atol = -1.0;     // -1: the case states none
  double rtol = 0.0;
  double max_abs = 0.0;  // of the stored values, 0 when not stated
};

/// The folder's own name, as reports show it.
std::string case_name(const std::filesystem::path& folder);

/// One folder of golden data: `case.json` and the tensors it names. Everything is read on demand
/// and checked: dtype and shape against case.json, no NaN in inputs and weights, no file outside of
/// the folder.
class GoldenCase {
 public:
  /// Reads `folder/case.json`. InputError if it is missing or malformed.
  explicit GoldenCase(std::filesystem::path folder);

  const std::string& name() const { return name_; }
  const nlohmann::json& config() const { return *config_; }
  /// Strict access to the config with `case.json#/config/…` in every complaint.
  JsonReader config_reader() const;
  /// A setting as a reader: element `i` of the array `key` of the config ("sets", "settings").
  JsonReader config_item(std::string_view key, std::size_t i) const;

  bool has_input(std::string_view name) const { return inputs_.contains(std::string{name}); }
  bool has_weight(std::string_view name) const { return weights_.contains(std::string{name}); }
  bool expects(std::string_view name) const;
  /// Whether some expected tensor's name starts with `prefix`.
  bool expects_prefix(std::string_view prefix) const;
  /// Names of expected entries, in the order of the file.
  const std::vector<Expectation>& expected() const { return expected_; }
  std::set<std::string> weight_names() const;

  /// Input or weight as floating point of type T (InputError if stored as integers or absent).
  template <class T>
  kernels::Tensor<T> input(std::string_view name) const;
  template <class T>
  kernels::Tensor<T> weight(std::string_view name) const;
  kernels::Indices input_ids(std::string_view name) const;
  kernels::Indices weight_ids(std::string_view name) const;
  /// All floating-point weights whose name starts with `prefix`, keyed by what follows it. A prefix
  /// ends with '.' or is empty. Integer weights are left out.
  template <class T>
  std::map<std::string, kernels::Tensor<T>> weights(std::string_view prefix = "") const;

  /// An expected tensor as stored: the float32 file, or the float64 one.
  Array expected_array(const Expectation& e, bool f64) const;
  nlohmann::json expected_json(const Expectation& e) const;

  /// The case in the folder beside this one (MTP cases share their main model's embedding).
  GoldenCase sibling(const std::string& name) const;

 private:
  struct Entry {
    std::string file;
    std::string dtype;
    kernels::Shape shape;
  };
  static Entry read_entry(JsonReader reader);
  Array load(const Entry& entry, std::string_view list, std::string_view name) const;
  const Entry& find(const std::map<std::string, Entry>& entries, std::string_view list,
                    std::string_view name) const;
  std::filesystem::path file_path(const std::string& file) const;
  std::string shown(std::string_view file) const;

  std::filesystem::path folder_;
  std::string name_;
  std::shared_ptr<const nlohmann::json> config_;  // never changes; shared so that cases copy
  std::map<std::string, Entry> inputs_;
  std::map<std::string, Entry> weights_;
  std::vector<Expectation> expected_;
};

}  // namespace fathom::verify
