#include "hw/provenance.hpp"

#include <array>

namespace fathom::hw {

std::string_view name(Evidence evidence) {
  constexpr std::array<std::string_view, kEvidenceCount> names{"measured", "published", "assumed"};
  return names[static_cast<std::size_t>(evidence)];
}

std::string_view name(Basis basis) {
  constexpr std::array<std::string_view, kBasisCount> names{
      "datasheet", "vendor_unopened", "third_party", "derived", "measured", "assumed"};
  return names[static_cast<std::size_t>(basis)];
}

Evidence evidence_of(Basis basis) {
  switch (basis) {
    case Basis::measured:
      return Evidence::measured;
    case Basis::assumed:
      return Evidence::assumed;
    case Basis::datasheet:
    case Basis::vendor_unopened:
    case Basis::third_party:
    case Basis::derived:
      break;
  }
  return Evidence::published;
}

bool needs_confession(Basis basis) {
  return basis == Basis::assumed || basis == Basis::vendor_unopened;
}

}  // namespace fathom::hw
