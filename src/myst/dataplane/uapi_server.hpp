// Where `wg` finds an interface: a Unix socket on which it sends requests of the text protocol.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "myst/base/error.hpp"
#include "myst/base/secret_text.hpp"
#include "myst/sys/fd.hpp"

namespace myst::dataplane {

/// Serves a few clients at a time without blocking; one more drops the one that has been there longest. One thread.
class UapiServer {
public:
    static constexpr const char* kFolder = "/var/run/wireguard";
    static constexpr std::size_t kMaxClients = 16;
    /// Answers one whole request.
    using Handler = std::function<SecretText(std::string_view)>;

    /// Listens at "<folder>/<interface>.sock", for its owner only. A socket that nobody listens at any more is
    /// replaced; already_exists if somebody does.
    [[nodiscard]] static Result<UapiServer> open(const std::string& interface, const std::string& folder = kFolder);
    UapiServer(UapiServer&& other) noexcept = default;
    UapiServer& operator=(UapiServer&&) = delete;
    /// Removes the socket.
    ~UapiServer();

    /// Readable when there is something to do.
    [[nodiscard]] int descriptor() const { return poll_.get(); }
    /// Does what can be done now.
    void serve(const Handler& handler);

private:
    struct Client {
        sys::Fd socket;
        SecretText request;
        SecretText answer;
        std::size_t sent = 0;  ///< of the answer
        bool failed = false;
    };
    UapiServer(sys::Fd poll, sys::Fd listener, std::string path);
    void accept_clients();
    void attend(Client& client, const Handler& handler);
    void read_request(Client& client, const Handler& handler);
    void write_answer(Client& client);

    sys::Fd poll_;
    sys::Fd listener_;
    std::string path_;
    std::vector<Client> clients_;  ///< the longest known first
};

}  // namespace myst::dataplane
