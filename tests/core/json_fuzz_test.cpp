#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"

namespace fathom {
namespace {

constexpr std::string_view kDocument = R"({
  "name": "deepseek-v3 \u00b5\n", "plan": {"tp": 8, "ep": 256, "zero": null, "tpot_ms": 41.8},
  "layers": [{"kind": "mla", "heads": 128}, {"kind": "moe", "experts": 256}],
  "rates": [1, -2.5e3, 0.1, 1e-300], "flags": [true, false]
})";

/// Reads the document the way a loader does.
void load(std::string_view text) {
  const auto document = parse_json(text, "fuzz.json");
  JsonReader in{document, "fuzz.json#"};
  in.string("name");
  auto plan = in.object("plan");
  plan.integer("tp", 1);
  plan.integer_or("ep", 1, 1, 1024);
  plan.integer_or("zero", 0);
  plan.seconds_opt("tpot");
  plan.finish();
  for (auto& layer : in.objects("layers")) layer.string("kind");
  in.raw("rates");
  in.ignore("flags");
  in.finish();
}

std::string mutated(std::mt19937_64& engine) {
  // Bytes that matter to the grammar come up often enough to reach deep into it.
  static constexpr std::string_view kTelling = "{}[]\",:\\0123456789.eE+-tfnu\n\xFF\xC2";
  std::string text{kDocument};
  const auto edits = 1 + engine() % 4;
  for (std::uint64_t i = 0; i < edits && !text.empty(); ++i) {
    const std::size_t at = engine() % text.size();
    const bool telling = engine() % 4 != 0;
    const char byte =
        telling ? kTelling[engine() % kTelling.size()] : static_cast<char>(engine() % 256);
    switch (engine() % 4) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      case 2:
        text.erase(at, 1 + engine() % 8);
        break;
      default:
        text.insert(at, text.substr(engine() % text.size(), engine() % 32));
        break;
    }
  }
  return text;
}

TEST_CASE("the unmutated document loads", "[core][fuzz]") { CHECK_NOTHROW(load(kDocument)); }

TEST_CASE("any damaged document loads or is refused in one line", "[core][fuzz][property]") {
  std::mt19937_64 engine{20240519};
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::string text = mutated(engine);
    try {
      load(text);
    } catch (const InputError& error) {
      ++refused;
      const std::string message = error.what();
      CAPTURE(message);
      REQUIRE(message.starts_with("fuzz.json"));
      REQUIRE(message.find('\n') == std::string::npos);
      REQUIRE(message.size() < 400);
    }
  }
  // Most damage is not harmless: a reader that accepts everything is no reader.
  CHECK(refused > 1000);
}

TEST_CASE("what the checker accepts the library accepts, and the reverse",
          "[core][fuzz][property]") {
  std::mt19937_64 engine{20241226};
  for (int round = 0; round < 2000; ++round) {
    const std::string text = mutated(engine);
    const bool library = !nlohmann::json::parse(text, nullptr, false).is_discarded();
    std::string message;
    try {
      parse_json(text, "fuzz.json");
    } catch (const InputError& error) {
      message = error.what();
    }
    // Duplicate keys are the one thing we refuse and the library lets through; whether the rest
    // of such a text is right stays open.
    if (message.find("appears twice") != std::string::npos) continue;
    CAPTURE(text, message);
    REQUIRE(message.empty() == library);
  }
}

}  // namespace
}  // namespace fathom
