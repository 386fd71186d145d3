#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "model/kv_cache.hpp"
#include "model/model_json.hpp"
#include "model/params.hpp"
#include "report/builders/model_page.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string model;
  bool list = false;
  model::ReadOptions read;
  std::vector<std::string> contexts;
  OutputOptions output;
};

constexpr double kMaxContext = 1e9;

std::vector<std::int64_t> contexts_of(const Request& request) {
  if (request.contexts.empty()) return {4096, 32768, 131072, 1048576};
  std::vector<std::int64_t> contexts;
  for (const std::string& text : request.contexts) {
    const auto digits = text.find_first_not_of("0123456789");
    if (text.empty() || digits != std::string::npos || text.size() > 10 || std::stod(text) < 1.0 ||
        std::stod(text) > kMaxContext) {
      throw InputError(fmt::format(
          "command line#/contexts: found '{}', expected whole numbers of tokens from 1 to {:.0f}",
          text, kMaxContext));
    }
    contexts.push_back(std::stoll(text));
  }
  return contexts;
}

nlohmann::json row_json(const model::Model& model) {
  const model::ArchSpec& arch = model.arch;
  nlohmann::json row{
      {"name", arch.name},
      {"model_type", arch.model_type},
      {"num_hidden_layers", arch.layers.size()},
      {"max_position_embeddings", arch.max_position_embeddings},
      {"kv_growth_bytes_per_token_bf16", model::kv_growth_per_token(arch, {}).value}};
  if (!arch.kv_cache_only) {
    const model::ParamCount count = model::count_params(arch);
    row["parameters"] = count.total_main;
    row["activated"] = count.activated_main_incl_embedding_and_head;
  }
  return row;
}

void list_models(const OutputOptions& output) {
  std::vector<model::Model> models;
  nlohmann::json rows = nlohmann::json::array();
  for (const std::string& name : list_data_files("models")) {
    models.push_back(model::load_model(name, {.text_only = true}));
    rows.push_back(row_json(models.back()));
  }
  emit(report::model_list(models), {{"models", rows}}, output);
}

void run(const Request& request) {
  if (request.list) {
    if (!request.model.empty()) {
      throw InputError(
          fmt::format("command line: --list takes no model, found '{}'", request.model));
    }
    list_models(request.output);
    return;
  }
  if (request.model.empty()) {
    throw InputError("command line: no model; expected a name, a file or --list");
  }
  const model::Model model = model::load_model(request.model, request.read);
  const std::vector<std::int64_t> contexts = contexts_of(request);
  emit(report::model_page(model, contexts), model::model_json(model, contexts), request.output);
}

}  // namespace

void add_model(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("model", "Parameters, checkpoint, KV cache and FLOPs of one model");
  command->add_option("model", request->model, "A name from models/ or any config.json")
      ->option_text("NAME|FILE");
  command->add_flag("--list", request->list, "All models below models/");
  command
      ->add_option(
          "--contexts", request->contexts,
          "Context lengths of the KV and FLOP tables, comma-separated [4096,32768,131072,1048576]")
      ->delimiter(',')
      ->option_text("TOKENS");
  command
      ->add_option("--set", request->read.sets,
                   "Change a field of the configuration before it is read; repeatable")
      ->option_text("FIELD=VALUE")
      ->expected(1)
      ->take_all();
  command
      ->add_option(
          "--attention", request->read.attention,
          "The same model with another attention: mha, mqa, gqa-N, mla, mla+dsa, csa+hca, tpa")
      ->option_text("KIND");
  command->add_flag("--text-only", request->read.text_only,
                    "Leave vision and audio towers out instead of refusing the file");
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Examples:\n"
      "  fathom model deepseek-v3\n"
      "  fathom model --list\n"
      "  fathom model ./config.json --format json\n"
      "  fathom model deepseek-v3 --set kv_lora_rank=256 --contexts 4096,32768\n"
      "  fathom model deepseek-v3 --attention gqa-8 --format markdown -o v3-gqa.md");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
