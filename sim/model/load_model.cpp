#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "model/hf_config.hpp"
#include "model/kv_cache.hpp"
#include "model/params.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

/// A published figure: an exact integer, or text such as "671B" that stands for everything that
/// rounds to it.
struct Published {
  double value = 0.0;
  double half_step = 0.0;  // of the last printed digit
};

double unit_of(char suffix) {
  switch (suffix) {
    case 'K':
      return 1e3;
    case 'M':
      return 1e6;
    case 'B':  // of parameters
    case 'G':  // of FLOPs and bytes
      return 1e9;
    case 'T':
      return 1e12;
    default:
      return 0.0;
  }
}

Published parse_published(JsonReader& in, std::string_view key) {
  const json& value = in.raw(key);
  if (value.is_number_integer()) return {value.get<double>(), 0.0};
  const std::string text = value.is_string() ? value.get<std::string>() : std::string();
  const double unit = text.empty() ? 0.0 : unit_of(text.back());
  const std::string digits = text.substr(0, text.empty() ? 0 : text.size() - 1);
  if (unit == 0.0 || digits.empty() ||
      digits.find_first_not_of("0123456789.") != std::string::npos) {
    in.fail(key, fmt::format(
                     "found {}, expected an integer or digits with K, M, G, B or T, as in \"671B\"",
                     value.dump()));
  }
  const std::size_t point = digits.find('.');
  const std::size_t decimals = point == std::string::npos ? 0 : digits.size() - point - 1;
  return {std::stod(digits) * unit, 0.5 * unit * std::pow(10.0, -static_cast<double>(decimals))};
}

void check(JsonReader& in, std::string_view key, double derived) {
  in.ignore(key);
  if (!in.has(key)) return;
  const Published published = parse_published(in, key);
  if (std::abs(derived - published.value) <= published.half_step) return;
  in.fail(key,
          fmt::format("published {}, the configuration gives {:.0f}", in.raw(key).dump(), derived));
}

double real(std::int64_t value) { return static_cast<double>(value); }

void check_parameters(JsonReader& in, const ArchSpec& arch) {
  const ParamCount count = count_params(arch);
  check(in, "total", real(count.total_main));
  check(in, "total_with_mtp", real(count.total_main + count.mtp_unique));
  check(in, "activated", real(count.activated_main_incl_embedding_and_head));
  check(in, "activated_excl_embedding", real(count.activated_main_excl_embedding));
  check(in, "activated_excl_embedding_and_head",
        real(count.activated_main_excl_embedding_and_head));
  check(in, "mtp_unique", real(count.mtp_unique));
  const CheckpointBytes bytes = checkpoint_bytes(arch);
  check(in, "checkpoint_bytes", real(bytes.tensor_bytes));
  check(in, "checkpoint_elements", real(bytes.tensor_elements));
  check(in, "training_flops_per_token_at_4096", training_flops_per_token(arch, 4096));
}

// A model file vouches for its dimensions by the figures that others published for it.
void self_check(JsonReader in, const ArchSpec& arch) {
  const KvLayout bf16{KvFormat::bf16, IndexKeyFormat::fp8};
  const KvLayout fp4{KvFormat::nvfp4, IndexKeyFormat::fp4};
  // Without window limits: what a token adds while every window still grows.
  check(in, "kv_bytes_per_token_bf16",
        kv_bytes_per_sequence(arch, bf16, 1).value - kv_bytes_per_sequence(arch, bf16, 0).value);
  check(in, "kv_growth_bytes_per_token_fp4", kv_growth_per_token(arch, fp4).value);
  if (!arch.kv_cache_only) check_parameters(in, arch);
  in.finish();
}

}  // namespace

Model load_model(std::string_view name_or_file, const ReadOptions& options) {
  Model model;
  model.path = find_data_file(name_or_file, "models");
  const std::string shown = model.path.filename().string() + "#";
  const std::string text = read_text(model.path);
  model.hash = content_hash(text);
  const json document = parse_json(text, model.path.filename().string());
  const bool changed = !options.sets.empty() || !options.attention.empty();
  const bool ours =
      document.is_object() && document.contains("config") && document.contains("source");
  if (ours) {
    JsonReader in{document, shown};
    model.source = in.strings("source");
    if (in.has("not_reproduced")) model.not_reproduced = in.strings("not_reproduced");
    model.arch = parse_hf_config(in.raw("config"), shown + "/config", options);
    if (auto published = in.object_opt("published"); published && !changed) {
      self_check(*published, model.arch);
    }
    in.ignore({"$schema", "published", "not_reproduced", "config"});
    in.finish();
  } else {
    model.arch = parse_hf_config(document, shown, options);
  }
  model.arch.name = model.path.stem().string();
  if (!options.attention.empty()) model.arch.name += "+" + options.attention;
  return model;
}

}  // namespace fathom::model
