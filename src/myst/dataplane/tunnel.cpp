#include "myst/dataplane/tunnel.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "myst/base/check.hpp"
#include "myst/base/log.hpp"
#include "myst/dataplane/tun_writer.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::dataplane {
namespace {

// Each buffer begins at a cache line.
constexpr std::size_t kMemory = Sealer::kMemory + Outgoing::kMemory + Incoming::kMemory + 3 * std::size_t{64};
/// Of messages that are no data: one computation, which takes as long as hundreds of packets, or 8 cookies.
constexpr std::uint64_t kHandshakeWorkPerTurn = 128;
constexpr milliseconds kShortestWait{5};       ///< timers need not be more exact
constexpr std::size_t kTurnsBetweenLooks = 4;  ///< at other descriptors than those of packets
constexpr milliseconds kLongestWait{1'000};

wireguard::Now now() {
    return {std::chrono::steady_clock::now(),
            std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now())};
}

sys::UdpOptions options_of(const Offloads& offloads) {
    sys::UdpOptions options;
    options.segment_out = offloads.udp_out;
    options.segment_in = offloads.udp_in;
    options.equal_tail = offloads.equal_tail;
    return options;
}

sys::TunOffloads tun_offloads_of(const Offloads& offloads) {
    return {offloads.tun, offloads.tun && offloads.tun_tcp, offloads.tun && offloads.tun_udp};
}

wireguard::CoalesceSettings joining_for(sys::TunDevice& tun) {
    return probe_joining({tun.offloads().tcp_segments, tun.offloads().udp_segments},
                         [&tun](std::span<const iovec> parts) { return tun.write(parts); });
}

}  // namespace

Result<std::unique_ptr<Tunnel>> Tunnel::create(const Settings& settings, Rng& rng,
                                               std::unique_ptr<wireguard::Aead> aead) {
    auto tun = sys::TunDevice::create(settings.name, tun_offloads_of(settings.offloads));
    if (!tun) return forward_error(tun);
    auto mtu = sys::MtuWatch::open(tun->fd());
    if (!mtu) return forward_error(mtu);
    auto link = UdpLink::open(0, options_of(settings.offloads));
    if (!link) return forward_error(link);
    std::optional<UapiServer> uapi;
    if (!settings.uapi_folder.empty()) {
        auto opened = UapiServer::open(tun->name(), settings.uapi_folder);
        if (!opened) return forward_error(opened);
        uapi.emplace(std::move(*opened));
    }
    return std::unique_ptr<Tunnel>(new Tunnel(std::move(*tun), std::move(*mtu), std::move(*link), std::move(uapi),
                                              settings, rng, std::move(aead)));
}

Tunnel::Tunnel(sys::TunDevice tun, sys::MtuWatch mtu, UdpLink link, std::optional<UapiServer> uapi,
               const Settings& settings, Rng& rng, std::unique_ptr<wireguard::Aead> aead)
    : offloads_(settings.offloads),
      tun_(std::move(tun)),
      mtu_(std::move(mtu)),
      link_(std::move(link)),
      uapi_(std::move(uapi)),
      aead_(std::move(aead)),
      device_(rng),
      wanted_{link_.port(), 0},
      applied_(wanted_),
      memory_(kMemory),
      sealer_(*aead_, link_, memory_),
      outgoing_(device_, sealer_, memory_),
      incoming_(device_, *aead_, joining_for(tun_), memory_) {}

Result<> Tunnel::watch_descriptors(int wake) {
    poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    const auto sockets = link_.descriptors();
    const int requests = uapi_ ? uapi_->descriptor() : -1;
    for (const int fd : {wake, tun_.fd(), mtu_.descriptor(), requests, sockets[0], sockets[1]}) {
        if (fd < 0) continue;
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
            return sys::fail_errno("watching a descriptor", errno);
    }
    return {};
}

Result<> Tunnel::run(int wake, const std::function<bool()>& woken) {
    if (auto done = watch_descriptors(wake); !done) return done;
    read_mtu();
    for (std::size_t turns = 0;; ++turns) {
        const bool busy = turn();
        if (busy && turns % kTurnsBetweenLooks != 0) continue;
        std::array<epoll_event, 8> events{};
        const int count = ::epoll_wait(poll_.get(), events.data(), events.size(), busy ? 0 : wait_milliseconds(now()));
        if (count < 0 && errno != EINTR) return sys::fail_errno("waiting for packets", errno);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            if (!attend(event.data.fd, event.events, wake, woken)) return {};
        }
        if (!std::exchange(new_sockets_, false)) continue;
        if (auto done = watch_descriptors(wake); !done) return done;
    }
}

