#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sweep/axes.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {

/// The encoding that all values of one field share.
Encoding common_encoding(const std::vector<const nlohmann::json*>& values);

/// `value` as a number of a field's encoding; texts go into the dictionary. Nothing for a value of
/// another kind.
std::optional<double> encode(const nlohmann::json& value, Encoding encoding, TextDictionary& texts);

/// Index of the field of a pointer.
std::optional<std::int32_t> find_field(const Sweep& sweep, std::string_view pointer);

/// Adds fields for all pointers of the axes, each base's axes in numbers, and the bases' own
/// values. InputError for pointers that two axes of a base set, that contain one another, or that
/// set the phase.
void add_axes(const std::vector<AxisText>& axes, Sweep& sweep);

/// Adds the field of a pointer that points differ in, with the bases' own values in it. InputError
/// at `where` as add_axes().
std::int32_t add_pointer(const std::string& pointer, Encoding encoding, const std::string& where,
                         Sweep& sweep);

/// Adds one field as it is.
std::int32_t add_field(Field field, Sweep& sweep);

/// Sets `pointer` in a document to a field's value.
void patch(nlohmann::json& document, const Sweep& sweep, const Field& field, double value);

}  // namespace fathom::sweep
