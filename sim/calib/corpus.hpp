#pragma once

#include <filesystem>
#include <string>

#include "calib/cross_validation.hpp"

namespace fathom::calib {

/// Which part of a folder to read; empty: all of it.
struct CorpusFilter {
  std::string family;
  std::string device;
};

/// Measured tables below a folder, with the data sheet of every device they name. InputError for a
/// family or device that the folder does not have, naming those that it has.
Corpus load_corpus(const std::filesystem::path& directory, const CorpusFilter& filter = {});

}  // namespace fathom::calib
