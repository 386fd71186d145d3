#include <cairo.h>
#include <librsvg/rsvg.h>

#include <cmath>
#include <memory>

#include "report/png/module.h"

namespace {

struct Release {
  void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Release>;

struct Sink {
  void (*write)(void*, const unsigned char*, size_t);
  void* target;
};

cairo_status_t pass_on(void* closure, const unsigned char* data, unsigned int size) {
  const auto* sink = static_cast<const Sink*>(closure);
  sink->write(sink->target, data, size);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

const char* fathom_png(const char* svg, size_t bytes, double scale,
                       void (*write)(void*, const unsigned char*, size_t), void* sink) {
  const Owned<RsvgHandle> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg), bytes, nullptr));
  if (!handle) return "librsvg cannot read the picture";
  double width = 0;
  double height = 0;
  if (rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height) == 0)
    return "the picture has no size";
  const Owned<cairo_surface_t> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::ceil(width * scale)),
                                 static_cast<int>(std::ceil(height * scale))));
  const Owned<cairo_t> context(cairo_create(surface.get()));
  cairo_set_source_rgb(context.get(), 1, 1, 1);
  cairo_paint(context.get());
  cairo_scale(context.get(), scale, scale);
  const RsvgRectangle whole{0, 0, width, height};
  if (rsvg_handle_render_document(handle.get(), context.get(), &whole, nullptr) == 0)
    return "librsvg cannot draw the picture";
  Sink passed{write, sink};
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface.get(), pass_on, &passed);
  return status == CAIRO_STATUS_SUCCESS ? nullptr : cairo_status_to_string(status);
}
