#include "study/growth.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

constexpr std::array<std::string_view, 3> kEvery{"month", "quarter", "year"};

}  // namespace

std::string_view name(Growth::Every every) { return kEvery[static_cast<std::size_t>(every)]; }

Growth read_growth(JsonReader in) {
  Growth g;
  g.factor = in.number("factor", 0.01, 1000.0);
  g.every = static_cast<Growth::Every>(in.choice_or("every", kEvery, 1));
  g.periods = in.integer("periods", 1, 100);
  in.finish();
  return g;
}

nlohmann::json to_json(const Growth& g) {
  return {{"factor", g.factor}, {"every", name(g.every)}, {"periods", g.periods}};
}

}  // namespace fathom::study
