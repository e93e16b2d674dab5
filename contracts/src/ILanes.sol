// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";

/// @title Lanes: many small payments from one deposit to many providers
/// @notice A consumer deposits once. Its signer key then signs vouchers, off chain, to any number of providers. A
/// voucher says how much the signer owes one provider in total since the beginning of an epoch, so a newer voucher
/// replaces an older one and nothing but the newest must be kept. Providers redeem many vouchers in one `settle`.
///
/// For each pair of signer and provider there is one lane: what has been paid, and how much of the deposit has been set
/// aside for this provider (`cap`). A voucher carries the cap its signer agrees to.
/// @dev All amounts are in the smallest unit of `TOKEN`, all times in seconds since 1970.
interface ILanes is IRegistry {
    /// @notice One voucher, packed for `settle`.
    /// @param word total << 160 | cap << 64 | epoch << 40; the low 40 bits are zero
    /// @param r first half of the signature
    /// @param vs second half with the recovery bit on top, as in EIP-2098
    struct Item {
        uint256 word;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice One tick voucher and the newest of its ticks, packed for `settleTicks`.
    /// @param word as in `Item`, of the voucher under the ticks
    /// @param ticks tickValue << 32 | maxTicks << 16 | number of ticks claimed; the high 160 bits are zero
    /// @param preimage word of the newest tick claimed; the anchor itself if that number is zero
    /// @param r first half of the signature
    /// @param vs second half, as in EIP-2098
    struct TickItem {
        uint256 word;
        uint256 ticks;
        bytes32 preimage;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice What an account wants, signed, for somebody else to bring to the chain.
    /// @param nonce the signing key's next one, see `nonces`
    /// @param deadline last second at which the order is good
    /// @param signature 65 bytes r, s, v, or 64 bytes r, vs as in EIP-2098
    struct Order {
        uint64 nonce;
        uint40 deadline;
        bytes signature;
    }

    /// @notice Who brings an order to the chain and what it gets for that, out of the money the order is about.
    /// @param relayer the only address that may bring it; zero for anybody
    /// @param fee paid in the token to whoever brings it
    struct Relay {
        address relayer;
        uint96 fee;
    }

    /// @notice An ERC-3009 `receiveWithAuthorization` of the token, payable to this contract. Its nonce, which the
    /// payer signs, is keccak256(abi.encode(signer, salt)): so nobody can credit another account with it.
    /// @param from the payer, who signed
    /// @param validAfter the authorization is good after this second
    /// @param validBefore the authorization is good before this second
    /// @param salt any number the payer has not used before for this signer
    /// @param v recovery identifier of the payer's signature, 27 or 28
    /// @param r first half of the payer's signature
    /// @param s second half of the payer's signature
    struct Authorization {
        address from;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 salt;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice The deposit of a signer. One storage slot.
    /// @param free not set aside for anybody
    /// @param exiting on its way out; still pays vouchers until it is withdrawn
    /// @param exitAt first second at which `exiting` can be withdrawn
    /// @param flags always zero
    struct Account {
        uint96 free;
        uint96 exiting;
        uint40 exitAt;
        uint24 flags;
    }

    /// @notice What one signer and one provider have between them. One storage slot; `paid` never exceeds `cap`.
    /// @param paid paid to the provider in this epoch
    /// @param cap paid plus what is set aside for the provider
    /// @param releaseAt 0, or the first second at which anybody may end the epoch
    /// @param epoch number of times the lane was released
    struct Lane {
        uint96 paid;
        uint96 cap;
        uint40 releaseAt;
        uint24 epoch;
    }

    /// @notice An amount is zero.
    error ZeroAmount();
    /// @notice The caller is neither the signer nor its owner.
    error NotAuthorized();
    /// @notice The fee is above 100 basis points.
    error FeeTooHigh(uint16 feeBps);
    /// @notice The window is not between one hour and thirty days.
    error WindowOutOfRange(uint40 window);
    /// @notice This address cannot be the provider of a lane.
    error InvalidProvider();
    /// @notice More is asked for than the account has free.
    error InsufficientFree(uint96 free);
    /// @notice There is nothing to withdraw.
    error NothingExiting();
    /// @notice The withdrawal may not go to this address.
    error RecipientNotAllowed();
    /// @notice The signer has an owner already.
    error OwnerAlreadySet();
    /// @notice The signature is not the signer's.
    error BadSignature();
    /// @notice The release was requested before.
    error AlreadyReleasing();
    /// @notice The lane is empty and no release was requested.
    error NothingToRelease();
    /// @notice Only the provider may release before a release was requested.
    error ReleaseNotRequested();
    /// @notice The lane has been released 2^24 - 1 times.
    error EpochExhausted();
    /// @notice There are no fees to collect.
    error NoFees();
    /// @notice Two lists that belong together have different lengths.
    error LengthMismatch();
    /// @notice The order came too late.
    error OrderExpired(uint40 deadline);
    /// @notice The order was used before, or another one comes first.
    /// @param expected the nonce an order of the same key must have now
    error InvalidNonce(uint64 expected);
    /// @notice The order names another relayer.
    error RelayerNotAllowed(address relayer);
    /// @notice The relayer's fee is more than what there is to pay it from.
    error RelayerFeeTooHigh(uint256 available);

