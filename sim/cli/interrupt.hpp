#pragma once

#include <stop_token>

namespace fathom::cli {

/// A token that Ctrl-C (SIGINT) and SIGTERM stop, once per process: long commands keep what they
/// have, mark it and end. A second signal, half a second later or more, ends the program at once.
std::stop_token stop_on_interrupt();

}  // namespace fathom::cli
