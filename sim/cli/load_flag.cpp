#include "cli/load_flag.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_io.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

bool is_number(const std::string& text) {
  return text.find_first_of("0123456789") != std::string::npos &&
         text.find_first_not_of("+-.0123456789eE") == std::string::npos;
}

json field_value(const std::string& text, const std::string& where) {
  if (text == "true" || text == "false") return json::parse(text);
  return is_number(text) ? parse_json(text, where) : json(text);
}

}  // namespace

json expert_load_value(const std::string& text, const std::string& where) {
  if (text.empty() || text[0] == '{' || is_number(text)) return parse_json(text, where);
  json out = json::object();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string field = text.substr(begin, end - begin);
    const std::size_t equals = std::min(field.find('='), field.size());
    const bool alone = equals == field.size();
    out[field.substr(0, equals)] =
        alone ? json(true) : field_value(field.substr(equals + 1), where);
    begin = end + 1;
  }
  return out;
}

}  // namespace fathom::cli
