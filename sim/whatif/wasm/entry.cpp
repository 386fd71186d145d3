// What a page calls: the files of its scenario first, then one question after another.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "whatif/what_if.hpp"

namespace {

// Files live in memory, below a folder that the readers take for the data folder.
const std::filesystem::path kData{"/fathom"};

}  // namespace

extern "C" {

void fathom_file(const char* name, const char* text) {
  const std::filesystem::path path = kData / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << text;
  ::setenv("FATHOM_DATA", kData.c_str(), 1);
}

// Valid until the next call.
const char* fathom_what_if(const char* request) {
  static fathom::study::Library library;
  static std::string answer;
  answer = fathom::whatif::what_if(request, library);
  return answer.c_str();
}
}
