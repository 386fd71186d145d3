#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::hw {

/// What a number rests on. `measured`: on this kind of machine, by us or by a published measurement
/// table we cite; `published`: stated in a datasheet, paper or repository; `assumed`: ours, or
/// transferred from another device.
enum class Evidence : std::uint8_t { measured, published, assumed };
inline constexpr std::size_t kEvidenceCount = 3;
std::string_view name(Evidence evidence);

/// How far an assumed number has travelled: a judgement has not, a transfer comes from a device of
/// the same generation or of another one (or of another vendor).
enum class Transfer : std::uint8_t { none, same_generation, other_generation };
inline constexpr std::size_t kTransferCount = 3;

/// How a figure in a profile came to be; docs/hardware.md says when to use which word.
enum class Basis : std::uint8_t {
  datasheet,
  vendor_unopened,
  third_party,
  derived,
  measured,
  assumed
};
inline constexpr std::size_t kBasisCount = 6;
std::string_view name(Basis basis);

/// The coarser word that reports count by.
Evidence evidence_of(Basis basis);
/// True for figures a report has to confess: nobody we can point at stands behind them.
bool needs_confession(Basis basis);

}  // namespace fathom::hw
