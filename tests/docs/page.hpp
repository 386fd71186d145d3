#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

/// A fenced block of a Markdown page: what stands behind the opening fence, and its lines.
struct CodeBlock {
  std::string info;
  int line = 0;  // of the opening fence, from 1
  std::vector<std::string> lines;
};

/// The target of `[text](target)`, outside of code.
struct PageLink {
  std::string target;
  int line = 0;
};

/// A page of Markdown as far as the tests read it.
struct Page {
  std::string path;  // relative to the repository
  std::vector<CodeBlock> blocks;
  std::vector<PageLink> links;
  std::set<std::string> anchors;  // of headings, as GitHub names them
};

Page read_page(std::string_view path);

/// Anchor of a heading: lower case, punctuation gone, blanks as '-'; letters of every script stay.
std::string anchor_of(std::string_view heading);

/// English pages: README.md and everything below docs/ but docs/zh, sorted.
std::vector<std::string> english_pages();
/// The Chinese page of an English one: README.zh-CN.md, docs/zh/….
std::string chinese_twin(std::string_view english);

/// A line of a `sh` block without its comment, which begins at a '#' behind a blank.
std::string without_comment(std::string_view line);
/// The comment of that line, without '#'; empty if there is none.
std::string comment_of(std::string_view line);

}  // namespace fathom::test