bool Tunnel::attend(int fd, std::uint32_t events, int wake, const std::function<bool()>& woken) {
    if (fd == wake) return woken();
    if (fd == tun_.fd()) return (events & (EPOLLERR | EPOLLHUP)) == 0;
    if (fd == mtu_.descriptor()) read_mtu();
    if (uapi_ && fd == uapi_->descriptor()) {
        uapi_->serve([this](std::string_view request) { return answer(request); });
    }
    return true;
}

bool Tunnel::turn() {
    const auto time = now();
    bool more = incoming_.pump(link_, tun_, time, actions_);
    carry_out(actions_);
    more |= outgoing_.pump(tun_, time, actions_);
    carry_out(actions_);
    handle_handshakes(time);
    device_.advance(time, actions_);
    carry_out(actions_);
    for (const auto& source : link_.take_lost_sources()) device_.forget_source(source);
    const bool due = device_.next_deadline().value_or(MonotonicTime::max()) <= time.steady;
    return more || due || !incoming_.handshakes().empty();
}

void Tunnel::handle_handshakes(wireguard::Now time) {
    auto& waiting = incoming_.handshakes();
    const auto enough = device_.work().units() + kHandshakeWorkPerTurn;
    while (!waiting.empty() && device_.work().units() < enough) {
        device_.load().report(waiting.size(), Incoming::kMaxHandshakes, time.steady);
        const auto message = std::move(waiting.front());
        waiting.pop_front();
        std::ignore = device_.handle_handshake(message.bytes, message.from, time, actions_);
        carry_out(actions_);
    }
}

void Tunnel::carry_out(wireguard::Actions& actions) {
    for (auto& action : actions) {
        if (auto* datagram = std::get_if<wireguard::SendDatagram>(&action)) {
            const auto message = message_to(datagram->to, datagram->bytes);
            link_.send({&message, 1});
        } else {
            seal_and_send(std::get<wireguard::SealAndSend>(action));
        }
    }
    actions.clear();
}

void Tunnel::seal_and_send(const wireguard::SealAndSend& action) {
    for (const auto& packet : action.packets) {
        CHECK(packet.size() <= Sealer::kMaxPacket);
        if (!sealer_.has_room(1, packet.size())) sealer_.flush();
        const auto counter = action.keypair->take_counters(1);
        if (!counter) break;
        const auto room = sealer_.add(*action.keypair, *counter, action.to, packet.size());
        std::copy(packet.begin(), packet.end(), room.begin());
    }
    sealer_.flush();
}

SecretText Tunnel::answer(std::string_view request) {
    auto text = wireguard::answer_uapi(device_, wanted_, request, now(), actions_);
    const auto applied = apply_socket_settings();
    carry_out(actions_);
    if (applied) return text;
    log::warn("{}: {}", name(), applied.error().describe());
    switch (applied.error().code) {
        case ErrorCode::already_exists: return SecretText(wireguard::print_uapi_errno(EADDRINUSE));
        case ErrorCode::permission_denied: return SecretText(wireguard::print_uapi_errno(EACCES));
        default: return SecretText(wireguard::print_uapi_errno(EIO));
    }
}

Result<> Tunnel::set(wireguard::SetRequest request) {
    auto applied = wireguard::apply_uapi(device_, wanted_, std::move(request), now(), actions_);
    auto done = apply_socket_settings();
    carry_out(actions_);
    return applied ? done : applied;
}

Result<> Tunnel::set_meter(const TunnelKey& peer, std::shared_ptr<wireguard::Meter> meter) {
    const auto id = device_.find_peer(peer);
    if (!id) return fail(ErrorCode::not_found, name() + " has no such peer");
    device_.set_meter(*id, std::move(meter));
    return {};
}

Result<> Tunnel::apply_socket_settings() {
    Result<> done;
    if (wanted_.listen_port != applied_.listen_port) {
        auto options = options_of(offloads_);
        options.mark = wanted_.fwmark;
        auto link = UdpLink::open(wanted_.listen_port, options);
        if (link) {
            link_ = std::move(*link);
            new_sockets_ = true;
        } else {
            done = forward_error(link);
        }
    } else if (wanted_.fwmark != applied_.fwmark) {
        done = link_.set_mark(wanted_.fwmark);
    }
    if (!done) wanted_ = applied_;
    wanted_.listen_port = link_.port();
    applied_ = wanted_;
    return done;
}

void Tunnel::read_mtu() {
    const auto mtu = mtu_.read();
    if (mtu) sealer_.set_mtu(*mtu);  // else the interface is about to go, and `run` to end
}

int Tunnel::wait_milliseconds(wireguard::Now time) {
    const auto deadline = device_.next_deadline();
    auto wait = kLongestWait;
    if (deadline) wait = std::min(wait, std::chrono::ceil<milliseconds>(*deadline - time.steady));
    return static_cast<int>(std::max(wait, kShortestWait).count());
}

}  // namespace myst::dataplane
