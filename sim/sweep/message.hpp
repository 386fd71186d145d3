#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sweep/rows.hpp"

namespace fathom::sweep {

// What ranks send each other, as bytes of this machine's layout: ranks are of one architecture.

/// Rank 0 to others: answer [begin, end); empty: go home.
struct Assignment {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
std::string encode(const Assignment& assignment);
Assignment decode_assignment(std::string_view bytes);

/// Others to rank 0: hello with their threads and inputs, an error, an answered block, goodbye.
struct Reply {
  std::size_t threads = 0;
  std::string identity;
  std::string error;
  bool goodbye = false;
};
std::string encode_hello(std::size_t threads, std::string_view identity);
std::string encode_error(std::string_view text);
std::string encode_goodbye();
std::string encode(const Block& block);
/// A block gives an empty reply.
Reply decode_reply(std::string_view bytes);
Block decode_block(std::string_view bytes);

}  // namespace fathom::sweep
