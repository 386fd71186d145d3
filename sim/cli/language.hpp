#pragma once

#include "lang/language.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// The language of help and documents: --lang, else $FATHOM_LANG, else English. English too where
/// the answer is data (--format json, csv or jsonl; explain) or the verb writes data (sweep, merge,
/// calibrate), since those have no language. InputError for a language there is none of.
lang::Language language_of(int argc, char** argv);

/// Adds --lang to the program or a verb: language_of() has read it before the options are declared.
void add_language_option(CLI::App& command);

/// Columns of the help that are aligned by what a terminal draws; before the verbs are added.
void align_help(CLI::App& app);

/// Every description, heading and note of the help in the language spoken; names and commands stay.
/// To be called when help is printed and not before: what completions and manual pages know of an
/// option they read from its English description.
void turn_help(CLI::App& app);

}  // namespace fathom::cli
