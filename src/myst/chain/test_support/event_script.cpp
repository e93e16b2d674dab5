#include "myst/chain/test_support/event_script.hpp"

#include "myst/codec/abi.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain::testing {
namespace {

using codec::abi::address_word;
using codec::abi::Encoder;
using codec::abi::event_topic;
using codec::abi::to_word;

Uint256 wide(Amount amount) {
    return (Uint256(static_cast<std::uint64_t>(amount.units() >> 64)) << 64) |
           Uint256(static_cast<std::uint64_t>(amount.units()));
}

Uint256 wide(UnixTime time) {
    return Uint256(to_unix_seconds(time));
}

Uint256 wide(const Address& address) {
    return codec::abi::to_uint(address_word(address));
}

struct EncodeEvent {
    Log operator()(const Deposited& e) const {
        return log("Deposited(address,address,uint96,uint96)", {e.signer, e.from},
                   Encoder().amount(e.amount).amount(e.free));
    }
    Log operator()(const OwnerSet& e) const { return log("OwnerSet(address,address)", {e.signer, e.owner}, {}); }
    Log operator()(const Settled& e) const {
        std::vector<Hash32> words;
        for (const auto& item : e.items) {
            words.push_back(to_word(wide(item.signer) | wide(item.from_free) << 160));
            words.push_back(to_word(wide(item.lane.paid) | wide(item.lane.cap) << 96 |
                                    wide(item.lane.release_at) << 192 | Uint256(item.lane.epoch) << 232));
        }
        return log("Settled(address,uint256,uint256,uint256[])", {e.provider},
                   Encoder().uint(e.amount).uint(e.fee).static_array(words, 1));
    }
    Log operator()(const ReleaseRequested& e) const {
        return log("ReleaseRequested(address,address,uint40)", {e.signer, e.provider},
                   Encoder().uint(wide(e.release_at)));
    }
    Log operator()(const Released& e) const {
        return log("Released(address,address,uint96,uint24)", {e.signer, e.provider},
                   Encoder().amount(e.refunded).uint(Uint256(e.new_epoch)));
    }
    Log operator()(const ExitRequested& e) const {
        return log("ExitRequested(address,uint96,uint40)", {e.signer},
                   Encoder().amount(e.exiting).uint(wide(e.exit_at)));
    }
    Log operator()(const AccountExitingUsed& e) const {
        return log("AccountExitingUsed(address,uint96)", {e.signer}, Encoder().amount(e.exiting));
    }
    Log operator()(const Withdrawn& e) const {
        return log("Withdrawn(address,address,uint96)", {e.signer, e.to}, Encoder().amount(e.amount));
    }
    Log operator()(const Registered& e) const {
        return log("Registered(address,bytes32,uint96)", {e.provider},
                   Encoder().word(Hash32{e.node_key.bytes}).amount(e.stake));
    }
    Log operator()(const UnregisterRequested& e) const {
        return log("UnregisterRequested(address,uint40)", {e.provider}, Encoder().uint(wide(e.leave_at)));
    }
    Log operator()(const Unregistered& e) const {
        return log("Unregistered(address,uint96)", {e.provider}, Encoder().amount(e.stake));
    }
    static Log log(std::string_view signature, const std::vector<Address>& indexed, const Encoder& data) {
        Log out;
        out.topics.push_back(event_topic(signature));
        for (const auto& each : indexed) out.topics.push_back(address_word(each));
        out.data = data.finish();
        return out;
    }
};

}  // namespace

Log encode_event(const LanesEvent& event, const Address& contract) {
    auto log = std::visit(EncodeEvent{}, event);
    log.address = contract;
    return log;
}

Address account_at(unsigned i) {
    Address address;
    address.bytes[0] = 0xaa;
    address.bytes[19] = static_cast<std::uint8_t>(i + 1);
    return address;
}

void LanesModel::deposit(Address signer, Amount amount, std::vector<LanesEvent>& events) {
    auto& account = accounts[signer];
    account.free = *account.free.plus(amount);
    events.emplace_back(Deposited{signer, account_at(90), amount, account.free});
}

