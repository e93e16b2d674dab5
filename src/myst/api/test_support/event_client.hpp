// A client of the event stream that waits for each step. For tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace myst::api::test_support {

class EventClient {
public:
    /// Connects with the token, and upgrades.
    explicit EventClient(std::uint16_t port);
    ~EventClient();
    EventClient(const EventClient&) = delete;
    EventClient& operator=(const EventClient&) = delete;

    /// The status with which the server has refused the upgrade; 101 if it has not.
    [[nodiscard]] unsigned status() const;
    void send(std::string_view text);
    void send_binary(std::string_view bytes);
    /// Follows the offers that match `filter`.
    void subscribe(std::string_view filter = "{}");
    /// The next message; empty: the server has closed, or the connection is lost.
    [[nodiscard]] std::string read();
    /// Reads to the end; the last message.
    [[nodiscard]] std::string read_to_end();
    /// Of the close frame; 0: there was none.
    [[nodiscard]] unsigned close_code() const;
    [[nodiscard]] std::string close_reason() const;
    /// Is gone without a word.
    void leave();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::api::test_support
