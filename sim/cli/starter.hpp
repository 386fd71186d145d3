#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::cli {

/// Documents that `fathom init` writes.
enum class StarterKind : std::uint8_t { scenario, plan, sweep };
inline constexpr int kStarterKinds = 3;
std::string_view name(StarterKind kind);
/// The command that runs such a document.
std::string_view verb(StarterKind kind);
/// InputError with the nearest kind.
StarterKind parse_starter_kind(std::string_view text);

/// A document that runs as it is, with "comment" lines on what to change. The model is cut as
/// study::smallest_plan() says, the batch is what fits beside its weights, at most 64 sequences.
/// InputError when no usual cut of the model fits the hardware's memory.
std::string starter(StarterKind kind, const std::string& model, const std::string& hardware);

}  // namespace fathom::cli
