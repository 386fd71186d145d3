#pragma once

#include <stddef.h>

/// What fathom_png.so offers: an SVG picture as PNG, `scale` pixels for each of its units, on white.
/// The picture's bytes go to `write`. Returns null, or why there is none (static text).
extern "C" const char* fathom_png(const char* svg, size_t bytes, double scale,
                                  void (*write)(void* sink, const unsigned char* data, size_t size),
                                  void* sink);
