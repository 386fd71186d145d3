#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "core/error.hpp"
#include "report/builders/compare.hpp"
#include "study/attention_trade.hpp"
#include "study/scenario.hpp"

namespace fathom::cli {
namespace {

constexpr const char* kWhere = "command line#";

struct Request {
  study::TradeRequest trade = study::default_trade_request();
  std::vector<std::string> models;
  std::vector<std::string> attentions;
  std::vector<std::string> contexts;
  std::string base;
  nlohmann::json plan = nlohmann::json::object();
  OutputOptions output;
};

std::int64_t whole(const std::string& text, const std::string& key) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec == std::errc{} && read.ptr == end) return value;
  throw InputError(fmt::format("{}/{}: found '{}', expected a whole number", kWhere, key, text));
}

// Asking for models alone compares models, asking for kinds alone compares kinds; both or neither
// gives both.
study::TradeRequest resolve(const Request& request) {
  study::TradeRequest trade = request.trade;
  const bool kinds = !request.attentions.empty() || !request.base.empty();
  if (!request.models.empty() || kinds) trade.models = request.models;
  if (!request.models.empty() && !kinds) {
    trade.base.clear();
    trade.attentions.clear();
  }
  if (!request.base.empty()) trade.base = request.base;
  if (!request.attentions.empty()) trade.attentions = request.attentions;
  if (!request.contexts.empty()) {
    trade.contexts.clear();
    for (const std::string& text : request.contexts) {
      trade.contexts.push_back(whole(text, "contexts"));
    }
  }
  if (!request.plan.empty()) {
    trade.plan = study::parse_plan(request.plan, std::string(kWhere) + "/plan");
  }
  return trade;
}

void add_plan_flags(CLI::App& command, Request& request) {
  struct Flag {
    const char* key;
    const char* help;
  };
  constexpr const char* kGroup = "One plan for every row (default: the smallest that fits)";
  for (const Flag& flag :
       {Flag{"tp", "Tensor parallel ranks"}, Flag{"pp", "Pipeline stages"},
        Flag{"ep", "Expert parallel ranks"}, Flag{"dp", "Data parallel replicas of attention"}}) {
    const std::string key = flag.key;
    command
        .add_option_function<std::string>(
            "--" + key,
            [&request, key](const std::string& text) {
              request.plan[key] = whole(text, "plan/" + key);
            },
            flag.help)
        ->option_text("N")
        ->group(kGroup);
  }
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "compare", "Attention kinds and models side by side: cache, sequences, decode speed");
  command->add_option("--models", request->models, "Models as published, comma-separated")
      ->delimiter(',')
      ->option_text("NAME|FILE,…");
  command
      ->add_option("--attention", request->attentions,
                   "Kinds to give to --base: mha, mqa, gqa-N, mla, mla+dsa, csa+hca, tpa")
      ->delimiter(',')
      ->option_text("KIND,…");
  command->add_option("--base", request->base, "Whose attention is exchanged [deepseek-v3]")
      ->option_text("NAME|FILE");
  command
      ->add_option("--contexts", request->contexts,
                   "Tokens in the cache, ascending [4096,8192,…,1048576]")
      ->delimiter(',')
      ->option_text("TOKENS,…");
  command->add_option("--hardware", request->trade.hardware, "Name from hwprofiles/ or a file")
      ->option_text("NAME|FILE [h800]");
  command->add_option("--kv", request->trade.kv, "Cache: bf16, fp8, fp8_mla, nvfp4 [+index-…]")
      ->option_text("FORMAT [bf16]");
  command
      ->add_option("--sequences-per-gpu", request->trade.sequences_per_device,
                   "Decode batch per GPU; 0: as many as memory holds")
      ->option_text("N [0]");
  add_plan_flags(*command, *request);
  add_output_options(*command, request->output,
                     {"table", "json", "csv", "markdown", "html", "svg", "png"});
  command->footer(
      "Examples:\n"
      "  fathom compare                                    the default models and kinds on h800\n"
      "  fathom compare --base deepseek-v3 --attention mha,gqa-8,mla --contexts 4096,131072\n"
      "  fathom compare --models deepseek-v3.2,deepseek-v4-pro --kv fp8_mla+index-fp4\n"
      "  fathom compare --models deepseek-v3 --hardware h200 --ep 32 --dp 32 --format json\n"
      "  fathom compare --format html -o compare.html");
  command->callback([request, &exit_code] {
    const study::AttentionTrade trade = study::trade_attention(resolve(*request), kWhere);
    emit(report::compare_document(trade), study::to_json(trade), request->output);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
