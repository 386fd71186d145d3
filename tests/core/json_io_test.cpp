#include "core/json_io.hpp"

#include <sys/stat.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "core/error.hpp"
#include "input_error.hpp"
#include "temp_dir.hpp"

namespace fathom {
namespace {

using test::message_of;
using test::TempDir;

std::string complaint(std::string_view text) {
  return message_of([&] { parse_json(text, "s.json"); });
}

TEST_CASE("a document reads back as it was dumped", "[core][json_io]") {
  const auto text = R"({"b":[1,2.5,null,true],"a":{"c":"µ\n"},"d":1e-7})";
  const auto value = parse_json(text, "s.json");
  CHECK(parse_json(dump_json(value), "s.json") == value);
}

TEST_CASE("canonical text has sorted keys, two spaces and a final newline", "[core][json_io]") {
  const auto value = parse_json(R"({"b":0.1,"a":[1]})", "s.json");
  CHECK(dump_json(value) == "{\n  \"a\": [\n    1\n  ],\n  \"b\": 0.1\n}\n");
}

TEST_CASE("a NaN in a result is our mistake", "[core][json_io]") {
  const nlohmann::json value{{"x", {1.0, std::numeric_limits<double>::quiet_NaN()}}};
  CHECK_THROWS_AS(dump_json(value), BugError);
}

TEST_CASE("a wrong character is named with its line and column", "[core][json_io]") {
  CHECK(complaint("{\n  \"a\": 1,\n  \"b\" x\n}") ==
        "s.json: line 3, column 7: expected ':', found 'x'");
  CHECK(complaint("{\"a\": 1 \"b\": 2}") ==
        "s.json: line 1, column 9: expected ',' or '}', found '\"'");
  CHECK(complaint("[1 2]") == "s.json: line 1, column 4: expected ',' or ']', found '2'");
  CHECK(complaint("[1,]") == "s.json: line 1, column 4: expected a JSON value, found ']'");
  CHECK(complaint("{\"a\":1,}") == "s.json: line 1, column 8: expected a key in quotes, found '}'");
}

TEST_CASE("columns count characters, not bytes", "[core][json_io]") {
  CHECK(complaint("[\"µµ\" x]") == "s.json: line 1, column 7: expected ',' or ']', found 'x'");
}

TEST_CASE("a truncated file is said to end too early", "[core][json_io]") {
  CHECK(complaint("{\"a\": [1, 2") ==
        "s.json: line 1, column 12: expected ',' or ']', found the end of the file");
  CHECK(complaint("{\"a\": \"xy") ==
        "s.json: line 1, column 7: string without its closing '\"', found the end of the file");
  CHECK(complaint("{\"a\":") ==
        "s.json: line 1, column 6: expected a JSON value, found the end of the file");
}

TEST_CASE("every prefix of a document is refused", "[core][json_io][property]") {
  const std::string text = R"({"a": [1, -2.5e3, "x\u00b5"], "b": {"c": true, "d": null}})";
  for (std::size_t length = 0; length < text.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_AS(parse_json(text.substr(0, length), "s.json"), InputError);
  }
}

TEST_CASE("an empty file is not a document", "[core][json_io]") {
  CHECK(complaint("") == "s.json: empty; expected a JSON value");
  CHECK(complaint(" \n") == "s.json: empty; expected a JSON value");
}

TEST_CASE("text after the value is refused", "[core][json_io]") {
  CHECK(complaint("{} {}") == "s.json: line 1, column 4: expected the end of the file, found '{'");
}

TEST_CASE("NaN, Infinity, hexadecimal and leading zeros are not JSON numbers", "[core][json_io]") {
  CHECK(complaint("NaN") == "s.json: line 1, column 1: expected a JSON value, found 'NaN'");
  CHECK(complaint("-Infinity") == "s.json: line 1, column 2: expected a digit, found 'Infinity'");
  CHECK(complaint("0x10") == "s.json: line 1, column 2: expected the end of the file, found 'x10'");
  CHECK(complaint("010") ==
        "s.json: line 1, column 1: found a number with a leading 0, expected none");
  CHECK(complaint("1.") == "s.json: line 1, column 3: expected a digit, found the end of the file");
}

TEST_CASE("a number that overflows a double is refused and one that underflows is not",
          "[core][json_io]") {
  CHECK(complaint("[1e400]") ==
        "s.json: line 1, column 2: found 1e400, expected a number below 1.8e308");
  CHECK(complaint("[-1e400]") ==
        "s.json: line 1, column 2: found -1e400, expected a number below 1.8e308");
  CHECK(parse_json("1e-400", "s.json").get<double>() == 0.0);
}

TEST_CASE("bytes that are not UTF-8 are named by offset", "[core][json_io]") {
  CHECK(complaint("{\"a\": \"\xFF\"}") ==
        "s.json: byte 7 (0xff) is not UTF-8; expected UTF-8 text");
}

TEST_CASE("a byte order mark is skipped", "[core][json_io]") {
  CHECK(parse_json("\xEF\xBB\xBF[1]", "s.json").size() == 1);
}

TEST_CASE("control characters and bad escapes in strings are refused", "[core][json_io]") {
  CHECK(complaint("\"a\tb\"") ==
        "s.json: line 1, column 3: found '\\x09' in a string, expected it as \\u0009");
  CHECK(complaint("\"a\nb\"") ==
        "s.json: line 1, column 3: expected '\"' before the end of the line");
  CHECK_THROWS_AS(parse_json(R"("\x41")", "s.json"), InputError);
  CHECK_THROWS_AS(parse_json(R"("\u12g4")", "s.json"), InputError);
  CHECK_THROWS_AS(parse_json(R"("\ud800")", "s.json"), InputError);
  CHECK_THROWS_AS(parse_json(R"("\udc00")", "s.json"), InputError);
  CHECK(parse_json(R"("\ud83d\ude42")", "s.json") == "🙂");
}

TEST_CASE("a key that appears twice is named", "[core][json_io]") {
  CHECK(complaint("{\"tp\": 1,\n \"tp\": 2}") ==
        "s.json: line 2, column 2: key 'tp' appears twice in one object; expected it once");
  CHECK(complaint(R"({"a": 1, "\u0061": 2})") ==
        "s.json: line 1, column 10: key 'a' appears twice in one object; expected it once");
  CHECK(complaint(R"([{"a": 1}, {"a": {"a": 2}}])") == "no error");
}

TEST_CASE("64 levels are read and 65 refused", "[core][json_io]") {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(complaint(nested(64)) == "no error");
  CHECK(complaint(nested(65)) ==
        "s.json: line 1, column 65: nested too deep; expected at most 64 levels");
}

TEST_CASE("a million open brackets do not overflow the stack", "[core][json_io]") {
  CHECK_THROWS_AS(parse_json(std::string(1000000, '['), "s.json"), InputError);
}

TEST_CASE("a message stays on one line and prints no control characters", "[core][json_io]") {
  for (const std::string_view text : {"\x01", "[1\x1b[31m]", "{\"a\n\": 1}", "\"a\\\n\""}) {
    const auto message = complaint(text);
    CHECK(message.find_first_of("\n\x1b\x01") == std::string::npos);
    CHECK(message.find("json.exception") == std::string::npos);
  }
}

TEST_CASE("a missing file is named", "[core][json_io]") {
  const TempDir dir;
  const auto path = dir / "none.json";
  CHECK(message_of([&] { read_json(path); }) == path.string() + ": no such file");
}

TEST_CASE("a directory is not a file", "[core][json_io]") {
  const TempDir dir;
  CHECK(message_of([&] { read_json(dir.path()); }) ==
        dir.path().string() + ": is a directory; expected a file");
}

TEST_CASE("a file above 16 MiB is refused by its size", "[core][json_io]") {
  const TempDir dir;
  const auto path = dir.file("big.json", "[]");
  // Sparse: if it were read, the complaint would be about the zero bytes in it.
  std::filesystem::resize_file(path, kMaxJsonBytes + 1024 * 1024);
  CHECK(message_of([&] { read_json(path); }) ==
        path.string() + ": 17.0 MiB; expected at most 16.0 MiB");
}

TEST_CASE("a source without an end is cut off at the limit", "[core][json_io]") {
  CHECK(message_of([] { read_text("/dev/zero", 1000); }) ==
        "/dev/zero: larger than allowed; expected at most 1000 B");
}

TEST_CASE("the hash is FNV-1a with 64 bits", "[core][json_io]") {
  // The offset basis, and the published value for "a" (draft-eastlake-fnv, appendix C).
  CHECK(content_hash("") == "cbf29ce484222325");
  CHECK(content_hash("a") == "af63dc4c8601ec8c");
}

}  // namespace
}  // namespace fathom
