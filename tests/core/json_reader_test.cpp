#include "core/json_reader.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "input_error.hpp"

namespace fathom {
namespace {

using test::message_of;

/// What an action on {"v": <text>} complains about.
template <class Action>
std::string complaint(std::string_view text, const Action& action) {
  const auto document = parse_json(R"({"plan": {"v": )" + std::string{text} + "}}", "s.json");
  JsonReader in{document, "s.json#"};
  auto plan = in.object("plan");
  return message_of([&] { action(plan); });
}

const auto kCount = [](JsonReader& in) { in.integer("v", 1); };

TEST_CASE("a value of the wrong type is shown with its type", "[core][json_reader]") {
  CHECK(complaint("\"8\"", kCount) ==
        "s.json#/plan/v: found \"8\" (string), expected an integer >= 1");
  CHECK(complaint("true", kCount) == "s.json#/plan/v: found true, expected an integer >= 1");
  CHECK(complaint("null", kCount) == "s.json#/plan/v: found null, expected an integer >= 1");
  CHECK(complaint("[8]", kCount) == "s.json#/plan/v: found an array, expected an integer >= 1");
  CHECK(complaint("{}", kCount) == "s.json#/plan/v: found an object, expected an integer >= 1");
}

TEST_CASE("an integer out of range is refused", "[core][json_reader]") {
  CHECK(complaint("-3", kCount) == "s.json#/plan/v: found -3, expected an integer >= 1");
  CHECK(complaint("9", [](JsonReader& in) { in.integer("v", 1, 8); }) ==
        "s.json#/plan/v: found 9, expected an integer from 1 to 8");
}

TEST_CASE("a float is an integer only when it is integral", "[core][json_reader]") {
  const auto document = parse_json(R"({"v": 8.0, "e": 1e3})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK(in.integer("v") == 8);
  CHECK(in.integer("e") == 1000);
  CHECK(complaint("8.5", kCount) == "s.json#/plan/v: found 8.5, expected an integer >= 1");
}

TEST_CASE("integers that a double cannot hold exactly are refused", "[core][json_reader]") {
  CHECK(complaint("9007199254740994.0", kCount) != "no error");
  CHECK(complaint("1e300", kCount) != "no error");
  CHECK(complaint("18446744073709551615", kCount) != "no error");
  CHECK(complaint("9007199254740992", kCount) == "no error");
}

TEST_CASE("numbers accept integers and keep their bounds", "[core][json_reader]") {
  const auto document = parse_json(R"({"v": 1})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK(in.number("v", 0.0, 1.0) == 1.0);
  CHECK(complaint("1.5", [](JsonReader& r) { r.number("v", 0.0, 1.0); }) ==
        "s.json#/plan/v: found 1.5, expected a number from 0 to 1");
  CHECK(complaint("\"x\"", [](JsonReader& r) { r.number("v", 0.0, INFINITY); }) ==
        "s.json#/plan/v: found \"x\" (string), expected a number >= 0");
}

TEST_CASE("booleans and strings are not converted", "[core][json_reader]") {
  CHECK(complaint("1", [](JsonReader& in) { in.boolean("v"); }) ==
        "s.json#/plan/v: found 1, expected true or false");
  CHECK(complaint("1", [](JsonReader& in) { in.string("v"); }) ==
        "s.json#/plan/v: found 1, expected a string");
}

TEST_CASE("a missing key is named with what it should hold", "[core][json_reader]") {
  CHECK(complaint("1", [](JsonReader& in) { in.integer("tp", 1); }) ==
        "s.json#/plan: missing key 'tp'; expected an integer >= 1");
}

TEST_CASE("a missing key points at the unread key nearest to it", "[core][json_reader]") {
  const auto document = parse_json(R"({"kv_lora_rnak": 512})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK(message_of([&] { in.integer("kv_lora_rank", 1); }) ==
        "s.json#: missing key 'kv_lora_rank'; expected an integer >= 1; "
        "the nearest there is 'kv_lora_rnak'");
}

TEST_CASE("fallbacks serve absent and null keys and still check what is there",
          "[core][json_reader]") {
  const auto document = parse_json(R"({"n": null, "bad": -1})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK(in.integer_or("none", 7) == 7);
  CHECK(in.integer_or("n", 7) == 7);
  CHECK(in.number_or("n", 0.5, 0, 1) == 0.5);
  CHECK(in.boolean_or("n", true));
  CHECK(in.string_or("n", "x") == "x");
  CHECK(in.dtype_or("n", Dtype::fp8) == Dtype::fp8);
  CHECK(in.has_null("n"));
  CHECK_FALSE(in.has("n"));
  CHECK_THROWS_AS(in.integer_or("bad", 7), InputError);
}

TEST_CASE("a key nobody asked for is an error with the nearest known one", "[core][json_reader]") {
  const auto document = parse_json(R"({"tp": 8, "ttp": 8})", "s.json");
  JsonReader in{document, "s.json#/plan"};
  in.integer("tp");
  CHECK(message_of([&] { in.finish(); }) == "s.json#/plan: unknown key 'ttp'; did you mean 'tp'?");
  CHECK(in.unasked() == std::vector<std::string>{"ttp"});
  in.ignore("ttp");
  CHECK(message_of([&] { in.finish(); }) == "no error");
}

TEST_CASE("an optional key that is absent is still known", "[core][json_reader]") {
  const auto document = parse_json(R"({"pq": 8})", "s.json");
  JsonReader in{document, "s.json#"};
  in.integer_or("pp", 1);
  CHECK(message_of([&] { in.finish(); }) == "s.json#: unknown key 'pq'; did you mean 'pp'?");
}

TEST_CASE("a choice is answered with the nearest of its values", "[core][json_reader]") {
  static constexpr std::array<std::string_view, 2> kPhases{"prefill", "decode"};
  const auto phase = [](JsonReader& in) { in.choice("v", kPhases); };
  CHECK(complaint("\"decode\"", phase) == "no error");
  CHECK(complaint("\"decod\"", phase) ==
        "s.json#/plan/v: found \"decod\" (string), expected one of 'prefill', 'decode'; "
        "did you mean 'decode'?");
  CHECK(complaint("3", phase) == "s.json#/plan/v: found 3, expected one of 'prefill', 'decode'");
}

TEST_CASE("a dtype is parsed by name", "[core][json_reader]") {
  const auto document = parse_json(R"({"d": "mxfp4", "bad": 8})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK(in.dtype_or("d", Dtype::bf16) == Dtype::mxfp4);
  CHECK_THROWS_AS(in.dtype_or("bad", Dtype::bf16), InputError);
}

TEST_CASE("an array element is named by its index", "[core][json_reader]") {
  CHECK(complaint("[1, -2]", [](JsonReader& in) { in.integers("v"); }) ==
        "s.json#/plan/v/1: found -2, expected an integer >= 0");
  CHECK(complaint("[\"a\", 2]", [](JsonReader& in) { in.strings("v"); }) ==
        "s.json#/plan/v/1: found 2, expected a string");
  CHECK(complaint("[{}, 2]", [](JsonReader& in) { in.objects("v"); }) ==
        "s.json#/plan/v/1: found 2, expected an object");
  CHECK(complaint("7", [](JsonReader& in) { in.integers("v"); }) ==
        "s.json#/plan/v: found 7, expected an array of integers");
}

TEST_CASE("an object that is none is refused", "[core][json_reader]") {
  CHECK(complaint("[]", [](JsonReader& in) { in.object("v"); }) ==
        "s.json#/plan/v: found an array, expected an object");
  CHECK(message_of([] {
          const auto document = parse_json("[]", "s.json");
          JsonReader{document, "s.json#"};
        }) == "s.json#: found an array, expected an object");
}

TEST_CASE("an optional object may be absent or null", "[core][json_reader]") {
  const auto document = parse_json(R"({"n": null, "o": {"x": 1}})", "s.json");
  JsonReader in{document, "s.json#"};
  CHECK_FALSE(in.object_opt("n"));
  CHECK_FALSE(in.object_opt("none"));
  CHECK(in.object_opt("o")->integer("x") == 1);
}

TEST_CASE("slashes and tildes in keys are escaped in pointers", "[core][json_reader]") {
  const auto document = parse_json("{}", "s.json");
  const JsonReader in{document, "s.json#"};
  CHECK(in.at("a/b~c") == "s.json#/a~1b~0c");
}

TEST_CASE("a hostile key cannot write to the terminal", "[core][json_reader]") {
  const auto document = parse_json(R"({"\u001b[2J\u0085": 1})", "s.json");
  const JsonReader in{document, "s.json#"};
  CHECK(message_of([&] { in.finish(); }) ==
        "s.json#: unknown key '\\x1b[2J\\xc2\\x85'; expected none");
}

}  // namespace
}  // namespace fathom