    /// @notice Tokens were added to an account.
    /// @param from who paid; this contract, if a settlement was credited instead of being sent
    /// @param free what the account has free after the deposit
    event Deposited(address indexed signer, address indexed from, uint96 amount, uint96 free);
    /// @notice The signer, or provider, named its owner.
    event OwnerSet(address indexed signer, address indexed owner);
    /// @notice A batch of vouchers was applied. The lanes' `paid` grew by `amount + fee` altogether.
    /// @param amount the provider's part: sent or credited to its payee, less a relayer's fee if it agreed to one
    /// @param fee the treasury's part
    /// @param entries two words for each applied voucher, in order: signer | pulled << 160, where `pulled` is what left
    /// the account's `free`; and the lane after it: paid | cap << 96 | releaseAt << 192 | epoch << 232
    event Settled(address indexed provider, uint256 amount, uint256 fee, uint256[] entries);
    /// @notice `settle` took from what was on its way out. Comes before the `Settled` it belongs to.
    /// @param exiting what is left
    event AccountExitingUsed(address indexed signer, uint96 exiting);
    /// @notice The payer wants the lane's reservation back.
    /// @param releaseAt first second at which anybody may release the lane
    event ReleaseRequested(address indexed signer, address indexed provider, uint40 releaseAt);
    /// @notice A lane was emptied and its epoch ended.
    /// @param refunded went back to the account's `free`
    /// @param newEpoch epoch new vouchers must carry
    event Released(address indexed signer, address indexed provider, uint96 refunded, uint24 newEpoch);
    /// @notice Part of an account is on its way out.
    /// @param exiting total on its way out
    /// @param exitAt first second at which it can be withdrawn
    event ExitRequested(address indexed signer, uint96 exiting, uint40 exitAt);
    /// @notice What was on its way out has left.
    event Withdrawn(address indexed signer, address indexed to, uint96 amount);

    /// @notice Adds tokens of the caller to the account of `signer`.
    /// @dev Gives the caller no right over the account.
    /// @param amount more than zero; the caller must have allowed this contract to take it
    function deposit(address signer, uint96 amount) external;

    /// @notice `deposit` under the name and with the types that wallets and routers know from wrapped tokens.
    /// @param value more than zero, less than 2^96
    /// @return always true
    function depositFor(address account, uint256 value) external returns (bool);

    /// @notice Adds tokens of the caller to several accounts, with one transfer.
    /// @param amounts for each signer, more than zero
    function depositMany(address[] calldata signers, uint96[] calldata amounts) external;

