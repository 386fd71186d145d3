#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "study/library.hpp"

namespace fathom::whatif {

/// Sets one field of a scenario document, creating the objects on the way. The other spelling of
/// the same quantity goes: "sequences" for "sequences_per_gpu". InputError at `where` when the
/// pointer leads through something that is no object.
void set_field(nlohmann::json& scenario, const std::string& pointer, nlohmann::json value,
               std::string_view where);

/// {"scenario": {…}, "set": {"/json/pointer": value, …}}: what `fathom estimate --set
/// /json/pointer=value … --format json` says (estimate_json()), or {"error": "file.json#/pointer:
/// …"} for what it refuses. The same function answers on the command line and, compiled to
/// WebAssembly, in a page. Models and machines are read once into `library`.
std::string what_if(std::string_view request, study::Library& library);

}  // namespace fathom::whatif
