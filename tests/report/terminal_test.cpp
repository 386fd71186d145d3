#include "report/terminal.hpp"

#include <sstream>

#include "catch.hpp"
#include "report/text.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("terminal tables line up by what is drawn", "[report][terminal]") {
  const Table table{.columns = {text_column("op"), number_column("time", "µs")},
                    .rows = {{"a × b", 1.5}, {"longer name", 1234.5}}};
  CHECK(render_terminal(table) ==
        "op           time µs\n"
        "a × b           1.50\n"
        "longer name     1230\n");
}

TEST_CASE("marks are visible without colour", "[report][terminal]") {
  const std::string text = render_terminal(sample_table());
  CHECK(contains(text, "0.333<"));
  CHECK(contains(text, "0.100*"));
  CHECK(contains(text, "* best   < bound"));
}

TEST_CASE("colour appears only when asked for", "[report][terminal]") {
  CHECK_FALSE(contains(render_terminal(sample_document()), "\x1b"));
  CHECK(contains(render_terminal(sample_document(), {.colour = true}), "\x1b[1m"));
}

TEST_CASE("a name cannot smuggle an escape sequence to the terminal", "[report][terminal]") {
  const Table table{.columns = {text_column("model")}, .rows = {{"\x1b[2Jgone"}}};
  CHECK_FALSE(contains(render_terminal(table), "\x1b"));
}

TEST_CASE("prose wraps at the width, tables keep theirs", "[report][terminal]") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "word ";
  std::istringstream lines(render_terminal({.blocks = {Paragraph{text}}}, {.width = 30}));
  for (std::string line; std::getline(lines, line);) CHECK(display_width(line) <= 30);
}