    /// @notice `deposit` with an EIP-2612 permit of the caller for `amount`.
    /// @dev A permit that fails is ignored: if somebody else used it first, the allowance is there already.
    function depositWithPermit(address signer, uint96 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Adds tokens of `authorization.from` to the account of `signer`; anybody may bring the authorization.
    /// @dev For tokens with ERC-3009. The payer needs no gas and gives no allowance.
    /// @param amount more than zero; what the payer authorized
    function depositWithAuthorization(address signer, uint96 amount, Authorization calldata authorization) external;

    /// @notice Names, once and for ever, an address that may release and exit for `signer` beside the signer itself. If
    /// `signer` is a provider, its income goes there from then on.
    /// @dev Called by the signer (the signature is ignored), or by anybody with the signer's EIP-712 signature of
    /// `SetOwner(address owner)`.
    /// @param r first half of the signature
    /// @param vs second half, as in EIP-2098
    function setOwner(address signer, address owner, bytes32 r, bytes32 vs) external;

    /// @notice Redeems vouchers for `provider`. Anybody may call it; the money goes to `payeeOf(provider)`.
    /// @dev A voucher that is wrong, stale or not covered is left out and does not disturb the others. One that is
    /// partly covered is applied as far as the money goes and can be redeemed again for the rest.
    /// @return paidOut what left the payers' deposits: the provider's part and the fee
    function settle(address provider, Item[] calldata items) external returns (uint256 paidOut);

    /// @notice `settle` for vouchers that were continued with ticks.
    /// @dev A tick voucher owes `total + ticks * tickValue`. Ticks are preimages of its anchor: the word of tick k is
    /// hashed k times, keccak256(word, chain, i) with i from k down to 1, and must give the anchor that was signed,
    /// where chain = keccak256(abi.encode(DOMAIN_SEPARATOR, provider, epoch, total, tickValue)). An item is left out,
    /// too, if it claims more than `maxTicks`, if `maxTicks` is above 64, or if more is owed than `cap`.
    /// @return paidOut as in `settle`
    function settleTicks(address provider, TickItem[] calldata items) external returns (uint256 paidOut);

    /// @notice `settle` and `settleTicks` in one, with the money added to the deposit of `payeeOf(provider)` instead of
    /// being sent. By the provider or its owner.
    /// @dev Moves no tokens: the fee is left to `collectFees`. Cheaper for a provider that spends what it earns or
    /// settles often, and the way out if the token does not let the payee receive transfers.
    /// @return paidOut as in `settle`
    function settleToAccount(address provider, Item[] calldata items, TickItem[] calldata ticks)
        external
        returns (uint256 paidOut);

    /// @notice `settle` and `settleTicks` in one, brought by a relayer who is paid from what the provider gets. For
    /// providers without gas.
    /// @dev By the EIP-712 signature of the provider or its owner of `Settle(address provider,bytes32 items,
    /// bool toAccount,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline)` (no line break), where `items`
    /// is keccak256(abi.encode(items, ticks)).
    /// @param toAccount whether to credit the rest as in `settleToAccount`
    /// @param relay reverts if its fee is more than the provider's part
    /// @return paidOut as in `settle`
    function settleFor(
        address provider,
        Item[] calldata items,
        TickItem[] calldata ticks,
        bool toAccount,
        Relay calldata relay,
        Order calldata order
    ) external returns (uint256 paidOut);

    /// @notice Sends the fees that were not sent by settlements. By the treasury to any address, by anybody to the
    /// treasury.
    function collectFees(address to) external;

    /// @notice Asks for the reservation of a lane back. By the signer or its owner.
    /// @dev From now on no voucher raises the reservation. The provider has `WINDOW` seconds to redeem what it has.
    function requestRelease(address signer, address provider) external;

    /// @notice `requestRelease`, brought by anybody.
    /// @dev By the EIP-712 signature of the signer or its owner of
    /// `Release(address signer,address provider,uint64 nonce,uint40 deadline)`.
    function requestReleaseFor(address signer, address provider, Order calldata order) external;

    /// @notice Ends the epoch of a lane and gives what is set aside and not paid back to the signer's account. Vouchers
    /// of the ended epoch are void. By the provider at any time, by anybody `WINDOW` seconds after `requestRelease`.
    function release(address signer, address provider) external;

    /// @notice Takes `amount` out of `free`; it can be withdrawn after `WINDOW` seconds. By the signer or its owner.
    /// @dev A second request adds to the first and starts the time again for the whole.
    /// @param amount more than zero; the largest uint96 stands for all that is free
    function requestExit(address signer, uint96 amount) external;

    /// @notice `requestExit`, brought by anybody.
    /// @dev By the EIP-712 signature of the signer or its owner of
    /// `Exit(address signer,uint96 amount,uint64 nonce,uint40 deadline)`.
    function requestExitFor(address signer, uint96 amount, Order calldata order) external;

    /// @notice Pays out all that is on its way out, after its time. By the signer or its owner.
    /// @param to if the signer has an owner: the owner or the signer
    function withdraw(address signer, address to) external;

    /// @notice `withdraw`, brought by a relayer who is paid from what is withdrawn.
    /// @dev By the EIP-712 signature of the signer or its owner of `Withdraw(address signer,address to,address relayer,
    /// uint96 relayerFee,uint64 nonce,uint40 deadline)` (no line break).
    /// @param relay reverts if its fee is more than what is withdrawn
    function withdrawFor(address signer, address to, Relay calldata relay, Order calldata order) external;

    /// @notice The deposit of a signer; see `Account`.
    function accounts(address signer) external view returns (uint96 free, uint96 exiting, uint40 exitAt, uint24 flags);

    /// @notice The owner of a signer, zero if it has not named one.
    function owners(address signer) external view returns (address);

    /// @notice Who receives what a provider earns: its owner if it has named one, else the provider itself.
    function payeeOf(address provider) external view returns (address);

    /// @notice Nonce of the next order of a key, the number of its orders that were used.
    function nonces(address key) external view returns (uint64);

    /// @notice A lane; see `Lane`.
    function lanes(address signer, address provider)
        external
        view
        returns (uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch);

    /// @notice Receives the fee.
    function TREASURY() external view returns (address);

    /// @notice Fees that were taken and not sent yet: those of `settleToAccount`, and those the token refused to send.
    function uncollectedFees() external view returns (uint256);

    /// @notice Fee in basis points of every payment, 0 to 100.
    function FEE_BPS() external view returns (uint16);

    /// @notice EIP-712 domain separator on the current chain.
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    /// @notice What the signer signs for a voucher: the EIP-712 digest of
    /// `Voucher(address provider,uint24 epoch,uint96 total,uint96 cap)`.
    function voucherDigest(address provider, uint24 epoch, uint96 total, uint96 cap) external view returns (bytes32);

    /// @notice What the signer signs for a tick voucher: the EIP-712 digest of `TickVoucher(address provider,
    /// uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,uint16 maxTicks)` (no line break).
    function tickVoucherDigest(
        address provider,
        uint24 epoch,
        uint96 total,
        uint96 cap,
        bytes32 anchor,
        uint64 tickValue,
        uint16 maxTicks
    ) external view returns (bytes32);
}
