#include "myst/api/test_support/fake_control.hpp"

#include <stdexcept>

namespace myst::api::test_support {
namespace {

constexpr UnixTime kStart{seconds(1'700'000'000)};
constexpr std::uint64_t kMib = 1U << 20;

template <class Fixed>
Fixed filled(std::uint8_t byte) {
    Fixed value;
    value.bytes.fill(byte);
    return value;
}

Amount tokens(const char* text) {
    return parse_tokens(text).value();
}

node::WalletInfo sample_wallet() {
    return {Address::parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed").value(), filled<Address>(0x22)};
}

node::ProviderStatus sample_provider(bool running) {
    node::ProviderStatus status;
    status.running = running;
    if (running) status.proposal = sample_proposal();
    status.registered = true;
    status.open_sessions = running ? 1 : 0;
    status.earned = tokens("1.5");
    status.unsettled = tokens("0.25");
    return status;
}

}  // namespace

node::Proposal sample_proposal() {
    node::Proposal proposal;
    proposal.provider = filled<NodeKey>(0xab);
    proposal.payee = filled<Address>(0x33);
    proposal.service = "wireguard";
    proposal.country = "DE";
    proposal.city = "Hamburg";
    proposal.tariff = {tokens("0.1"), tokens("0.002")};
    proposal.name = "Elbe";
    proposal.terms = "no spam";
    proposal.relays = {"ws://192.0.2.7:7777"};
    proposal.published = kStart;
    proposal.expires = kStart + seconds(600);
    return proposal;
}

node::Offer sample_offer() {
    return {sample_proposal(), tokens("5"), ports::PayeeSales{12, 3, tokens("1.75"), tokens("1.5")},
            tokens("0.2"),     11,          milliseconds(83)};
}

node::ConnectionStatus sample_connection() {
    node::ConnectionStatus status;
    status.state = node::ConnectionState::connected;
    status.proposal = sample_proposal();
    status.session = filled<SessionId>(0x44);
    status.interface_name = "myst0";
    status.traffic = {4 * kMib, 180 * kMib};
    status.traffic_peer = {4 * kMib, 180 * kMib};
    status.bytes_per_second = 64'172'851;  // 61.2 MiB/s
    status.paid = tokens("0.018");
    status.acknowledged = tokens("0.0179");
    status.vouchers = 180;
    status.deposit_left = tokens("1.24");
    status.bytes_left = 13'314'398'617;  // 12.4 GiB
    status.connect_time = milliseconds(83);
    status.connected_for = seconds(12);
    return status;
}

FakeControl::FakeControl() : connection_{node::ConnectionStatus{}}, offers_{sample_offer()} {
    withdraw_ = {filled<Hash32>(0x55), false, tokens("2"), kStart + seconds(86400)};
}

void FakeControl::fail_with(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
}

void FakeControl::throw_from_status() {
    const std::lock_guard lock(mutex_);
    throws_ = true;
}

void FakeControl::script_connection(std::deque<node::ConnectionStatus> script) {
    const std::lock_guard lock(mutex_);
    connection_ = std::move(script);
}

void FakeControl::set_proposals(std::vector<node::Proposal> proposals) {
    const std::lock_guard lock(mutex_);
    offers_.clear();
    for (auto& each : proposals) {
        auto offer = sample_offer();
        offer.proposal = std::move(each);
        offers_.push_back(std::move(offer));
    }
}

void FakeControl::forget_sales() {
    const std::lock_guard lock(mutex_);
    for (auto& offer : offers_) {
        offer.sales.reset();
        offer.latency.reset();
        offer.reputation.reset();
    }
}

void FakeControl::tell(node::OfferChange change) {
    const std::lock_guard lock(mutex_);
    told_.push_back(std::move(change));
}

void FakeControl::flood() {
    const std::lock_guard lock(mutex_);
    floods_ = true;
}

void FakeControl::script_latency(std::deque<node::LatencyRound> script) {
    const std::lock_guard lock(mutex_);
    rounds_ = std::move(script);
}

std::size_t FakeControl::watches() const {
    const std::lock_guard lock(mutex_);
    return watches_;
}

void FakeControl::set_withdraw(node::WithdrawResult result) {
    const std::lock_guard lock(mutex_);
    withdraw_ = result;
}

std::vector<std::string> FakeControl::changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
}

node::ProposalFilter FakeControl::last_filter() const {
    const std::lock_guard lock(mutex_);
    return filter_;
}

node::ProposalQuery FakeControl::last_query() const {
    const std::lock_guard lock(mutex_);
    return query_;
}

template <class T>
Result<T> FakeControl::answer(T value) const {
    const std::lock_guard lock(mutex_);
    if (error_) return tl::unexpected<Error>(*error_);
    return value;
}

void FakeControl::note(std::string change) {
    const std::lock_guard lock(mutex_);
    changes_.push_back(std::move(change));
}

Task<Result<node::NodeStatus>> FakeControl::status() {
    {
        const std::lock_guard lock(mutex_);
        if (throws_) throw std::runtime_error("secret detail of the node");
    }
    node::NodeStatus status;
    status.version = "0.1.0";
    status.node_key = filled<NodeKey>(0xcd);
    status.roles = {"consumer", "provider"};
    status.chain = {31337, filled<Address>(0x66), filled<Address>(0x77)};
    status.head = ports::BlockRef{42, filled<Hash32>(0x88), kStart};
    status.chain_status.quorum = 2;
    status.chain_status.endpoints = {
        {"rpc.example:443", ports::EndpointState::ok, 42, 0, milliseconds(35), 812, 3, 0, "timed out"},
        {"other.example:443", ports::EndpointState::lagging, 20, 22, milliseconds(90), 800, 0, 1, ""}};
    status.chain_status.index = ports::IndexStatus{ports::IndexState::following, 42, 43, 1, 7, ""};
    status.chain_status.outbox = ports::OutboxReport{false, 2, "the base fee is too high"};
    status.relays = {{"ws://192.0.2.7:7777", true, "", ports::RelayOrigin::registry, "192.0.0.0/16", 1'234},
                     {"ws://192.0.2.8:7777", false, "connection refused"}};
    status.connection = sample_connection();
    status.provider = sample_provider(true);
    co_return answer(std::move(status));
}

Task<Result<node::WalletInfo>> FakeControl::wallet_create() {
    note("wallet_create");
    co_return answer(sample_wallet());
}

Task<Result<node::WalletInfo>> FakeControl::wallet_info() {
    co_return answer(sample_wallet());
}

Task<Result<node::WalletBalance>> FakeControl::wallet_balance() {
    node::WalletBalance balance;
    balance.wallet = sample_wallet();
    balance.ether = Uint256("1234567890123456789");
    balance.tokens = tokens("100");
    balance.deposit = {tokens("2.5"), tokens("0"), UnixTime{}};
    co_return answer(std::move(balance));
}

Task<Result<node::DepositResult>> FakeControl::wallet_deposit(Amount amount) {
    note("deposit " + amount.to_string());
    node::DepositResult result{filled<Hash32>(0x99), amount, amount};
    co_return answer(result);
}

Task<Result<node::WithdrawResult>> FakeControl::wallet_withdraw(std::optional<Amount> amount) {
    note("withdraw " + (amount ? amount->to_string() : std::string("all")));
    co_return answer(withdraw_);
}

Task<Result<std::vector<node::Reservation>>> FakeControl::wallet_reservations() {
    const node::Reservation kept{filled<Address>(0x33), tokens("0.125"), tokens("0.75"), UnixTime{}};
    const node::Reservation leaving{filled<Address>(0x34), Amount{}, tokens("0.5"), kStart + seconds(86400)};
    std::vector<node::Reservation> reservations{kept, leaving};
    co_return answer(std::move(reservations));
}

Task<Result<node::ReleaseResult>> FakeControl::wallet_release(Address provider) {
    note("release " + provider.hex0x());
    const node::ReleaseResult result{filled<Hash32>(0x56), false, tokens("0.75"), kStart + seconds(86400)};
    co_return answer(result);
}

Task<Result<node::OfferPage>> FakeControl::proposals(node::ProposalQuery query) {
    node::OfferPage page;
    {
        const std::lock_guard lock(mutex_);
        filter_ = query.filter;
        query_ = query;
        const auto first = query.cursor.empty() ? 0 : std::stoul(query.cursor);
        for (auto i = first; i < offers_.size() && page.offers.size() < query.limit; ++i) {
            page.offers.push_back(offers_[i]);
        }
        const auto next = first + page.offers.size();
        if (next < offers_.size()) page.next = std::to_string(next);
    }
    co_return answer(std::move(page));
}

Task<Result<node::LatencyRound>> FakeControl::measure_latency(node::ProposalFilter filter) {
    note("measure");
    node::LatencyRound round;
    {
        const std::lock_guard lock(mutex_);
        filter_ = std::move(filter);
        round = rounds_.front();
        if (rounds_.size() > 1) rounds_.pop_front();
    }
    co_return answer(round);
}

class FakeControl::Watch final : public node::OfferWatch {
public:
    explicit Watch(FakeControl& control) : control_(control) {
        for (const auto& offer : control.offers_) there_.emplace_back(offer);
        there_.emplace_back(node::OffersComplete{});
        ++control.watches_;
    }
    ~Watch() override {
        const std::lock_guard lock(control_.mutex_);
        --control_.watches_;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    Task<Result<node::OfferChange>> next() override {
        for (;;) {
            if (auto change = take()) co_return std::move(*change);
            co_await sleep_for(milliseconds(1));
        }
    }

private:
    std::optional<Result<node::OfferChange>> take() {
        const std::lock_guard lock(control_.mutex_);
        if (control_.error_) return tl::unexpected<Error>(*control_.error_);
        if (control_.floods_) {
            auto offer = sample_offer();
            offer.proposal.terms = std::string(64 * 1024, 'x');
            return node::OfferChange(std::move(offer));
        }
        if (next_ < there_.size()) return there_[next_++];
        const auto told = next_ - there_.size();
        if (told == control_.told_.size()) return std::nullopt;
        ++next_;
        return control_.told_[told];
    }

    FakeControl& control_;
    std::vector<node::OfferChange> there_;
    std::size_t next_ = 0;
};

Result<std::unique_ptr<node::OfferWatch>> FakeControl::watch_offers(node::ProposalFilter filter) {
    const std::lock_guard lock(mutex_);
    filter_ = std::move(filter);
    if (error_) return tl::unexpected<Error>(*error_);
    return std::make_unique<Watch>(*this);
}

Task<Result<>> FakeControl::connect(node::ProposalFilter filter) {
    note("connect");
    const std::lock_guard lock(mutex_);
    filter_ = std::move(filter);
    if (error_) co_return tl::unexpected<Error>(*error_);
    co_return Result<>{};
}

Task<Result<node::ConnectionStatus>> FakeControl::disconnect() {
    note("disconnect");
    auto status = sample_connection();
    status.state = node::ConnectionState::disconnected;
    co_return answer(std::move(status));
}

node::ConnectionStatus FakeControl::connection() {
    const std::lock_guard lock(mutex_);
    auto status = connection_.front();
    if (connection_.size() > 1) connection_.pop_front();
    return status;
}

Task<Result<node::ProviderStatus>> FakeControl::provider_start() {
    note("provider_start");
    co_return answer(sample_provider(true));
}

Task<Result<node::ProviderStatus>> FakeControl::provider_stop() {
    note("provider_stop");
    co_return answer(sample_provider(false));
}

Task<Result<node::ProviderStatus>> FakeControl::provider_status() {
    co_return answer(sample_provider(true));
}

Task<Result<std::vector<node::ProvidedSession>>> FakeControl::provider_sessions() {
    node::ProvidedSession open;
    open.id = filled<SessionId>(0x11);
    open.signer = filled<Address>(0x22);
    open.started = kStart;
    open.traffic = {kMib, 2 * kMib};
    open.cost = tokens("0.0003");
    open.paid = tokens("0.0004");
    open.vouchers = 4;
    open.allowance = 4 * kMib;
    open.gate_open = true;
    auto past = open;
    past.ended = kStart + seconds(60);
    past.gate_open = false;
    past.allowance = pay::kUnlimitedBytes;
    past.end_reason = "the consumer left";
    std::vector<node::ProvidedSession> sessions{open, past};
    co_return answer(std::move(sessions));
}

Task<Result<node::ProviderLimits>> FakeControl::provider_limits() {
    node::PayerExposure leaving;
    leaving.signer = filled<Address>(0x22);
    leaving.unsettled = tokens("0.3");
    leaving.reserved = tokens("0.29");
    leaving.on_signature = tokens("0.01");
    leaving.unpaid = tokens("0.0001");
    leaving.deadline = kStart + seconds(86400);
    leaving.settle_by = kStart + seconds(28800);
    leaving.settles_because = pay::SettleReason::leaving;
    node::PayerExposure paying;
    paying.signer = filled<Address>(0x23);
    paying.in_session = true;
    node::ProviderLimits limits;
    limits.credit_bytes = kMib;
    limits.credit = tokens("0.0001");
    limits.risk_limit = tokens("0.02");
    limits.min_free = tokens("0.05");
    limits.policy.trigger = tokens("0.01");
    limits.policy.gas_price = tokens("0.01");
    limits.policy.max_age = seconds(7 * 86400);
    limits.policy.margin = seconds(57600);
    limits.outage_tolerated = seconds(28800);
    limits.payers = {leaving, paying};
    limits.payer_count = 2;
    limits.unsettled = leaving.unsettled;
    limits.reserved = leaving.reserved;
    limits.on_signature = leaving.on_signature;
    limits.unpaid = leaving.unpaid;
    limits.next_deadline = leaving.deadline;
    limits.settlement_cost = tokens("0.00077");
    co_return answer(std::move(limits));
}

Task<Result<node::SettleResult>> FakeControl::provider_settle() {
    note("settle");
    node::SettleResult result;
    result.transactions = {filled<Hash32>(0xaa)};
    result.vouchers = 3;
    result.amount = tokens("0.2475");
    result.fee = tokens("0.0025");
    result.gas_used = 91'000;
    co_return answer(std::move(result));
}

Task<Result<node::UnregisterResult>> FakeControl::provider_unregister() {
    note("unregister");
    const node::UnregisterResult result{filled<Hash32>(0x57), true, tokens("100"), UnixTime{}};
    co_return answer(result);
}

Task<Result<node::RevokeResult>> FakeControl::provider_revoke(std::string reason) {
    note("revoke " + reason);
    node::RevokeResult result{filled<NodeKey>(0xcd), {"local", "ws://192.0.2.7:7777"}};
    co_return answer(std::move(result));
}

}  // namespace myst::api::test_support
