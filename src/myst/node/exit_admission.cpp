// Who is let into the tunnel: the part of ExitSessions that judges requests.
#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/crypto/address.hpp"
#include "myst/node/exit_sessions.hpp"

namespace myst::node {
namespace {

constexpr seconds kMaxRequestAge = codec::kEnvelopeLife;
// A request is refused by its age when it is older than this, on either side of the clock.
constexpr seconds kRemembered = 2 * kMaxRequestAge;
constexpr milliseconds kEndPoll{10};
constexpr std::uint32_t kFrameBurst = 200;
constexpr std::size_t kMaxSeenPerPayer = 64;
constexpr std::size_t kMaxPayersSeen = 10'000;

tl::unexpected<SessionReject> refuse(const SessionRequest& request, RejectCode code, std::string message) {
    return tl::unexpected(SessionReject{request.id, code, std::move(message)});
}

/// Marks a payer's request as being looked at for as long as it lives.
class Admitting {
public:
    Admitting(std::map<Address, SessionId>& admitting, const SessionRequest& request)
        : admitting_(admitting), payer_(request.signer) {
        admitting_.emplace(payer_, request.id);
    }
    ~Admitting() { admitting_.erase(payer_); }
    Admitting(const Admitting&) = delete;
    Admitting& operator=(const Admitting&) = delete;

private:
    std::map<Address, SessionId>& admitting_;
    Address payer_;
};

/// Counts a newcomer's request for as long as it lives.
class Newcomer {
public:
    explicit Newcomer(std::size_t& count) : count_(count) { ++count_; }
    ~Newcomer() { --count_; }
    Newcomer(const Newcomer&) = delete;
    Newcomer& operator=(const Newcomer&) = delete;

private:
    std::size_t& count_;
};

}  // namespace

Task<Envelope> ExitSessions::admit(SessionRequest request, NodeKey consumer) {
    auto session = co_await prepare(std::move(request), consumer);
    if (!session) {
        log::info("session refused ({}): {}", to_string(session.error().code), session.error().message);
        co_return std::move(session.error());
    }
    co_return acceptance(**session);
}

Task<ExitSessions::Admission<ExitSessions::SessionPtr>> ExitSessions::prepare(SessionRequest request,
                                                                              NodeKey consumer) {
    auto sound = check_request(request, consumer);
    if (!sound) co_return tl::unexpected(std::move(sound.error()));
    const Admitting mark(admitting_, request);
    auto used = co_await context_.ledger.knows_session(request.id);
    auto held = co_await context_.ledger.highest_voucher(request.signer, settings_.payee);
    if (!used || !held) co_return refuse(request, RejectCode::unavailable, "the ledger cannot be read at the moment");
    if (*used) co_return refuse(request, RejectCode::request, "the session id was used before");
    std::optional<Newcomer> newcomer;
    if (!*held) {
        if (!may_look_at_newcomer()) co_return refuse(request, RejectCode::full, "too many new payers at the moment");
        newcomer.emplace(newcomers_);
        auto funded = co_await look_at_newcomer(request);
        if (!funded) co_return tl::unexpected(std::move(funded.error()));
    }
    co_return co_await replace_session(request, consumer);
}

bool ExitSessions::may_look_at_newcomer() {
    return newcomers_ < settings_.max_newcomers && newcomer_looks_.take(context_.clock.now());
}

Task<ExitSessions::Admission<void>> ExitSessions::look_at_newcomer(SessionRequest request) {
    auto account = co_await context_.chain.account(request.signer);
    if (!account) co_return refuse(request, RejectCode::unavailable, "the chain cannot be read at the moment");
    if (account->free.is_zero()) co_return refuse(request, RejectCode::funds, "there is no deposit");
    co_return Admission<void>();
}

Task<ExitSessions::Admission<ExitSessions::SessionPtr>> ExitSessions::replace_session(SessionRequest request,
                                                                                      NodeKey consumer) {
    bool remembered = false;
    for (;;) {
        // What was paid and used in the payer's earlier session must be on disk before it is counted.
        while (ending_.contains(request.signer)) co_await sleep_for(kEndPoll);
        const auto old = find_by_payer(request.signer);
        auto funded = co_await look_at_funds(request);
        if (!funded) co_return tl::unexpected(std::move(funded.error()));
        if (!remembered && !remember(request)) co_return refuse(request, RejectCode::full, "too many requests");
        remembered = true;
        if (old && !old->ended) {
            std::string reason = "replaced by a newer session of the same payer";
            co_await end(old, std::move(reason));
        }
        // With a session that was there before or during the look, what was seen is older than what it has left.
        if (!old && !ending_.contains(request.signer)) co_return co_await let_in(request, consumer, *funded);
    }
}

ExitSessions::Admission<void> ExitSessions::check_request(const SessionRequest& request,
                                                          const NodeKey& consumer) const {
    const auto now = context_.clock.unix_now();
    const auto age = now > request.created ? now - request.created : request.created - now;
    if (age > kMaxRequestAge) {
        return refuse(request, RejectCode::request, "the request is too old, or a clock is wrong");
    }
    const auto digest =
        lane_domain(context_.chain.identity())
            .session_request_digest(context_.keys.node().node_key(), consumer, request.tunnel_key, request.created);
    const auto signer = crypto::recover(digest, request.signature);
    if (!signer || *signer != request.signer) {
        return refuse(request, RejectCode::request, "the request is not signed by the payer");
    }
    if (is_used(request)) return refuse(request, RejectCode::request, "the session id was used before");
    // A relay may have kept back a request that the payer has long replaced by another.
    const auto open = find_by_payer(request.signer);
    if (open && request.created <= open->requested) {
        return refuse(request, RejectCode::request, "the payer has a session by a later request");
    }
    if (admitting_.contains(request.signer)) {
        return refuse(request, RejectCode::request, "another request of this payer is being looked at");
    }
    if (settings_.is_releasing(request.signer)) {
        return refuse(request, RejectCode::funds, "the lane is being released");
    }
    if (request.service != settings_.service || request.tariff != settings_.tariff) {
        return refuse(request, RejectCode::price, "the offer has changed");
    }
    return {};
}

bool ExitSessions::is_used(const SessionRequest& request) const {
    const bool pending = std::any_of(admitting_.begin(), admitting_.end(),
                                     [&](const auto& entry) { return entry.second == request.id; });
    if (pending || sessions_.contains(request.id)) return true;
    const auto seen = seen_.find(request.signer);
    return seen != seen_.end() && seen->second.contains(request.id);
}

bool ExitSessions::remember(const SessionRequest& request) {
    const auto now = context_.clock.now();
    const auto is_old = [now](const auto& entry) { return now - entry.second > kRemembered; };
    if (seen_.size() >= kMaxPayersSeen) {
        std::erase_if(seen_,
                      [&](const auto& payer) { return std::all_of(payer.second.begin(), payer.second.end(), is_old); });
        if (seen_.size() >= kMaxPayersSeen) return false;
    }
    auto& own = seen_[request.signer];
    std::erase_if(own, is_old);
    if (own.size() >= kMaxSeenPerPayer) return false;
    own.emplace(request.id, now);
    return true;
}

Task<ExitSessions::Admission<ExitSessions::Funds>> ExitSessions::look_at_funds(SessionRequest request) {
    auto lane = co_await context_.chain.lane(request.signer, settings_.payee);  // first, as in refresh_coverage
    auto account = co_await context_.chain.account(request.signer);
    auto held = co_await context_.ledger.highest_voucher(request.signer, settings_.payee);
    auto debt = co_await context_.ledger.unpaid(request.signer, settings_.payee);
    if (!account || !lane) {
        co_return refuse(request, RejectCode::unavailable, "the chain cannot be read at the moment");
    }
    if (!held || !debt) co_return refuse(request, RejectCode::unavailable, "the ledger cannot be read at the moment");
    Amount base = lane->paid;
    if (*held) {
        const auto epoch = (*held)->voucher.voucher.epoch;
        // In an older epoch, what was credited already would count again.
        if (epoch > lane->epoch) {
            co_return refuse(request, RejectCode::unavailable, "this provider's view of the chain is behind");
        }
        if (epoch == lane->epoch) base = std::max(base, (*held)->total());
    }
    if (lane->release_at != UnixTime{}) co_return refuse(request, RejectCode::funds, "the lane is being released");
    const auto left = lane->cap.plus_saturating(account->free).minus_saturating(base);
    if (left < settings_.min_free || left.is_zero()) {
        co_return refuse(request, RejectCode::funds,
                         "the deposit left is " + format_tokens(left) + ", at least " +
                             format_tokens(settings_.min_free) + " is needed");
    }
    co_return Funds{base, *debt, coverage_of(*lane, *account)};
}

Task<ExitSessions::Admission<ExitSessions::SessionPtr>> ExitSessions::let_in(SessionRequest request, NodeKey consumer,
                                                                             Funds funds) {
    // Those being looked at may each become a session; this one is among them.
    if (sessions_.size() + admitting_.size() > settings_.max_sessions) {
        co_return refuse(request, RejectCode::full, "all places are taken");
    }
    auto address = pool_.take(request.signer);
    if (!address) co_return refuse(request, RejectCode::full, address.error().message);
    auto added = co_await exit_.add_peer(request.id, request.tunnel_key, *address);
    if (!added) {
        pool_.give_back(*address);
        log::error("{}", added.error().in("letting a consumer into the tunnel").describe());
        co_return refuse(request, RejectCode::unavailable, "the tunnel is not available at the moment");
    }
    pay::PayeeTerms terms;
    terms.tariff = settings_.tariff;
    terms.credit_bytes = settings_.credit_bytes;
    terms.debt = funds.debt;
    terms.risk_limit = settings_.risk_limit;
    terms.settle_trigger = settings_.settle_trigger;
    auto session = std::make_shared<ExitSession>(
        ExitSession{request.id, consumer, *address,
                    pay::PayeeSession(terms, request.signer, settings_.payee, funds.coverage.epoch, funds.base),
                    funds.coverage, TokenBucket(settings_.frames_per_second, kFrameBurst, context_.clock.now())});
    session->coverage_at = session->last_frame = context_.clock.now();
    session->started_at = context_.clock.unix_now();
    session->requested = request.created;
    sessions_.emplace(request.id, session);
    if (session->coverage.leaving) on_exposure_();
    co_return session;
}

SessionAccept ExitSessions::acceptance(const ExitSession& session) const {
    SessionAccept accept;
    accept.id = session.id;
    accept.offer.server_key = exit_.public_key();
    accept.offer.endpoint_host = settings_.endpoint_host;
    accept.offer.endpoint_port = settings_.endpoint_port;
    accept.offer.client_address = session.client_address;
    accept.offer.server_address = exit_.server_address();
    accept.offer.payment_port = settings_.payment_port;
    accept.offer.dns = settings_.dns;
    accept.offer.mtu = settings_.mtu;
    accept.credit_bytes = settings_.credit_bytes;
    accept.payee = settings_.payee;
    accept.epoch = session.payee.epoch();
    return accept;
}

}  // namespace myst::node
