#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::sweep {

/// The processes of one sweep, on one machine or many. Rank 0 hands out points and writes; the
/// others answer. Messages between two ranks arrive in the order of sending.
class Peers {
 public:
  virtual ~Peers() = default;
  virtual int rank() const = 0;
  virtual int ranks() const = 0;

  struct Message {
    int from = 0;
    std::string bytes;
  };
  virtual void send(int to, std::string_view bytes) = 0;
  /// A message that has arrived, if one has.
  virtual std::optional<Message> poll() = 0;
};

}  // namespace fathom::sweep
