#include "verify/golden_case.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/utf8.hpp"

namespace fathom::verify {
namespace {

using nlohmann::json;

std::map<std::string, json> members(JsonReader& in, std::string_view key) {
  if (!in.has(key)) return {};
  const json& object = in.raw(key);
  if (!object.is_object()) in.fail(key, "expected an object of tensors");
  return object.get<std::map<std::string, json>>();
}

Expectation read_expectation(const std::string& name, JsonReader in) {
  Expectation e{.name = name, .file = in.string("file")};
  e.file_f64 = in.string_or("file_f64", "");
  e.dtype = in.string_or("dtype", "");
  if (in.has("shape")) e.shape = in.integers("shape");
  e.exact = in.boolean_or("exact", false);
  e.may_flip = in.string_or("note", "").find("may flip") != std::string::npos;
  e.atol = in.number_or("atol_f32", in.number_or("atol", -1.0, -1.0, 1e30), -1.0, 1e30);
  e.rtol = in.number_or("rtol", 0.0, 0.0, 1.0);
  e.max_abs = in.number_or("max_abs", 0.0, 0.0, 1e300);
  return e;  // further keys are remarks of the generator
}

template <class T>
void refuse_nan(const kernels::Tensor<T>& x, const std::string& shown) {
  if constexpr (std::is_floating_point_v<T>) {
    const auto bad = std::ranges::find_if(x.data, [](T v) { return std::isnan(v); });
    if (bad != x.data.end()) {
      throw InputError(fmt::format("{}: NaN at element {}", shown, bad - x.data.begin()));
    }
  }
}

template <class T>
kernels::Tensor<T> as_real(const Array& array, const std::string& shown) {
  if (const auto* f4 = std::get_if<kernels::Tensor<float>>(&array)) {
    return kernels::converted<T>(*f4);
  }
  if (const auto* f8 = std::get_if<kernels::Tensor<double>>(&array)) {
    return kernels::converted<T>(*f8);
  }
  throw InputError(fmt::format("{}: int64; expected a floating-point tensor", shown));
}

kernels::Indices as_ids(const Array& array, const std::string& shown) {
  if (const auto* i8 = std::get_if<kernels::Indices>(&array)) return *i8;
  throw InputError(fmt::format("{}: {}; expected int64", shown, dtype_name(array)));
}

}  // namespace

std::string case_name(const std::filesystem::path& folder) {
  const bool slash_at_end = !folder.has_filename();
  return printable((slash_at_end ? folder.parent_path() : folder).filename().string(), 120);
}

GoldenCase::GoldenCase(std::filesystem::path folder)
    : folder_(std::move(folder)), name_(case_name(folder_)) {
  const json document = read_json(folder_ / "case.json");
  JsonReader in{document, shown("case.json") + "#"};
  config_ = std::make_shared<const json>(in.has("config") ? in.raw("config") : json::object());
  for (const auto& [name, entry] : members(in, "inputs")) {
    inputs_[name] = read_entry({entry, in.at("inputs") + "/" + name});
  }
  for (const auto& [name, entry] : members(in, "weights")) {
    weights_[name] = read_entry({entry, in.at("weights") + "/" + name});
  }
  for (const auto& [name, entry] : members(in, "expected")) {
    expected_.push_back(read_expectation(name, {entry, in.at("expected") + "/" + name}));
  }
}

JsonReader GoldenCase::config_reader() const { return {*config_, shown("case.json") + "#/config"}; }

JsonReader GoldenCase::config_item(std::string_view key, std::size_t i) const {
  const std::string where = fmt::format("{}#/config/{}/{}", shown("case.json"), key, i);
  const auto list = config_->find(key);
  if (list == config_->end() || !list->is_array() || i >= list->size()) {
    throw InputError(where + ": missing");
  }
  return {(*list)[i], where};
}

bool GoldenCase::expects(std::string_view name) const {
  return std::ranges::find(expected_, name, &Expectation::name) != expected_.end();
}

bool GoldenCase::expects_prefix(std::string_view prefix) const {
  return std::ranges::any_of(expected_,
                             [&](const Expectation& e) { return e.name.starts_with(prefix); });
}

std::set<std::string> GoldenCase::weight_names() const {
  std::set<std::string> names;
  for (const auto& [name, entry] : weights_) names.insert(name);
  return names;
}

GoldenCase::Entry GoldenCase::read_entry(JsonReader reader) {
  return {reader.string("file"), reader.string("dtype"), reader.integers("shape")};
}

std::string GoldenCase::shown(std::string_view file) const {
  return fmt::format("{}/{}", name_, printable(file, 200));
}

// Names of files are plain: a folder of test data must not make us read anything else.
std::filesystem::path GoldenCase::file_path(const std::string& file) const {
  const std::filesystem::path relative{file};
  const bool plain =
      !file.empty() && relative.filename() == relative && file != "." && file != "..";
  if (!plain || std::filesystem::is_symlink(folder_ / relative)) {
    throw InputError(fmt::format("{}: leaves the folder of the case", shown(file)));
  }
  return folder_ / relative;
}

const GoldenCase::Entry& GoldenCase::find(const std::map<std::string, Entry>& entries,
                                          std::string_view list, std::string_view name) const {
  const auto entry = entries.find(std::string{name});
  if (entry == entries.end()) {
    throw InputError(fmt::format("{}#/{}: missing key '{}'", shown("case.json"), list, name));
  }
  return entry->second;
}

Array GoldenCase::load(const Entry& entry, std::string_view list, std::string_view name) const {
  Array array = read_npy(file_path(entry.file), shown(entry.file));
  if (dtype_name(array) != entry.dtype || shape_of(array) != entry.shape) {
    throw InputError(fmt::format(
        "{}: {} ({}), but case.json#/{}/{} says {} ({})", shown(entry.file), dtype_name(array),
        fmt::join(shape_of(array), ", "), list, name, entry.dtype, fmt::join(entry.shape, ", ")));
  }
  std::visit([&](const auto& values) { refuse_nan(values, shown(entry.file)); }, array);
  return array;
}

template <class T>
kernels::Tensor<T> GoldenCase::input(std::string_view name) const {
  const Entry& entry = find(inputs_, "inputs", name);
  return as_real<T>(load(entry, "inputs", name), shown(entry.file));
}

template <class T>
kernels::Tensor<T> GoldenCase::weight(std::string_view name) const {
  const Entry& entry = find(weights_, "weights", name);
  return as_real<T>(load(entry, "weights", name), shown(entry.file));
}

kernels::Indices GoldenCase::input_ids(std::string_view name) const {
  const Entry& entry = find(inputs_, "inputs", name);
  return as_ids(load(entry, "inputs", name), shown(entry.file));
}

kernels::Indices GoldenCase::weight_ids(std::string_view name) const {
  const Entry& entry = find(weights_, "weights", name);
  return as_ids(load(entry, "weights", name), shown(entry.file));
}

template <class T>
std::map<std::string, kernels::Tensor<T>> GoldenCase::weights(std::string_view prefix) const {
  std::map<std::string, kernels::Tensor<T>> out;
  for (const auto& [name, entry] : weights_) {
    if (!name.starts_with(prefix) || entry.dtype == "int64") continue;
    out[name.substr(prefix.size())] = weight<T>(name);
  }
  return out;
}

Array GoldenCase::expected_array(const Expectation& e, bool f64) const {
  const std::string& file = f64 ? e.file_f64 : e.file;
  Array array = read_npy(file_path(file), shown(file));
  const std::string dtype = f64 ? "float64" : e.dtype;
  if (dtype_name(array) != dtype || shape_of(array) != e.shape) {
    throw InputError(fmt::format("{}: {} ({}), but case.json#/expected/{} says {} ({})",
                                 shown(file), dtype_name(array), fmt::join(shape_of(array), ", "),
                                 e.name, dtype, fmt::join(e.shape, ", ")));
  }
  return array;
}

json GoldenCase::expected_json(const Expectation& e) const { return read_json(file_path(e.file)); }

GoldenCase GoldenCase::sibling(const std::string& name) const {
  if (name.empty() || std::filesystem::path{name}.filename() != name || name == "..") {
    throw InputError(fmt::format("{}: leaves the folder of the cases", shown(name)));
  }
  const auto absolute = std::filesystem::absolute(folder_).lexically_normal();
  const auto parent =
      absolute.has_filename() ? absolute.parent_path() : absolute.parent_path().parent_path();
  return GoldenCase{parent / name};
}

template kernels::Tensor<float> GoldenCase::input(std::string_view) const;
template kernels::Tensor<double> GoldenCase::input(std::string_view) const;
template kernels::Tensor<float> GoldenCase::weight(std::string_view) const;
template kernels::Tensor<double> GoldenCase::weight(std::string_view) const;
template std::map<std::string, kernels::Tensor<float>> GoldenCase::weights(std::string_view) const;
template std::map<std::string, kernels::Tensor<double>> GoldenCase::weights(std::string_view) const;

}  // namespace fathom::verify
