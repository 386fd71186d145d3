#include "report/png.hpp"

#include <dlfcn.h>

#include "core/error.hpp"
#include "core/modules.hpp"
#include "report/png/module.h"

namespace fathom::report {

std::string render_png(std::string_view svg, double scale) {
  std::string error;
  void* library = open_module("fathom_png.so", ModuleScope::local, &error);
  if (library == nullptr) {
    throw InputError(error.empty() ? "--format png: fathom_png.so is not beside the program; "
                                     "install librsvg2-dev and build again, or draw with "
                                     "--format svg and convert: rsvg-convert -z 2 figure.svg"
                                   : error);
  }
  const auto draw = reinterpret_cast<decltype(&fathom_png)>(dlsym(library, "fathom_png"));
  if (draw == nullptr)
    throw InputError("fathom_png.so: built from other sources than this program; build again");
  std::string bytes;
  const auto append = [](void* sink, const unsigned char* data, std::size_t size) {
    static_cast<std::string*>(sink)->append(reinterpret_cast<const char*>(data), size);
  };
  if (const char* fault = draw(svg.data(), svg.size(), scale, append, &bytes))
    throw BugError(std::string("PNG: ") + fault);
  return bytes;
}

}  // namespace fathom::report
