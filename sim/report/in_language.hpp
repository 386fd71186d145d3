#pragma once

#include "report/document.hpp"

namespace fathom::report {

/// The document in the language spoken (lang/language.hpp): whole texts are looked up in the
/// catalogue, sentences made by lang::say() are in it already, and what the catalogue does not have
/// (names, sources, commands) stays. Anchors and the machine names of points stay too, so that
/// links hold in every language.
Document in_language(Document document);

}  // namespace fathom::report
