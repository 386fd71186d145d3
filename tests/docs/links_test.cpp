#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/program.hpp"
#include "docs/page.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

// The pages of both languages that are there.
std::vector<std::string> all_pages() {
  std::vector<std::string> pages = english_pages();
  const fs::path root = source_file("");
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs/zh"))
    if (entry.path().extension() == ".md")
      pages.push_back(fs::relative(entry.path(), root).generic_string());
  pages.emplace_back("README.zh-CN.md");
  return pages;
}

}  // namespace

TEST_CASE("an anchor keeps letters of every script and loses punctuation", "[docs]") {
  CHECK(anchor_of("Two batches: `overlap`, or not?") == "two-batches-overlap-or-not");
  CHECK(anchor_of("矩阵吸收:何时更快(MLA)") == "矩阵吸收何时更快mla");
}

TEST_CASE("every link between pages leads to a file and a heading", "[docs]") {
  std::map<std::string, Page> pages;
  for (const std::string& path : all_pages()) pages.emplace(path, read_page(path));
  for (const auto& [path, page] : pages) {
    for (const PageLink& link : page.links) {
      if (link.target.find("://") != std::string::npos) continue;
      INFO(path << ":" << link.line << ": " << link.target);
      const auto hash = link.target.find('#');
      const std::string file = link.target.substr(0, hash);
      const fs::path target =
          file.empty() ? fs::path(path) : (fs::path(path).parent_path() / file).lexically_normal();
      CHECK(fs::exists(source_file(target.string())));
      if (hash == std::string::npos) continue;
      const auto found = pages.find(target.generic_string());
      REQUIRE(found != pages.end());
      CHECK(found->second.anchors.count(link.target.substr(hash + 1)) == 1);
    }
  }
}

}  // namespace fathom::test
