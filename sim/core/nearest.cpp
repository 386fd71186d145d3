#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/json_reader.hpp"

namespace fathom {
namespace {

// Longer words are never typing mistakes, and the distance is quadratic.
constexpr std::size_t kLongestWord = 128;

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// DeepSeek-V3, deepseek_v3 and deepseekv3 are one name to a person.
std::string normalised(std::string_view text) {
  std::string out = lower(text);
  std::erase_if(out, [](char c) { return c == '-' || c == '_' || c == ' '; });
  return out;
}

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours cost 1.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::vector<std::size_t>, 3> rows;
  for (auto& row : rows) row.resize(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string_view nearest_by_distance(std::string_view word,
                                     std::span<const std::string_view> known) {
  const std::string typed = lower(word);
  const std::size_t limit = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = std::numeric_limits<std::size_t>::max();
  std::string_view found;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestWord) continue;
    const std::size_t distance = edit_distance(typed, lower(candidate));
    // A word with nothing in common is not near, however short both are.
    const bool near = distance <= limit && distance < std::max(word.size(), candidate.size());
    if (near && distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string_view shortest_with_prefix(std::string_view word,
                                      std::span<const std::string_view> known) {
  const std::string typed = normalised(word);
  std::string_view found;
  if (typed.size() < 2) return found;
  for (const std::string_view candidate : known) {
    const std::string full = normalised(candidate);
    const bool related = full.starts_with(typed) || (full.size() > 2 && typed.starts_with(full));
    if (related && (found.empty() || candidate.size() < found.size())) found = candidate;
  }
  return found;
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string typed = normalised(word);
  for (const std::string_view candidate : known) {
    if (!typed.empty() && normalised(candidate) == typed) return candidate;
  }
  const std::string_view close = nearest_by_distance(word, known);
  return close.empty() ? shortest_with_prefix(word, known) : close;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = nearest(word, known);
  return best.empty() ? std::string{} : fmt::format("; did you mean '{}'?", best);
}

}  // namespace fathom
