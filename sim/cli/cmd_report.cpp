#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.hpp"
#include "cli/make_report.hpp"
#include "cli/progress.hpp"
#include "cli/report_flags.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/sweep.hpp"
#include "report/builders/what_if.hpp"
#include "study/plan_search.hpp"
#include "sweep/database.hpp"
#include "sweep/export.hpp"
#include "sweep/row_sample.hpp"
#include "sweep/summary.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

// Rows in a page: with them it stays below 3 MB, and a filter answers within a fifth of a second.
constexpr std::size_t kExplored = 50'000;

struct Request {
  std::string file;
  ReportFlags flags;
  bool show_spec = false;
  OutputOptions output;
};

// The first bytes of every SQLite file (its documentation, "The Database Header").
bool is_database(const std::string& file) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::ifstream in(file, std::ios::binary);
  std::string head(kMagic.size(), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return in && head == kMagic;
}

// All rows, as they come: a million of them need no memory.
void write_rows(sweep::Reader& reader, const OutputOptions& output) {
  const auto write = [&](std::ostream& out) {
    output.format == "csv" ? sweep::export_csv(reader, out) : sweep::export_jsonl(reader, out);
  };
  if (output.output.empty() || output.output == "-") {
    write(std::cout);
    std::cout.flush();
    return;
  }
  expect_writable(output.output);
  std::ofstream out(output.output, std::ios::binary | std::ios::trunc);
  write(out);
  out.close();
  if (!out) throw InputError(output.output + ": cannot be written whole");
}

json sweep_text(const sweep::Manifest& manifest) {
  for (const auto& [name, value] : manifest.provenance.entries) {
    if (name == "sweep") return json::parse(value);
  }
  return json::object();
}

int report_sweep(const Request& request) {
  sweep::Reader reader = sweep::Reader::open(request.file);
  if (request.output.format == "csv" || request.output.format == "jsonl") {
    write_rows(reader, request.output);
    return kOk;
  }
  const sweep::Manifest& manifest = reader.manifest();
  const json text = sweep_text(manifest);
  sweep::Summarizer summarizer(manifest.layout, sweep::objectives_of(text, manifest.layout));
  const bool page_explores = request.output.format == "html";
  sweep::RowSampler sampler(manifest.layout, kExplored);
  std::int64_t next = manifest.range.begin;
  reader.for_each([&](const sweep::Block& block) {
    summarizer.add(block);
    if (page_explores) sampler.add(block);
    next = block.end;
  });
  report::SweepPage page{.name = text.value("name", ""),
                         .database = request.file,
                         .points = manifest.whole.end,
                         .begin = manifest.range.begin,
                         .end = manifest.range.end,
                         .next = next,
                         .summary = summarizer.take(),
                         .sample = sampler.take(),
                         .labels = page_explores};
  json data = sweep::to_json(page.summary);
  data["points"] = page.points;
  data["range"] = {page.begin, page.end};
  data["next"] = next;
  data["provenance"] = manifest.provenance.entries;
  report::Document document = report::sweep_document(page);
  for (const auto& [name, value] : manifest.provenance.entries) {
    if (name != "sweep" && name != "fathom") document.metadata.inputs.push_back({name, value});
  }
  emit(std::move(document), data, request.output);
  return kOk;
}

int report_plan(const Request& request) {
  if (request.output.format == "jsonl")
    throw InputError("--format jsonl: only the rows of a sweep's database are lines");
  const study::PlanResult result = study::search_plans(study::load_plan_request(request.file));
  report::Document document = report::capacity_document(result);
  if (request.output.format == "html")
    report::insert_what_if(document, report::what_if_blocks(result), "");
  emit(std::move(document), study::to_json(result), request.output);
  return study::smallest_cluster(result) != nullptr ? kOk : kInfeasible;
}

int report_spec(const Request& request) {
  if (request.output.format == "jsonl") {
    throw InputError("--format jsonl: only the rows of a sweep's database are lines");
  }
  const NamedSpec named = resolve(request.flags);
  if (request.show_spec) {
    print(dump_json(study::to_json(named.spec)));
    return kOk;
  }
  Progress progress("making the report");
  MadeReport made =
      make_report(named.spec, named.where, [&](double share) { progress.report(share); });
  progress.finish();
  if (request.output.format == "html")
    report::insert_what_if(made.document, std::move(made.what_if), "");
  auto& inputs = made.document.metadata.inputs;
  inputs.insert(inputs.begin(), named.inputs.begin(), named.inputs.end());
  emit(std::move(made.document), request.output);
  return made.exit_code;
}

// A spec says which report it is, a plan request does not.
bool is_spec(const std::string& file) {
  if (is_report(file)) return true;
  const json document = read_json(file);
  return document.is_object() && document.contains("report");
}

[[noreturn]] void refuse_name(const std::string& name) {
  throw InputError(fmt::format("command line#/report: found '{}', expected a file or one of {}{}",
                               name, fmt::join(study::kReports, ", "),
                               did_you_mean(name, study::kReports)));
}

int run(Request& request) {
  std::error_code error;
  if (!is_report(request.file) && !std::filesystem::exists(request.file, error) &&
      request.file.find_first_of("./") == std::string::npos) {
    refuse_name(request.file);
  }
  const bool database = !is_report(request.file) && is_database(request.file);
  if (!database && is_spec(request.file)) {
    request.flags.name = request.file;
    return report_spec(request);
  }
  if (any(request.flags) || request.show_spec) {
    throw InputError(
        fmt::format("command line: {} is no report's spec; its flags do not apply", request.file));
  }
  return database ? report_sweep(request) : report_plan(request);
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "report", "A report by name or spec, of a sweep's database, or of a plan request");
  command
      ->add_option("REPORT", request->file,
                   "Name of a report, its spec (JSON), database of `fathom sweep`, or plan request")
      ->required()
      ->option_text("NAME|FILE");
  add_report_flags(*command, request->flags);
  command->add_flag("--show-spec", request->show_spec,
                    "Print the spec with every default spelled out, and stop");
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "jsonl", "svg", "png"});
  command->footer(fmt::format(
      "Reports: {}.\n"
      "A name is the spec reports/NAME.json; flags replace its fields.\n"
      "\n"
      "Examples:\n"
      "  fathom report compare-attention --format html -o attention.html\n"
      "  fathom report kv-cache --models deepseek-v3,llama-3.1-405b --hardware h200\n"
      "  fathom report mtp --model deepseek-v3 --hardware b200 --batches 1,32,256\n"
      "  fathom report moe --set /ep_of_others=32\n"
      "  fathom report claims --format markdown -o claims.md\n"
      "  fathom report capacity --show-spec > mine.json; fathom report mine.json\n"
      "  fathom report examples/plan-deepseek-v3.json --format markdown\n"
      "  fathom report decode.db --format html -o decode.html\n"
      "  fathom report decode.db --format csv -o decode.csv       every row of a sweep\n"
      "  fathom report decode.db --format jsonl | head -3",
      fmt::join(study::kReports, ", ")));
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
