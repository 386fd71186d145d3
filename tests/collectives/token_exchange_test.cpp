#include "collectives/token_exchange.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "catch.hpp"

using namespace fathom::collectives;

namespace {

// Rows of `routing` for one destination, as (token, experts) pairs in order.
std::vector<std::pair<int, int>> rows_to(const Routing& routing, int rank) {
  int first = 0;
  for (int r = 0; r < rank; ++r) first += routing.rows[static_cast<std::size_t>(r)];
  std::vector<std::pair<int, int>> out;
  for (int i = first; i < first + routing.rows[static_cast<std::size_t>(rank)]; ++i)
    out.emplace_back(routing.token[static_cast<std::size_t>(i)],
                     routing.experts[static_cast<std::size_t>(i)]);
  return out;
}

}  // namespace

TEST_CASE("a token is sent once to every rank that holds one of its experts", "[collectives]") {
  const int ranks = GENERATE(2, 3, 8);
  const TokenShape shape{.tokens = 200};
  const Routing routing = draw_routing(shape, ranks, 1, 7);
  std::map<int, int> experts_of_token;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto rows = rows_to(routing, rank);
    std::set<int> tokens;
    for (const auto& [token, experts] : rows) {
      CHECK(experts >= 1);
      tokens.insert(token);
      experts_of_token[token] += experts;
    }
    CHECK(tokens.size() == rows.size());
    CHECK(std::is_sorted(rows.begin(), rows.end()));
  }
  REQUIRE(experts_of_token.size() == 200);
  for (const auto& [token, experts] : experts_of_token) CHECK(experts == 8);
}

TEST_CASE("as many ranks receive a token as distinct draws reach on average", "[collectives]") {
  // Of 256 experts on 4 ranks, eight distinct ones miss a given rank with C(192,8) / C(256,8).
  double miss = 1.0;
  for (int i = 0; i < 8; ++i) miss *= (192.0 - i) / (256.0 - i);
  const Routing routing = draw_routing({.tokens = 4096}, 4, 0, 1);
  const double copies = static_cast<double>(routing.token.size()) / 4096.0;
  // The standard error of 4096 tokens is below 0.01 ranks.
  CHECK(copies == Approx(4.0 * (1.0 - miss)).margin(0.05));
}

TEST_CASE("what arrives at a rank is what the others send it, by source", "[collectives]") {
  const TokenShape shape{.tokens = 33};
  const int ranks = 3;
  for (int rank = 0; rank < ranks; ++rank) {
    const std::vector<Arrival> all = arrivals(shape, ranks, rank, 5);
    std::size_t at = 0;
    for (int source = 0; source < ranks; ++source)
      for (const auto& [token, experts] : rows_to(draw_routing(shape, ranks, source, 5), rank)) {
        REQUIRE(at < all.size());
        CHECK(all[at].source == source);
        CHECK(all[at].token == token);
        CHECK(all[at].experts == experts);
        ++at;
      }
    CHECK(at == all.size());
  }
}
