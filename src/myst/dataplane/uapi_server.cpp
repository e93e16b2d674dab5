#include "myst/dataplane/uapi_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "myst/sys/os_error.hpp"
#include "myst/wireguard/uapi.hpp"

namespace myst::dataplane {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument, path + " is too long for a socket");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

bool somebody_listens(const sockaddr_un& address) {
    const sys::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Result<sys::Fd> listen_at(const std::string& path) {
    auto address = address_of(path);
    if (!address) return forward_error(address);
    if (somebody_listens(*address)) {
        return fail(ErrorCode::already_exists, "another program serves " + path, "end it, or choose another name");
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return sys::fail_errno("removing " + path, errno);
    sys::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener.valid()) return sys::fail_errno("opening a socket", errno);
    // Before `bind`, so that the file never has wider rights.
    if (::fchmod(listener.get(), 0600) != 0) return sys::fail_errno("closing a socket to others", errno);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        return sys::fail_errno("listening at " + path, errno, "run as root");
    }
    if (::chmod(path.c_str(), 0600) != 0 || ::listen(listener.get(), UapiServer::kMaxClients) != 0) {
        return sys::fail_errno("listening at " + path, errno);
    }
    return listener;
}

bool watch(int poll, int fd, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(poll, operation, fd, &event) == 0;
}

}  // namespace

Result<UapiServer> UapiServer::open(const std::string& interface, const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    if (error) return sys::fail_errno("making the folder " + folder, error.value(), "run as root");
    auto path = folder + "/" + interface + ".sock";
    auto listener = listen_at(path);
    if (!listener) return forward_error(listener);
    sys::Fd poll(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll.valid() || !watch(poll.get(), listener->get(), EPOLLIN, EPOLL_CTL_ADD)) {
        return sys::fail_errno("watching a socket", errno);
    }
    return UapiServer(std::move(poll), std::move(*listener), std::move(path));
}

UapiServer::UapiServer(sys::Fd poll, sys::Fd listener, std::string path)
    : poll_(std::move(poll)), listener_(std::move(listener)), path_(std::move(path)) {}

UapiServer::~UapiServer() {
    if (listener_.valid()) ::unlink(path_.c_str());
}

void UapiServer::serve(const Handler& handler) {
    accept_clients();
    for (auto& client : clients_) attend(client, handler);
    std::erase_if(clients_, [](const Client& client) { return client.failed; });
}

void UapiServer::accept_clients() {
    for (;;) {
        sys::Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket.valid()) return;
        if (clients_.size() >= kMaxClients) clients_.erase(clients_.begin());
        if (watch(poll_.get(), socket.get(), EPOLLIN | EPOLLRDHUP, EPOLL_CTL_ADD)) {
            clients_.push_back({std::move(socket), {}, {}, 0, false});
        }
    }
}

void UapiServer::attend(Client& client, const Handler& handler) {
    if (client.answer.empty()) read_request(client, handler);
    if (!client.answer.empty()) write_answer(client);
}

void UapiServer::read_request(Client& client, const Handler& handler) {
    std::array<char, 16'384> buffer{};
    for (;;) {
        const auto size = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (size <= 0 || client.request.size() + static_cast<std::size_t>(size) > wireguard::kMaxUapiRequest) {
            client.failed = true;
            break;
        }
        client.request.append({buffer.data(), static_cast<std::size_t>(size)});
        if (client.request.view().ends_with("\n\n")) {
            client.answer = handler(client.request.view());
            break;
        }
    }
    secure_wipe({reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()});
    if (client.failed || !client.answer.empty()) client.request.clear();
}

void UapiServer::write_answer(Client& client) {
    const auto rest = client.answer.view().substr(client.sent);
    const auto size = ::send(client.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) client.failed = true;
    if (size > 0) client.sent += static_cast<std::size_t>(size);
    if (client.sent == client.answer.size()) {
        client.answer.clear();
        client.sent = 0;
    }
    const bool more = !client.answer.empty() && !client.failed;
    std::ignore = watch(poll_.get(), client.socket.get(), more ? EPOLLOUT : EPOLLIN | EPOLLRDHUP, EPOLL_CTL_MOD);
}

}  // namespace myst::dataplane
