#include "study/attention_trade.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/si_format.hpp"
#include "model/hf_config.hpp"
#include "model/lower.hpp"

namespace fathom::study {
namespace {

constexpr double kRounding = 1e-12;

bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }

model::ArchSpec arch(const std::string& name, const std::string& attention = "") {
  return model::load_model(name, {.attention = attention}).arch;
}

double growth(const std::string& model, const std::string& layout,
              const std::string& attention = "") {
  return model::kv_growth_per_token(arch(model, attention), model::parse_kv_layout(layout, "kv"))
      .value;
}

double equivalent_flops(const std::string& model) {
  const auto flops = model::decode_flops_json(arch(model), {1048576});
  return flops.at("1048576").at("fp8_equiv").get<double>();
}

TEST_CASE("MLA keeps 2 n_h d_h over d_c + d_r times less than MHA", "[study][trade]") {
  // DeepSeek-V3: 128 heads of 128, latent 512 and rotated key 64.
  CHECK(near(growth("deepseek-v3", "bf16", "mha") / growth("deepseek-v3", "bf16"),
             2.0 * 128 * 128 / (512 + 64), kRounding));
  // DeepSeek-V2-Lite: 16 heads of 128 over the same latent.
  CHECK(near(growth("deepseek-v2-lite", "bf16", "mha") / growth("deepseek-v2-lite", "bf16"),
             2.0 * 16 * 128 / (512 + 64), kRounding));
}

TEST_CASE("published caches per token come out", "[study][trade]") {
  CHECK(growth("deepseek-v3", "bf16") == 61.0 * (512 + 64) * 2);  // 70,272 B
  // FlashMLA row of 512 e4m3, 4 scales and 64 bf16, and an index key of 128 e4m3 with one scale.
  CHECK(growth("deepseek-v3.2", "fp8_mla") == 61.0 * (512 + 4 * 4 + 64 * 2 + 128 + 4));  // 48,068
  const double v32 = growth("deepseek-v3.2", "fp8_mla");
  // V4 report: about 10 % and 7 % of V3.2's cache.
  CHECK(format_significant(growth("deepseek-v4-pro", "fp8_mla+index-fp4") / v32, 4) == "0.1047");
  CHECK(format_significant(growth("deepseek-v4-flash", "fp8_mla+index-fp4") / v32) == "0.0731");
}

TEST_CASE("V4 decodes a million tokens on a quarter and a tenth of V3.2's FLOPs",
          "[study][trade]") {
  const double v32 = equivalent_flops("deepseek-v3.2");
  CHECK(format_significant(equivalent_flops("deepseek-v4-pro") / v32) == "0.267");
  CHECK(format_significant(equivalent_flops("deepseek-v4-flash") / v32) == "0.101");
}

TEST_CASE("an absorbed MLA core does 2 n_h (2 d_c + d_r) FLOP per cached row", "[study][trade]") {
  const model::ArchSpec v3 = arch("deepseek-v3");
  const double context = GENERATE(1024.0, 131072.0);
  const double expected = 128.0 * 2.0 * (2 * 512 + 64) / ((512 + 64) * 2);  // 241.8 FLOP/B
  CHECK(near(core_intensity(v3, {}, context).value, expected, kRounding));
  CHECK(format_significant(expected, 4) == "241.8");
}

TEST_CASE("query tokens share the rows that they read", "[study][trade]") {
  // Only the last few of a long context are not seen by every query.
  constexpr double kContext = 1048576.0;
  const double drafts = GENERATE(1.0, 2.0, 3.0);
  const model::ArchSpec v3 = arch("deepseek-v3");
  const double plain = core_intensity(v3, {}, kContext).value;
  CHECK(near(core_intensity(v3, {}, kContext, 1.0 + drafts).value, (1.0 + drafts) * plain, 1e-5));
}

TEST_CASE("the intensity of grouped heads in bf16 is their group", "[study][trade]") {
  const auto groups = GENERATE(1, 8, 32, 128);
  CAPTURE(groups);
  const model::ArchSpec swapped = arch("deepseek-v3", "gqa-" + std::to_string(groups));
  CHECK(near(core_intensity(swapped, {}, 4096.0).value, 128.0 / groups, kRounding));
}

TEST_CASE("absorbing costs (2 d_c + d_r) over (d_n + d_r + d_v) FLOP a pair", "[study][trade]") {
  const auto core = [](model::MlaForm form) {
    const model::ArchSpec v3 = arch("deepseek-v3");
    model::LowerOptions options{.precision = model::default_precision(v3), .mla = form};
    Flops flops;
    for (const model::OpNode& node :
         model::lower(v3, {.groups = {{1.0, 1.0, 4095.0}}}, options).nodes) {
      if (node.name == "attention_core") flops += ops::cost(node.op).flops;
    }
    return flops;
  };
  CHECK(near(core(model::MlaForm::absorbed) / core(model::MlaForm::naive),
             (576.0 + 512.0) / (192.0 + 128.0), kRounding));  // 3.4
}

const AttentionTrade& default_trade() {
  static const AttentionTrade trade = trade_attention(default_trade_request());
  return trade;
}

TEST_CASE("an estimate never beats its roofline", "[study][trade][property]") {
  for (const TradeRow& row : default_trade().rows) {
    for (const TradePoint& point : row.points) {
      CAPTURE(row.label, point.context_tokens);
      CHECK(point.per_device <= point.ideal_per_device);
      CHECK(point.sequences_per_device == point.max_sequences_per_device);
    }
  }
}

TEST_CASE("a longer context keeps more, fits fewer and decodes slower",
          "[study][trade][property]") {
  for (const TradeRow& row : default_trade().rows) {
    for (std::size_t i = 1; i < row.points.size(); ++i) {
      CAPTURE(row.label, row.points[i].context_tokens);
      CHECK(row.points[i].kv_per_sequence > row.points[i - 1].kv_per_sequence);
      CHECK(row.points[i].max_sequences_per_device <= row.points[i - 1].max_sequences_per_device);
      CHECK(row.points[i].per_device <= row.points[i - 1].per_device);
    }
  }
}

TEST_CASE("exchanged kinds share a plan and keep everything but attention", "[study][trade]") {
  const AttentionTrade& trade = default_trade();
  const TradeRow* published = find_row(trade, "deepseek-v3");
  REQUIRE(published != nullptr);
  const std::int64_t rest = published->parameters - published->attention_parameters;
  for (const TradeRow& row : trade.rows) {
    if (row.exchanged.empty()) continue;
    CAPTURE(row.label);
    CHECK(row.plan == trade.rows.front().plan);
    CHECK(row.parameters - row.attention_parameters == rest);
  }
  const TradeRow* same = find_row(trade, "deepseek-v3 with mla");
  REQUIRE(same != nullptr);
  CHECK(same->parameters == published->parameters);
}

TEST_CASE("contexts beyond the model's limit are computed and marked", "[study][trade]") {
  for (const TradePoint& point : find_row(default_trade(), "llama-3.1-405b")->points) {
    CHECK(point.beyond_limit == (point.context_tokens > 131072));
  }
}

TEST_CASE("a batch that does not fit leaves a gap, one that fits is used", "[study][trade]") {
  TradeRequest request{.models = {"deepseek-v3"},
                       .contexts = {4096, 131072},
                       .plan = mapping::Plan{.ep = 32, .dp = 32},
                       .sequences_per_device = 32.0};
  const AttentionTrade trade = trade_attention(request);
  const TradeRow& row = trade.rows.front();
  CHECK(row.points[0].sequences_per_device == 32.0);
  CHECK(row.points[1].sequences_per_device == 0.0);
  CHECK(row.points[1].max_sequences_per_device < 32.0);
}

TEST_CASE("a plan that cannot run a model is a reason, not an error", "[study][trade]") {
  const AttentionTrade trade = trade_attention(
      {.models = {"qwen2.5-72b"}, .contexts = {4096}, .plan = mapping::Plan{.tp = 3}});
  CHECK_FALSE(trade.rows.front().plan.has_value());
  CHECK(trade.rows.front().infeasible.find("tp = 3 does not divide") == 0);
}

std::string complaint(const TradeRequest& request) {
  try {
    trade_attention(request, "request#");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("an impossible comparison is named with its field", "[study][trade]") {
  CHECK(complaint({.contexts = {4096}}).find("request#/models: empty") == 0);
  CHECK(complaint({.models = {"deepseek-v3"}}).find("request#/contexts: empty") == 0);
  CHECK(complaint({.models = {"deepseek-v3"}, .contexts = {8, 4}})
            .find("request#/contexts: 4 after 8; expected ascending") == 0);
  CHECK(complaint({.base = "deepseek-v3", .contexts = {8}}).find("request#/attention: empty") == 0);
  const std::string kv = complaint({.models = {"deepseek-v3"}, .contexts = {8}, .kv = "fp9"});
  CHECK(kv.find("request#/kv: found 'fp9'") == 0);
}

}  // namespace
}  // namespace fathom::study
