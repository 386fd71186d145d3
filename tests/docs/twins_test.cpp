#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/program.hpp"
#include "docs/page.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

// What has to be the same in both languages: code, not its comments, and not drawings.
std::vector<std::string> code_of(const CodeBlock& block) {
  std::vector<std::string> out{block.info};
  const bool shell = block.info.starts_with("sh");
  for (const std::string& line : block.lines) {
    const std::string comment = shell ? comment_of(line) : "";
    out.push_back(shell ? without_comment(line) : line);
    if (comment.starts_with("not run: ") || comment.starts_with("exit ")) out.back() += " # marked";
    if (shell && out.back().empty()) out.pop_back();
  }
  return out;
}

bool links_to(const Page& page, const std::string& target) {
  return std::any_of(page.links.begin(), page.links.end(),
                     [&](const PageLink& link) { return link.target == target; });
}

std::string relative_to(const std::string& from, const std::string& to) {
  return fs::path(to).lexically_relative(fs::path(from).parent_path()).generic_string();
}

}  // namespace

TEST_CASE("a page and its Chinese twin show the same code and link to each other", "[docs]") {
  for (const std::string& path : english_pages()) {
    const std::string twin_path = chinese_twin(path);
    if (!fs::exists(source_file(twin_path))) continue;
    INFO(path << " and " << twin_path);
    const Page page = read_page(path);
    const Page twin = read_page(twin_path);
    CHECK(links_to(page, relative_to(path, twin_path)));
    CHECK(links_to(twin, relative_to(twin_path, path)));
    REQUIRE(page.blocks.size() == twin.blocks.size());
    for (std::size_t i = 0; i < page.blocks.size(); ++i) {
      if (page.blocks[i].info.empty()) continue;
      INFO("lines " << page.blocks[i].line << " and " << twin.blocks[i].line);
      CHECK(code_of(page.blocks[i]) == code_of(twin.blocks[i]));
    }
  }
}

TEST_CASE("every page of the guide has a Chinese twin", "[docs]") {
  for (const std::string& path : english_pages()) {
    CAPTURE(path);
    CHECK(fs::exists(source_file(chinese_twin(path))));
  }
}

}  // namespace fathom::test
