#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "report/lane_plot.hpp"
#include "report/plot.hpp"
#include "report/point_set.hpp"
#include "report/table.hpp"
#include "report/what_if.hpp"
#include "report/workings.hpp"

namespace fathom::report {

// Strings are plain text with one piece of markup, `code` between backticks; renderers escape the
// rest. A newline in a Paragraph or Note is a space; in a CodeBlock it is kept.

struct Heading {
  int level = 2;  ///< 2: section, 3: subsection; the document's title is 1
  std::string text;
  std::string anchor;  ///< empty: made from the text
  bool operator==(const Heading&) const = default;
};

struct Paragraph {
  std::string text;
  bool operator==(const Paragraph&) const = default;
};

enum class NoteKind : std::uint8_t { info, assumption, warning, source };

struct Note {
  NoteKind kind = NoteKind::info;
  std::string text;
  bool operator==(const Note&) const = default;
};

struct KeyFigure {
  std::string label;
  Cell value;
  std::string unit;
  std::string detail;
  std::string anchor;  ///< of its working; may be empty
  bool operator==(const KeyFigure&) const = default;
};

/// The few numbers a reader came for.
struct KeyFigures {
  std::vector<KeyFigure> figures;
  bool operator==(const KeyFigures&) const = default;
};

struct CodeBlock {
  std::string text;
  std::string language;
  bool operator==(const CodeBlock&) const = default;
};

struct Block;

/// Blocks most readers may skip; closed in HTML, open wherever nothing can be closed.
struct Details {
  std::string summary;
  std::vector<Block> blocks;
  bool operator==(const Details&) const;
};

using BlockContent = std::variant<Heading, Paragraph, Note, Table, Plot, LanePlot, KeyFigures,
                                  CodeBlock, Details, PointSet, WhatIf, Workings>;

template <class T, class... Ts>
constexpr bool is_one_of(const std::variant<Ts...>* /*any*/) {
  return (std::same_as<T, Ts> || ...);
}

struct Block {
  BlockContent content;

  template <class T>
  requires(is_one_of<T>(static_cast<const BlockContent*>(nullptr))) Block(T block)
      : content(std::move(block)) {}
  bool operator==(const Block&) const = default;
};

struct Input {
  std::string name;  ///< as the user named it, relative
  std::string hash;
  bool operator==(const Input&) const = default;
};

struct Metadata {
  std::string version;
  std::string command;  ///< what reproduces the document; may be empty
  std::vector<Input> inputs;
  bool operator==(const Metadata&) const = default;
};

struct Document {
  std::string title;
  std::string finding;  ///< the answer in one sentence, under the title
  Metadata metadata;
  std::vector<Block> blocks;
  bool operator==(const Document&) const = default;
};

std::string_view name(NoteKind kind);  ///< "Assumption"
std::string_view name(SeriesKind kind);
std::string_view name(NumberFormat format);

/// A heading as a table of contents lists it, in document order and with an anchor no other has.
struct Section {
  int level = 2;
  std::string text;
  std::string anchor;
};
std::vector<Section> sections(const Document& document);

}  // namespace fathom::report
