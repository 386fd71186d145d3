#include "sweep/message.hpp"

#include <cstring>
#include <vector>

#include "core/error.hpp"

namespace fathom::sweep {
namespace {

enum class Tag : std::uint64_t { hello, error, block, goodbye };

class Writer {
 public:
  void number(std::uint64_t value) { raw(&value, sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    raw(value.data(), value.size());
  }
  template <class T>
  void list(const std::vector<T>& values) {
    number(values.size());
    raw(values.data(), values.size() * sizeof(T));
  }
  std::string done() { return std::move(out_); }

 private:
  void raw(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    return std::string(take(size));
  }
  template <class T>
  std::vector<T> list() {
    const std::uint64_t size = number();
    const std::string_view data = take(size * sizeof(T));
    std::vector<T> out(size);
    if (size > 0) std::memcpy(out.data(), data.data(), data.size());
    return out;
  }

 private:
  std::string_view take(std::size_t size) {
    FATHOM_EXPECT(size <= bytes_.size(), "a message between ranks is cut short");
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::string_view bytes_;
};

void put(Writer& out, Tag tag) { out.number(static_cast<std::uint64_t>(tag)); }

}  // namespace

std::string encode(const Assignment& assignment) {
  Writer out;
  out.number(static_cast<std::uint64_t>(assignment.begin));
  out.number(static_cast<std::uint64_t>(assignment.end));
  return out.done();
}

Assignment decode_assignment(std::string_view bytes) {
  Reader in(bytes);
  Assignment out;
  out.begin = static_cast<std::int64_t>(in.number());
  out.end = static_cast<std::int64_t>(in.number());
  return out;
}

std::string encode_hello(std::size_t threads, std::string_view identity) {
  Writer out;
  put(out, Tag::hello);
  out.number(threads);
  out.text(identity);
  return out.done();
}

std::string encode_error(std::string_view text) {
  Writer out;
  put(out, Tag::error);
  out.text(text);
  return out.done();
}

std::string encode_goodbye() {
  Writer out;
  put(out, Tag::goodbye);
  return out.done();
}

std::string encode(const Block& block) {
  Writer out;
  put(out, Tag::block);
  out.number(static_cast<std::uint64_t>(block.begin));
  out.number(static_cast<std::uint64_t>(block.end));
  out.list(block.numbers);
  out.list(block.inputs);
  out.list(block.results);
  out.list(block.reason);
  out.number(block.reasons.size());
  for (const std::string& reason : block.reasons) out.text(reason);
  return out.done();
}

Reply decode_reply(std::string_view bytes) {
  Reader in(bytes);
  Reply out;
  switch (static_cast<Tag>(in.number())) {
    case Tag::hello:
      out.threads = in.number();
      out.identity = in.text();
      break;
    case Tag::error:
      out.error = in.text();
      break;
    case Tag::goodbye:
      out.goodbye = true;
      break;
    case Tag::block:
      break;
  }
  return out;
}

Block decode_block(std::string_view bytes) {
  Reader in(bytes);
  in.number();  // the tag
  Block out;
  out.begin = static_cast<std::int64_t>(in.number());
  out.end = static_cast<std::int64_t>(in.number());
  out.numbers = in.list<std::int64_t>();
  out.inputs = in.list<double>();
  out.results = in.list<double>();
  out.reason = in.list<std::int32_t>();
  const std::uint64_t reasons = in.number();
  for (std::uint64_t i = 0; i < reasons; ++i) out.reasons.push_back(in.text());
  return out;
}

}  // namespace fathom::sweep
