// The ranks of a sweep through Boost.MPI. Only the thread that starts it may use it.

#include <boost/mpi/communicator.hpp>
#include <boost/mpi/environment.hpp>

#include "sweep/mpi/module.hpp"

namespace {

constexpr int kTag = 1;

class MpiPeers final : public fathom::sweep::Peers {
 public:
  MpiPeers() : environment_(boost::mpi::threading::funneled, /*abort_on_exception=*/true) {}

  int rank() const override { return world_.rank(); }
  int ranks() const override { return world_.size(); }

  void send(int to, std::string_view bytes) override {
    world_.send(to, kTag, bytes.data(), static_cast<int>(bytes.size()));
  }

  std::optional<Message> poll() override {
    const auto status = world_.iprobe(boost::mpi::any_source, kTag);
    if (!status) return std::nullopt;
    Message message{.from = status->source()};
    message.bytes.resize(static_cast<std::size_t>(status->count<char>().value_or(0)));
    world_.recv(message.from, kTag, message.bytes.data(), static_cast<int>(message.bytes.size()));
    return message;
  }

 private:
  boost::mpi::environment environment_;
  boost::mpi::communicator world_;
};

}  // namespace

fathom::sweep::Peers* fathom_sweep_peers() { return new MpiPeers; }
