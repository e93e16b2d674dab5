// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Accounts} from "./Accounts.sol";
import {ILanes} from "./ILanes.sol";
import {Registry} from "./Registry.sol";
import {SettleBatch} from "./SettleBatch.sol";
import {TickBatch} from "./TickBatch.sol";
import {Vault} from "./Vault.sol";

/// @title Lanes
/// @notice See ILanes and IRegistry for what the functions promise.
/// @dev The contract has no owner and cannot be paused or replaced. Its books are, in units of the token:
/// balance >= sum(free + exiting) + sum(cap - paid) + sum(stake) + uncollectedFees, with equality unless somebody sends
/// tokens here without calling a function (such tokens are lost).
contract Lanes is Accounts, Registry {
    using SettleBatch for SettleBatch.Receipt;

    bytes32 private constant RELEASE_TYPEHASH =
        keccak256("Release(address signer,address provider,uint64 nonce,uint40 deadline)");
    bytes32 private constant SETTLE_TYPEHASH = keccak256(
        "Settle(address provider,bytes32 items,bool toAccount,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline)"
    );

    uint16 private constant MAX_FEE_BPS = 100;
    uint40 private constant MIN_WINDOW = 1 hours;
    uint40 private constant MAX_WINDOW = 30 days;
    uint256 private constant BPS = 10_000;

    /// @inheritdoc ILanes
    address public immutable override TREASURY;
    /// @inheritdoc ILanes
    uint16 public immutable override FEE_BPS;

    /// @inheritdoc ILanes
    uint256 public override uncollectedFees;

    /// @dev Provider first, so that a batch hashes it once.
    mapping(address provider => mapping(address signer => Lane)) private _lanes;

    /// @notice Fixes the token and the parameters for ever.
    /// @param token ERC-20 token without fees on transfer; permits and authorizations are optional
    /// @param treasury receives the fee
    /// @param feeBps fee in basis points, 0 to 100
    /// @param window delay of releases, exits and of leaving the registry: 1 hour to 30 days, in seconds
    /// @param minStake smallest stake of a provider
    constructor(address token, address treasury, uint16 feeBps, uint40 window, uint96 minStake)
        Vault(token, window)
        Registry(minStake)
        EIP712("Mysterium Lanes", "1")
    {
        if (treasury == address(0) || treasury == address(this)) revert ZeroAddress();
        if (feeBps > MAX_FEE_BPS) revert FeeTooHigh(feeBps);
        if (window < MIN_WINDOW || window > MAX_WINDOW) revert WindowOutOfRange(window);
        TREASURY = treasury;
        FEE_BPS = feeBps;
    }

    // Settling

    /// @inheritdoc ILanes
    function settle(address provider, Item[] calldata items) external override nonReentrant returns (uint256 paidOut) {
        uint256 fee;
        (paidOut, fee) = _applyItems(provider, items);
        _payOut(provider, paidOut, fee);
    }

    /// @inheritdoc ILanes
    function settleTicks(address provider, TickItem[] calldata items)
        external
        override
        nonReentrant
        returns (uint256 paidOut)
    {
        uint256 fee;
        (paidOut, fee) = _applyTicks(provider, items);
        _payOut(provider, paidOut, fee);
    }

    /// @inheritdoc ILanes
    function settleToAccount(address provider, Item[] calldata items, TickItem[] calldata ticks)
        external
        override
        nonReentrant
        returns (uint256 paidOut)
    {
        _requireSignerOrOwner(provider);
        uint256 fee;
        (paidOut, fee) = _applyAll(provider, items, ticks);
        if (paidOut != fee) _credit(payeeOf(provider), address(this), _toUint96(paidOut - fee));
        uncollectedFees += fee;
    }

    /// @inheritdoc ILanes
    function settleFor(
        address provider,
        Item[] calldata items,
        TickItem[] calldata ticks,
        bool toAccount,
        Relay calldata relay,
        Order calldata order
    ) external override nonReentrant returns (uint256 paidOut) {
        bytes32 structHash = keccak256(
            abi.encode(
                SETTLE_TYPEHASH,
                provider,
                keccak256(abi.encode(items, ticks)),
                toAccount,
                relay.relayer,
                relay.fee,
                order.nonce,
                order.deadline
            )
        );
        _useOrder(provider, structHash, order);
        uint256 fee;
        (paidOut, fee) = _applyAll(provider, items, ticks);
        uint256 rest = _payRelayer(relay, paidOut - fee);
        if (rest != 0) {
            address payee = payeeOf(provider);
            if (toAccount) _credit(payee, address(this), _toUint96(rest));
            else _push(payee, rest);
        }
        if (toAccount) uncollectedFees += fee;
        else _payFee(fee);
    }

    function _applyAll(address provider, Item[] calldata items, TickItem[] calldata ticks)
        private
        returns (uint256 paidOut, uint256 fee)
    {
        (paidOut, fee) = _applyItems(provider, items);
        (uint256 paidForTicks, uint256 feeOfTicks) = _applyTicks(provider, ticks);
        paidOut += paidForTicks;
        fee += feeOfTicks;
    }

    /// @dev Brings the books up to date; `paidOut` has then left them, including the fee, and must be sent or credited.
    function _applyItems(address provider, Item[] calldata items) private returns (uint256 paidOut, uint256 fee) {
        _requireProvider(provider);
        SettleBatch.Receipt receipt =
            SettleBatch.run(_lanes[provider], accounts, _domainSeparatorV4(), provider, items);
        if (receipt.isEmpty()) return (0, 0);
        paidOut = receipt.paidOut();
        fee = paidOut * FEE_BPS / BPS;
        receipt.emitSettled(provider, paidOut - fee, fee);
    }

    /// @dev `_applyItems` for tick vouchers.
    function _applyTicks(address provider, TickItem[] calldata items) private returns (uint256 paidOut, uint256 fee) {
        _requireProvider(provider);
        uint256[] memory entries;
        (paidOut, entries) = TickBatch.run(_lanes[provider], accounts, _domainSeparatorV4(), provider, items);
        if (entries.length == 0) return (0, 0);
        fee = paidOut * FEE_BPS / BPS;
        emit Settled(provider, paidOut - fee, fee, entries);
    }

    function _payOut(address provider, uint256 paidOut, uint256 fee) private {
        if (paidOut != 0) _push(payeeOf(provider), paidOut - fee);
        _payFee(fee);
    }

    /// @dev A treasury that the token does not pay can collect the fee later; it cannot stop payments to providers.
    function _payFee(uint256 fee) private {
        if (fee != 0 && !_tryPush(TREASURY, fee)) uncollectedFees += fee;
    }

    /// @inheritdoc ILanes
    function collectFees(address to) external override nonReentrant {
        if (to != TREASURY && (msg.sender != TREASURY || to == address(this))) revert RecipientNotAllowed();
        if (to == address(0)) revert ZeroAddress();
        uint256 fees = uncollectedFees;
        if (fees == 0) revert NoFees();
        uncollectedFees = 0;
        _push(to, fees);
    }

    // Releasing

    /// @inheritdoc ILanes
    function requestRelease(address signer, address provider) external override nonReentrant {
        _requireSignerOrOwner(signer);
        _requestRelease(signer, provider);
    }

    /// @inheritdoc ILanes
    function requestReleaseFor(address signer, address provider, Order calldata order) external override nonReentrant {
        bytes32 structHash = keccak256(abi.encode(RELEASE_TYPEHASH, signer, provider, order.nonce, order.deadline));
        _useOrder(signer, structHash, order);
        _requestRelease(signer, provider);
    }

    /// @inheritdoc ILanes
    function release(address signer, address provider) external override nonReentrant {
        Lane memory lane = _lanes[provider][signer];
        if (msg.sender != provider) {
            if (lane.releaseAt == 0) revert ReleaseNotRequested();
            _requireReached(lane.releaseAt);
        } else if (lane.cap == 0 && lane.releaseAt == 0) {
            revert NothingToRelease();
        }
        if (lane.epoch == type(uint24).max) revert EpochExhausted();
        uint24 newEpoch = lane.epoch + 1;
        uint96 refunded = lane.cap - lane.paid;
        _lanes[provider][signer] = Lane({paid: 0, cap: 0, releaseAt: 0, epoch: newEpoch});
        if (refunded != 0) accounts[signer].free += refunded;
        emit Released(signer, provider, refunded, newEpoch);
    }

    function _requestRelease(address signer, address provider) private {
        _requireProvider(provider);
        Lane storage lane = _lanes[provider][signer];
        if (lane.releaseAt != 0) revert AlreadyReleasing();
        uint40 releaseAt = _afterWindow();
        lane.releaseAt = releaseAt;
        emit ReleaseRequested(signer, provider, releaseAt);
    }

    // Reading

    /// @inheritdoc ILanes
    function lanes(address signer, address provider)
        external
        view
        override
        returns (uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch)
    {
        Lane memory lane = _lanes[provider][signer];
        return (lane.paid, lane.cap, lane.releaseAt, lane.epoch);
    }

    /// @inheritdoc ILanes
    function payeeOf(address provider) public view override returns (address) {
        address owner = owners[provider];
        return owner == address(0) ? provider : owner;
    }

    /// @inheritdoc ILanes
    function DOMAIN_SEPARATOR() external view override returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ILanes
    function voucherDigest(address provider, uint24 epoch, uint96 total, uint96 cap)
        external
        view
        override
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(SettleBatch.VOUCHER_TYPEHASH, provider, epoch, total, cap)));
    }

    /// @inheritdoc ILanes
    function tickVoucherDigest(
        address provider,
        uint24 epoch,
        uint96 total,
        uint96 cap,
        bytes32 anchor,
        uint64 tickValue,
        uint16 maxTicks
    ) external view override returns (bytes32) {
        return _hashTypedDataV4(TickBatch.hash(provider, epoch, total, cap, anchor, tickValue, maxTicks));
    }

    function _requireProvider(address provider) private view {
        if (provider == address(0) || provider == address(this)) revert InvalidProvider();
    }
}
