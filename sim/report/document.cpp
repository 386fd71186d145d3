#include "report/document.hpp"

#include <set>

#include "report/text.hpp"

namespace fathom::report {
namespace {

void collect(const std::vector<Block>& blocks, std::set<std::string>& taken,
             std::vector<Section>& out) {
  for (const Block& block : blocks) {
    if (const auto* details = std::get_if<Details>(&block.content)) {
      collect(details->blocks, taken, out);
    }
    const auto* heading = std::get_if<Heading>(&block.content);
    if (heading == nullptr) continue;
    std::string anchor = slug(heading->anchor.empty() ? heading->text : heading->anchor, '-');
    if (anchor.empty()) anchor = "section";
    std::string unique = anchor;
    for (int i = 2; !taken.insert(unique).second; ++i) unique = anchor + "-" + std::to_string(i);
    out.push_back({heading->level, heading->text, unique});
  }
}

}  // namespace

bool Details::operator==(const Details& other) const {
  return summary == other.summary && blocks == other.blocks;
}

std::string_view name(NoteKind kind) {
  switch (kind) {
    case NoteKind::info:
      return "Note";
    case NoteKind::assumption:
      return "Assumption";
    case NoteKind::warning:
      return "Warning";
    case NoteKind::source:
      return "Source";
  }
  return "Note";
}

std::string_view name(SeriesKind kind) {
  switch (kind) {
    case SeriesKind::line:
      return "line";
    case SeriesKind::points:
      return "points";
    case SeriesKind::line_points:
      return "line_points";
    case SeriesKind::bars:
      return "bars";
    case SeriesKind::step:
      return "step";
    case SeriesKind::area:
      return "area";
  }
  return "line";
}

std::string_view name(NumberFormat format) {
  switch (format) {
    case NumberFormat::significant:
      return "significant";
    case NumberFormat::count:
      return "count";
    case NumberFormat::exact:
      return "exact";
    case NumberFormat::percent:
      return "percent";
    case NumberFormat::si:
      return "si";
    case NumberFormat::seconds:
      return "seconds";
    case NumberFormat::bytes_binary:
      return "bytes_binary";
  }
  return "exact";
}

std::vector<Section> sections(const Document& document) {
  // Anchors the HTML page uses for itself.
  std::set<std::string> taken{"top", "contents", "provenance"};
  std::vector<Section> out;
  collect(document.blocks, taken, out);
  return out;
}

}  // namespace fathom::report
