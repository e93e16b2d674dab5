#include "myst/chain/lanes_contract.hpp"

#include <array>

#include "myst/base/printable.hpp"
#include "myst/chain/json_rpc_message.hpp"
#include "myst/codec/abi.hpp"

namespace myst::chain {
namespace {

using codec::abi::Decoder;
using codec::abi::Encoder;

constexpr std::size_t kWordsPerItem = 3;
constexpr std::size_t kWordsPerTickItem = 5;
constexpr std::uint64_t kMaxTime = (std::uint64_t{1} << 40) - 1;

Encoder& with_permit(Encoder& encoder, const SignedPermit& permit) {
    const auto v = std::uint64_t{27} + static_cast<std::uint64_t>(permit.signature.y_parity());
    return encoder.uint(permit.deadline).uint(Uint256(v)).word(permit.signature.r).word(permit.signature.s());
}

Bytes with_address(std::string_view signature, const Address& address) {
    return Encoder().address(address).call(signature);
}

Bytes with_pair(std::string_view signature, const Address& first, const Address& second) {
    return Encoder().address(first).address(second).call(signature);
}

tl::unexpected<Error> bad_return(std::string_view what) {
    return fail(ErrorCode::invalid_data, "the contract's answer is not " + std::string(what),
                "check the configured contract addresses");
}

/// Runs a decoder over exactly `words` words.
template <class T, class Read>
Result<T> exactly(BytesView returned, std::size_t words, std::string_view what, Read read) {
    if (returned.size() != words * 32) return bad_return(what);
    Decoder decoder(returned);
    Result<T> value = read(decoder);
    if (!value) return forward_error(value, what);
    return value;
}

Result<UnixTime> time40(Decoder& decoder) {
    auto value = decoder.u64();
    if (!value) return forward_error(value);
    if (*value > kMaxTime) return bad_return("a 40-bit time");
    return UnixTime(seconds(static_cast<std::int64_t>(*value)));
}

}  // namespace

namespace call {

Bytes deposit(const Address& signer, Amount amount) {
    return Encoder().address(signer).amount(amount).call("deposit(address,uint96)");
}

Bytes deposit_with_permit(const Address& signer, Amount amount, const SignedPermit& permit) {
    Encoder encoder;
    encoder.address(signer).amount(amount);
    return with_permit(encoder, permit).call("depositWithPermit(address,uint96,uint256,uint8,bytes32,bytes32)");
}

Bytes settle(const Address& provider, const std::vector<codec::SignedVoucher>& vouchers) {
    std::vector<Hash32> words;
    words.reserve(vouchers.size() * kWordsPerItem);
    for (const auto& voucher : vouchers) {
        const auto item = codec::settle_item(voucher);
        words.insert(words.end(), item.begin(), item.end());
    }
    return Encoder()
        .address(provider)
        .static_array(words, kWordsPerItem)
        .call("settle(address,(uint256,bytes32,bytes32)[])");
}

Bytes settle_ticks(const Address& provider, const std::vector<TickClaim>& claims) {
    std::vector<Hash32> words;
    words.reserve(claims.size() * kWordsPerTickItem);
    for (const auto& claim : claims) {
        const auto item = codec::settle_ticks_item(claim.voucher, claim.newest);
        words.insert(words.end(), item.begin(), item.end());
    }
    return Encoder()
        .address(provider)
        .static_array(words, kWordsPerTickItem)
        .call("settleTicks(address,(uint256,uint256,bytes32,bytes32,bytes32)[])");
}

Bytes request_release(const Address& signer, const Address& provider) {
    return with_pair("requestRelease(address,address)", signer, provider);
}
Bytes release(const Address& signer, const Address& provider) {
    return with_pair("release(address,address)", signer, provider);
}
Bytes request_exit(const Address& signer, Amount amount) {
    return Encoder().address(signer).amount(amount).call("requestExit(address,uint96)");
}
Bytes withdraw(const Address& signer, const Address& to) {
    return with_pair("withdraw(address,address)", signer, to);
}
Bytes set_owner(const Address& signer, const Address& owner, const crypto::CompactSignature& signature) {
    Encoder encoder;
    encoder.address(signer).address(owner).word(signature.r).word(signature.vs);
    return encoder.call("setOwner(address,address,bytes32,bytes32)");
}
Bytes register_provider(const NodeKey& node_key, Amount stake) {
    return Encoder().word(Hash32{node_key.bytes}).amount(stake).call("register(bytes32,uint96)");
}
Bytes register_with_permit(const NodeKey& node_key, Amount stake, const SignedPermit& permit) {
    Encoder encoder;
    encoder.word(Hash32{node_key.bytes}).amount(stake);
    return with_permit(encoder, permit).call("registerWithPermit(bytes32,uint96,uint256,uint8,bytes32,bytes32)");
}
Bytes request_unregister() {
    return Encoder().call("requestUnregister()");
}
Bytes unregister() {
    return Encoder().call("unregister()");
}

Bytes accounts(const Address& signer) {
    return with_address("accounts(address)", signer);
}
Bytes owners(const Address& signer) {
    return with_address("owners(address)", signer);
}
Bytes lanes(const Address& signer, const Address& provider) {
    return with_pair("lanes(address,address)", signer, provider);
}
Bytes providers(const Address& provider) {
    return with_address("providers(address)", provider);
}
Bytes fee_bps() {
    return Encoder().call("FEE_BPS()");
}
Bytes window() {
    return Encoder().call("WINDOW()");
}
Bytes min_stake() {
    return Encoder().call("MIN_STAKE()");
}
Bytes token() {
    return Encoder().call("TOKEN()");
}
Bytes balance_of(const Address& holder) {
    return with_address("balanceOf(address)", holder);
}
Bytes nonces(const Address& owner) {
    return with_address("nonces(address)", owner);
}
Bytes domain_separator() {
    return Encoder().call("DOMAIN_SEPARATOR()");
}
Bytes approve(const Address& spender, Amount amount) {
    return Encoder().address(spender).amount(amount).call("approve(address,uint256)");
}

}  // namespace call

namespace view {

Result<ports::AccountState> account(BytesView returned) {
    const auto read = [](Decoder& decoder) -> Result<ports::AccountState> {
        auto free = decoder.amount();
        if (!free) return forward_error(free);
        auto exiting = decoder.amount();
        if (!exiting) return forward_error(exiting);
        auto exit_at = time40(decoder);
        if (!exit_at) return forward_error(exit_at);
        auto flags = decoder.u64();
        if (!flags) return forward_error(flags);
        if (*flags >= 1U << 24) return bad_return("a 24-bit number");
        return ports::AccountState{*free, *exiting, *exit_at};
    };
    return exactly<ports::AccountState>(returned, 4, "an account", read);
}

Result<ports::LaneState> lane(BytesView returned) {
    const auto read = [](Decoder& decoder) -> Result<ports::LaneState> {
        auto paid = decoder.amount();
        if (!paid) return forward_error(paid);
        auto cap = decoder.amount();
        if (!cap) return forward_error(cap);
        auto release_at = time40(decoder);
        if (!release_at) return forward_error(release_at);
        auto epoch = decoder.u64();
        if (!epoch) return forward_error(epoch);
        if (*epoch > codec::kMaxEpoch) return bad_return("an epoch");
        return ports::LaneState{*paid, *cap, *release_at, static_cast<std::uint32_t>(*epoch)};
    };
    return exactly<ports::LaneState>(returned, 4, "a lane", read);
}

Result<ports::ProviderState> provider(BytesView returned) {
    const auto read = [](Decoder& decoder) -> Result<ports::ProviderState> {
        auto node_key = decoder.word();
        if (!node_key) return forward_error(node_key);
        auto stake = decoder.amount();
        if (!stake) return forward_error(stake);
        auto leave_at = time40(decoder);
        if (!leave_at) return forward_error(leave_at);
        return ports::ProviderState{NodeKey{node_key->bytes}, *stake, *leave_at};
    };
    return exactly<ports::ProviderState>(returned, 3, "a provider", read);
}

Result<Address> address(BytesView returned) {
    return exactly<Address>(returned, 1, "an address", [](Decoder& decoder) { return decoder.address(); });
}
Result<Amount> amount(BytesView returned) {
    return exactly<Amount>(returned, 1, "an amount", [](Decoder& decoder) { return decoder.amount(); });
}
Result<Uint256> uint(BytesView returned) {
    return exactly<Uint256>(returned, 1, "a number", [](Decoder& decoder) { return decoder.uint(); });
}
Result<Amount> balance(BytesView returned) {
    auto wide = uint(returned);
    if (!wide) return forward_error(wide);
    if ((*wide >> 96) != 0) return Amount::max();
    return amount(returned);
}
Result<std::uint64_t> number(BytesView returned) {
    return exactly<std::uint64_t>(returned, 1, "a number", [](Decoder& decoder) { return decoder.u64(); });
}
Result<Hash32> word(BytesView returned) {
    return exactly<Hash32>(returned, 1, "a word", [](Decoder& decoder) { return decoder.word(); });
}

}  // namespace view

namespace {

/// Errors of our contracts and of the token, by signature.
constexpr std::array kErrors = {
    "ZeroAmount()",
    "NotAuthorized()",
    "FeeTooHigh(uint16)",
    "WindowOutOfRange(uint40)",
    "InvalidProvider()",
    "InsufficientFree(uint96)",
    "NothingExiting()",
    "RecipientNotAllowed()",
    "OwnerAlreadySet()",
    "BadSignature()",
    "AlreadyReleasing()",
    "NothingToRelease()",
    "ReleaseNotRequested()",
    "EpochExhausted()",
    "ZeroAddress()",
    "NotAContract(address)",
    "UnexpectedAmount(uint256,uint256)",
    "CapacityExceeded()",
    "TooEarly(uint40)",
    "ZeroNodeKey()",
    "StakeTooSmall(uint256,uint96)",
    "NotRegistered()",
    "AlreadyLeaving()",
    "NotLeaving()",
    "ReentrancyGuardReentrantCall()",
    "SafeERC20FailedOperation(address)",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InvalidReceiver(address)",
};

std::string_view known_error(const codec::abi::Selector& selector) {
    for (const std::string_view signature : kErrors) {
        if (codec::abi::selector(signature) == selector) return signature.substr(0, signature.find('('));
    }
    return {};
}

}  // namespace

std::string revert_reason(BytesView returned) {
    if (returned.size() < 4) return "reverted without a reason";
    const auto selector = *codec::abi::Selector::from(returned.first(4));
    const auto arguments = returned.subspan(4);
    Decoder decoder(arguments);
    if (selector == codec::abi::selector("Error(string)")) {
        auto text = decoder.dynamic_bytes();
        if (text) return printable(as_text(*text), 200);
    }
    if (selector == codec::abi::selector("Panic(uint256)")) {
        auto number = decoder.u64();
        if (number) return "panic " + std::to_string(*number);
    }
    if (const auto name = known_error(selector); !name.empty()) {
        std::string text(name);
        if (arguments.size() == 32) {
            auto number = decoder.uint();
            if (number) text.append("(").append(number->str()).append(")");
        }
        return text;
    }
    return "error " + selector.hex0x();
}

}  // namespace myst::chain
