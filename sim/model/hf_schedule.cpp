#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

constexpr std::array<std::string_view, 4> kLayerTypes{"full_attention", "sliding_attention",
                                                      "chunked_attention", "linear_attention"};

std::vector<LayerType> listed_types(HfContext& context) {
  JsonReader& in = context.in;
  std::vector<LayerType> types;
  for (const std::string& text : in.strings("layer_types")) {
    std::size_t index = 0;
    while (index < kLayerTypes.size() && kLayerTypes[index] != text) ++index;
    if (index == kLayerTypes.size()) {
      in.fail("layer_types",
              fmt::format("'{}' at {}; expected one of {}{}", text, types.size(),
                          fmt::join(kLayerTypes, ", "), did_you_mean(text, kLayerTypes)));
    }
    types.push_back(static_cast<LayerType>(index));
  }
  expect_one_per_layer(context, "layer_types", types.size());
  // The list says it all; what it was generated from stays in the file.
  in.ignore({"full_attention_interval", "sliding_window_pattern", "_sliding_window_pattern",
             "max_window_layers", "use_sliding_window", "no_rope_layers",
             "no_rope_layer_interval"});
  return types;
}

template <class IsLocal>
std::vector<LayerType> choose(const HfContext& context, LayerType local, IsLocal is_local) {
  std::vector<LayerType> types;
  for (std::int64_t i = 0; i < context.num_hidden_layers; ++i) {
    types.push_back(is_local(i) ? local : LayerType::full);
  }
  return types;
}

std::vector<LayerType> chunked_types(HfContext& context) {
  JsonReader& in = context.in;
  const std::int64_t interval = in.integer_or("no_rope_layer_interval", 4, 1);
  std::vector<std::int64_t> with_rope;
  if (in.has("no_rope_layers")) with_rope = in.integers("no_rope_layers", 0, 1);
  if (with_rope.empty()) {
    return choose(context, LayerType::chunked,
                  [interval](std::int64_t i) { return (i + 1) % interval != 0; });
  }
  // Despite its name an entry of 1 means that the layer does have RoPE, and is local.
  expect_one_per_layer(context, "no_rope_layers", with_rope.size());
  return choose(context, LayerType::chunked,
                [&](std::int64_t i) { return with_rope[static_cast<std::size_t>(i)] == 1; });
}

}  // namespace

void expect_one_per_layer(const HfContext& context, std::string_view key, std::size_t found) {
  if (static_cast<std::int64_t>(found) == context.num_hidden_layers) return;
  context.in.fail(key, fmt::format("{} entries; expected one per layer, num_hidden_layers = {}",
                                   found, context.num_hidden_layers));
}

std::vector<LayerType> read_layer_types(HfContext& context) {
  JsonReader& in = context.in;
  if (in.has("layer_types")) return listed_types(context);
  const auto always = [](std::int64_t) { return true; };
  switch (context.family.schedule) {
    case LayerSchedule::full:
      return choose(context, LayerType::full, always);
    case LayerSchedule::window:
      return choose(context, LayerType::sliding, always);
    case LayerSchedule::upper: {
      const bool use = in.boolean_or("use_sliding_window", false);
      const std::int64_t first = in.integer_or("max_window_layers", context.num_hidden_layers);
      return choose(context, LayerType::sliding, [=](std::int64_t i) { return use && i >= first; });
    }
    case LayerSchedule::alternating:
      return choose(context, LayerType::sliding, [](std::int64_t i) { return i % 2 == 0; });
    case LayerSchedule::pattern: {
      const std::int64_t period =
          in.integer_or(spelling(in, {"sliding_window_pattern", "_sliding_window_pattern"}), 6, 1);
      return choose(context, LayerType::sliding,
                    [period](std::int64_t i) { return (i + 1) % period != 0; });
    }
    case LayerSchedule::interval: {
      if (in.boolean_or("use_sliding_window", false)) {
        in.fail("use_sliding_window", "true; full layers of a linear hybrid have no window here");
      }
      const std::int64_t period = in.integer_or("full_attention_interval", 4, 1);
      return choose(context, LayerType::linear,
                    [period](std::int64_t i) { return (i + 1) % period != 0; });
    }
    case LayerSchedule::chunked:
      return chunked_types(context);
  }
  FATHOM_EXPECT(false, "unhandled layer schedule");
}

}  // namespace fathom::model