void LanesModel::settle(Address provider, std::vector<std::tuple<Address, Amount, Amount>> vouchers,
                        std::vector<LanesEvent>& events) {
    Settled event{provider, 0, 0, {}};
    Uint256 paid_out = 0;
    for (const auto& [signer, total, wanted_cap] : vouchers) {
        auto& account = accounts[signer];
        auto& lane = lanes[{signer, provider}];
        const auto cap = lane.release_at == UnixTime{} ? wanted_cap : total;
        if (cap < total || (total <= lane.paid && cap <= lane.cap)) continue;
        const auto from_free = std::min(cap.minus_saturating(lane.cap), account.free);
        lane.cap = *lane.cap.plus(from_free);
        const auto from_exiting = std::min(total.minus_saturating(lane.cap), account.exiting);
        lane.cap = *lane.cap.plus(from_exiting);
        account.free = *account.free.minus(from_free);
        account.exiting = *account.exiting.minus(from_exiting);
        if (!from_exiting.is_zero()) events.emplace_back(AccountExitingUsed{signer, account.exiting});
        const auto payable = std::min(total, lane.cap);
        if (payable <= lane.paid && from_free.is_zero() && from_exiting.is_zero()) continue;
        const auto pay = payable.minus_saturating(lane.paid);
        lane.paid = *lane.paid.plus(pay);
        paid_out += wide(pay);
        if (!pay.is_zero()) sales[{signer, provider}].push_back(pay);
        event.items.push_back({signer, from_free, lane});
    }
    if (event.items.empty()) return;
    event.fee = paid_out > 0 ? 1 : 0;
    event.amount = paid_out - event.fee;
    events.emplace_back(std::move(event));
}

void LanesModel::request_release(Address signer, Address provider, UnixTime at, std::vector<LanesEvent>& events) {
    auto& lane = lanes[{signer, provider}];
    if (lane.release_at != UnixTime{}) return;
    lane.release_at = at;
    events.emplace_back(ReleaseRequested{signer, provider, at});
}

void LanesModel::release(Address signer, Address provider, std::vector<LanesEvent>& events) {
    auto& lane = lanes[{signer, provider}];
    if (lane.cap.is_zero() && lane.release_at == UnixTime{}) return;
    const auto refunded = *lane.cap.minus(lane.paid);
    lane = {{}, {}, {}, lane.epoch + 1};
    auto& account = accounts[signer];
    account.free = *account.free.plus(refunded);
    events.emplace_back(Released{signer, provider, refunded, lane.epoch});
}

void LanesModel::request_exit(Address signer, Amount amount, UnixTime at, std::vector<LanesEvent>& events) {
    auto& account = accounts[signer];
    if (amount.is_zero() || amount > account.free) return;
    account = {*account.free.minus(amount), *account.exiting.plus(amount), at};
    events.emplace_back(ExitRequested{signer, account.exiting, at});
}

void LanesModel::withdraw(Address signer, Address to, std::vector<LanesEvent>& events) {
    auto& account = accounts[signer];
    if (account.exiting.is_zero()) return;
    events.emplace_back(Withdrawn{signer, to, account.exiting});
    account = {account.free, {}, {}};
}

void LanesModel::set_owner(Address signer, Address owner, std::vector<LanesEvent>& events) {
    if (!owners.try_emplace(signer, owner).second) return;
    events.emplace_back(OwnerSet{signer, owner});
}

void LanesModel::enroll(Address provider, NodeKey key, Amount stake, std::vector<LanesEvent>& events) {
    auto& entry = providers[provider];
    if (entry.leave_at != UnixTime{}) return;
    entry = {key, *entry.stake.plus(stake), {}};
    events.emplace_back(Registered{provider, key, entry.stake});
}

void LanesModel::request_unregister(Address provider, UnixTime at, std::vector<LanesEvent>& events) {
    auto& entry = providers[provider];
    if (entry.node_key.is_zero() || entry.leave_at != UnixTime{}) return;
    entry.leave_at = at;
    events.emplace_back(UnregisterRequested{provider, at});
}

void LanesModel::unregister(Address provider, std::vector<LanesEvent>& events) {
    auto& entry = providers[provider];
    if (entry.leave_at == UnixTime{}) return;
    events.emplace_back(Unregistered{provider, entry.stake});
    entry = {};
}

