#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

using nlohmann::json;

namespace fathom::test {
namespace {

// Versions and compilers differ from build to build.
std::string without_version(std::string text) {
  const std::size_t at = text.find("fathom 0.");
  if (at != std::string::npos) text.erase(at, text.find('\n', at) - at);
  return text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("rendered reports are what their specs give today", "[cli][golden]") {
  const std::string name = GENERATE("capacity", "compare-attention");
  const std::string language = GENERATE("en", "zh");
  std::vector<std::string> arguments{"report", name, "--format", "markdown"};
  if (language != "en") arguments.insert(arguments.end(), {"--lang", language});
  const Run run = fathom(arguments);
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const std::string found = without_version(run.out);
  const std::string path =
      source_file("reports/rendered/" + name + (language == "en" ? ".md" : "." + language + ".md"));
  if (const char* update = std::getenv("FATHOM_UPDATE_GOLDEN"); update && *update == '1') {
    write_file(path, found);
  }
  CAPTURE(name);
  CHECK(found == read_text(path));
}

TEST_CASE("a report by name is the report of its spec", "[cli][report]") {
  const json by_name = parse_json(fathom({"report", "kv-cache", "--format", "json"}).out, "stdout");
  const json by_file = parse_json(
      fathom({"report", source_file("reports/kv-cache.json"), "--format", "json"}).out, "stdout");
  CHECK(by_name.at("blocks") == by_file.at("blocks"));
  CHECK(by_name.at("finding") == by_file.at("finding"));
}

TEST_CASE("flags replace fields of a report's spec", "[cli][report]") {
  const auto spec = [](std::vector<std::string> more) {
    std::vector<std::string> all{"report"};
    all.insert(all.end(), more.begin(), more.end());
    all.emplace_back("--show-spec");
    const Run run = fathom(all);
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    return parse_json(run.out, "stdout");
  };
  CHECK(spec({"mtp", "--batches", "1,8"}).at("batches") == json{1, 8});
  CHECK(spec({"kv-cache", "--hardware", "h20"}).at("hardware") == json{"h20"});
  CHECK(spec({"moe", "--hardware", "h20"}).at("hardware") == "h20");
  CHECK(spec({"capacity", "--model", "deepseek-v3"}).at("plan").at("model") == "deepseek-v3");
  CHECK(spec({"roofline", "--context", "64"}).at("scenario").at("workload").at("context_tokens") ==
        64);
  CHECK(spec({"moe", "--set", "/skew=[0,1]"}).at("skew") == json{0.0, 1.0});
}

TEST_CASE("the spec that is shown gives the same report", "[cli][report]") {
  const TemporaryFolder folder;
  const Run shown = fathom({"report", "kv-cache", "--show-spec"});
  const std::string file = folder.file("mine.json", shown.out);
  const json ours = parse_json(fathom({"report", file, "--format", "json"}).out, "stdout");
  const json theirs = parse_json(fathom({"report", "kv-cache", "--format", "json"}).out, "stdout");
  CHECK(ours.at("blocks") == theirs.at("blocks"));
}

TEST_CASE("every report renders in every format", "[cli][report]") {
  for (const char* name : {"kv-cache", "mtp", "calibration"}) {
    for (const char* format : {"table", "markdown", "html", "csv", "json", "svg"}) {
      CAPTURE(name, format);
      const Run run = fathom({"report", name, "--format", format});
      CHECK(run.code == 0);
      CHECK(run.err.empty());
      CHECK(run.out.size() > 1000);
    }
  }
}

TEST_CASE("a picture is the figure asked for", "[cli][report]") {
  const auto picture = [](const char* format, const char* number) {
    return fathom({"report", "mtp", "--format", format, "--figure", number});
  };
  const std::string first = picture("svg", "1").out;
  const std::string second = picture("svg", "2").out;
  CHECK(contains(first, "Gain at an acceptance"));
  CHECK(contains(second, "Acceptance from which drafts pay"));
  CHECK(fathom({"report", "mtp", "--format", "svg"}).out == first);
  const Run missing = picture("svg", "3");
  CHECK(missing.code == 2);
  CHECK(contains(missing.err, "--figure 3: expected 1 'Gain"));

  const Run png = picture("png", "2");
  if (png.code == 2) {
    CHECK(contains(png.err, "librsvg2-dev"));  // built without
  } else {
    // The signature and the size in the header chunk (PNG specification, sections 5.2 and 11.2.1).
    REQUIRE(png.out.size() > 1000);
    CHECK(png.out.substr(0, 8) == "\x89PNG\r\n\x1a\n");
    CHECK(static_cast<unsigned char>(png.out[18]) * 256 + static_cast<unsigned char>(png.out[19]) ==
          2 * 720);
  }
}

TEST_CASE("what is wrong with a report's spec is said in place", "[cli][report]") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& part) {
    const Run run = fathom({"report", folder.file("spec.json", text)}, folder.path());
    CAPTURE(text, run.err);
    CHECK(run.code == 2);
    CHECK(run.out.empty());
    CHECK(contains(run.err, part));
  };
  refused(R"({"report": "kv-cahce"})", "/report: ");
  refused(R"({"report": "kv-cahce"})", "did you mean 'kv-cache'?");
  refused(R"({"report": "kv-cache", "modles": ["x"]})", "did you mean 'models'?");
  refused(R"({"report": "kv-cache", "models": ["deepseek-v33"]})", "did you mean 'deepseek-v3'?");
  refused(R"({"report": "mtp", "model": "deepseek-v3", "hardware": "h800", "batches": [8, 4]})",
          "/batches/1: found 4 after 8, expected ascending counts");
  refused(R"({"report": "mtp", "model": "deepseek-v3", "hardware": "h800", "acceptances": [2]})",
          "/acceptances/0: found 2");
  refused(R"({"report": "capacity", "plan": {"modle": "deepseek-v3"}})",
          "/plan: missing key 'model'");
  refused(R"({"report": "calibration"})", "/hardware: ");
}

TEST_CASE("a name that is no report and no file says which there are", "[cli][report]") {
  const Run run = fathom({"report", "kv-cahce"});
  CHECK(run.code == 2);
  CHECK(contains(run.err, "did you mean 'kv-cache'?"));
  const Run flags =
      fathom({"report", source_file("examples/plan-deepseek-v3.json"), "--gpus", "8"});
  CHECK(flags.code == 2);
  CHECK(contains(flags.err, "is no report's spec"));
  const Run unknown = fathom({"report", "validation", "--batches", "1"});
  CHECK(unknown.code == 2);
  CHECK(contains(unknown.err, "command line#"));
}

}  // namespace fathom::test
