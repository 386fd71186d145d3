#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/document.hpp"
#include "study/report_spec.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// A report as a command line asks for it: a name or a file, and flags on top.
struct ReportFlags {
  std::string name;                                         // of a report, or a file
  std::vector<std::pair<std::string, std::string>> fields;  // key of the spec, text as typed
  std::vector<std::string> sets;                            // /json/pointer=value of anything
};

/// Adds one flag per field that several reports share, and --set.
void add_report_flags(CLI::App& command, ReportFlags& flags);

inline bool any(const ReportFlags& flags) { return !flags.fields.empty() || !flags.sets.empty(); }

/// Whether `name` is a report that has a spec in reports/; a file of that name goes before it.
bool is_report(std::string_view name);

struct NamedSpec {
  study::ReportSpec spec;
  std::string where;  // of it, for complaints
  std::vector<report::Input> inputs;
};

/// The spec that the flags describe. InputError as study::parse_report_spec.
NamedSpec resolve(const ReportFlags& flags);

}  // namespace fathom::cli