void LanesModel::random_operation(std::uint32_t choice, UnixTime at, std::vector<LanesEvent>& events) {
    const auto signer = account_at(choice / 16 % 4);
    const auto provider = account_at(10 + choice / 64 % 3);
    const Amount amount(choice / 256 % 1000 + 1);
    NodeKey key;
    key.bytes[0] = static_cast<std::uint8_t>(choice % 7 + 1);
    const auto voucher = [&](Address payer) {
        const auto& lane = lanes[{payer, provider}];
        return std::tuple(payer, *lane.paid.plus(amount), *lane.cap.plus(*amount.plus(amount)));
    };
    switch (choice % 12) {
        case 0:
        case 1: return deposit(signer, *amount.plus(amount), events);
        case 2: return settle(provider, {voucher(signer)}, events);
        case 3: return settle(provider, {voucher(signer), voucher(account_at(choice / 16 % 4 + 1))}, events);
        case 4: return request_release(signer, provider, at, events);
        case 5: return release(signer, provider, events);
        case 6: return request_exit(signer, amount, at, events);
        case 7: return withdraw(signer, account_at(80), events);
        case 8: return set_owner(signer, account_at(70), events);
        case 9: return enroll(provider, key, amount, events);
        case 10: return request_unregister(provider, at, events);
        default: return unregister(provider, events);
    }
}

const Address& ScriptedChain::contract() {
    static const Address kContract = account_at(200);
    return kContract;
}

ScriptedChain::ScriptedChain(std::uint64_t chosen) : id(chosen) {
    Block genesis;
    genesis.header.hash.bytes[0] = 1;
    blocks_.push_back(std::move(genesis));
    models_.emplace_back();
}

void ScriptedChain::mine(const std::vector<std::uint32_t>& operations, std::uint32_t salt) {
    const auto& parent = tip();
    Block block;
    block.header.number = parent.number + 1;
    block.header.parent = parent.hash;
    block.header.time = parent.time + seconds(12);
    LanesModel model = models_.back();
    std::vector<LanesEvent> events;
    for (const auto each : operations) model.random_operation(each, block.header.time, events);
    Bytes content(parent.hash.bytes.begin(), parent.hash.bytes.end());
    for (int shift = 0; shift < 32; shift += 8) content.push_back(static_cast<std::uint8_t>(salt >> shift));
    for (const auto& event : events) {
        auto log = encode_event(event, contract());
        log.index = block.logs.size();
        content.insert(content.end(), log.data.begin(), log.data.end());
        block.logs.push_back(std::move(log));
    }
    block.header.hash = crypto::keccak256(content);
    for (auto& log : block.logs) {
        log.block_number = block.header.number;
        log.block_hash = block.header.hash;
    }
    blocks_.push_back(std::move(block));
    models_.push_back(std::move(model));
}

void ScriptedChain::drop(std::size_t count) {
    const auto keep = static_cast<std::ptrdiff_t>(blocks_.size() - std::min(count, blocks_.size() - 1));
    blocks_.erase(blocks_.begin() + keep, blocks_.end());
    models_.erase(models_.begin() + keep, models_.end());
}

Result<> ScriptedChain::fault() {
    ++calls;
    if (failures == 0) return {};
    --failures;
    return fail(ErrorCode::unavailable, "scripted failure");
}

Task<Result<std::uint64_t>> ScriptedChain::chain_id() {
    if (auto fine = fault(); !fine) co_return forward_error(fine);
    co_return id;
}

Task<Result<std::uint64_t>> ScriptedChain::head_number() {
    if (auto fine = fault(); !fine) co_return forward_error(fine);
    co_return lag.value_or(height());
}

Task<Result<BlockHeader>> ScriptedChain::header(std::uint64_t number) {
    if (auto fine = fault(); !fine) co_return forward_error(fine);
    if (number >= blocks_.size()) co_return fail(ErrorCode::not_found, "no such block");
    co_return blocks_[number].header;
}

Task<Result<std::vector<Block>>> ScriptedChain::blocks(std::uint64_t first, std::uint64_t last) {
    if (auto fine = fault(); !fine) co_return forward_error(fine);
    if (last >= blocks_.size()) co_return fail(ErrorCode::unavailable, "no such block");
    ++asked;
    if (last - first + 1 > max_range) co_return fail(ErrorCode::limit_exceeded, "range too large");
    const auto begin = blocks_.begin() + static_cast<std::ptrdiff_t>(first);
    co_return std::vector<Block>(begin, begin + static_cast<std::ptrdiff_t>(last - first + 1));
}

}  // namespace myst::chain::testing
