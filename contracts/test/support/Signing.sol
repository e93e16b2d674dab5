// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../../src/ILanes.sol";
import {MystToken} from "../../src/MystToken.sol";
import {Test} from "./Test.sol";

/// @dev Who takes part, and all that can be signed: vouchers, tick vouchers and orders.
abstract contract Signing is Test {
    uint16 internal constant FEE_BPS = 50;
    uint40 internal constant WINDOW = 24 hours;
    uint96 internal constant MIN_STAKE = 10 ether;

    MystToken internal token;
    ILanes internal lanes;

    uint256 internal constant SIGNER_KEY = uint256(keccak256("signer key"));
    uint256 internal constant PROVIDER_KEY = uint256(keccak256("provider"));
    address internal signer;
    address internal provider;
    address internal treasury;
    address internal funder;
    address internal stranger;

    // Vouchers

    /// @dev A voucher of `SIGNER_KEY` to `provider`, epoch 0.
    function voucher(uint96 total, uint96 cap) internal view returns (ILanes.Item memory) {
        return voucher(SIGNER_KEY, provider, 0, total, cap);
    }

    function voucher(uint256 key, address to, uint24 epoch, uint96 total, uint96 cap)
        internal
        view
        returns (ILanes.Item memory item)
    {
        item.word = packVoucher(epoch, total, cap);
        (item.r, item.vs) = vm.signCompact(key, lanes.voucherDigest(to, epoch, total, cap));
    }

    function packVoucher(uint24 epoch, uint96 total, uint96 cap) internal pure returns (uint256) {
        return uint256(total) << 160 | uint256(cap) << 64 | uint256(epoch) << 40;
    }

    function batch(ILanes.Item memory a) internal pure returns (ILanes.Item[] memory items) {
        items = new ILanes.Item[](1);
        items[0] = a;
    }

    function batch(ILanes.Item memory a, ILanes.Item memory b) internal pure returns (ILanes.Item[] memory items) {
        items = new ILanes.Item[](2);
        items[0] = a;
        items[1] = b;
    }

    // Tick vouchers

    /// @dev A chain of 64 ticks worth 0.01 ether each on top of a voucher of `SIGNER_KEY` to `provider`, epoch 0.
    struct TickVoucher {
        uint256 key;
        address provider;
        uint24 epoch;
        uint96 total;
        uint96 cap;
        uint64 tickValue;
        uint16 maxTicks;
    }

    function tickVoucher(uint96 total, uint96 cap) internal view returns (TickVoucher memory) {
        return TickVoucher(SIGNER_KEY, provider, 0, total, cap, 0.01 ether, 64);
    }

    /// @dev The word of tick `count` of a voucher's chain; that of the last tick is the hash of all its terms.
    function tickWord(TickVoucher memory v, uint256 count) internal view returns (bytes32 word) {
        bytes32 chain = keccak256(abi.encode(lanes.DOMAIN_SEPARATOR(), v.provider, v.epoch, v.total, v.tickValue));
        word = keccak256(abi.encode("last tick", v.key, chain));
        for (uint256 i = v.maxTicks; i > count; --i) {
            word = keccak256(abi.encode(word, chain, i));
        }
    }

    function tickItem(TickVoucher memory v, uint16 count) internal view returns (ILanes.TickItem memory item) {
        item.word = packVoucher(v.epoch, v.total, v.cap);
        item.ticks = uint256(v.tickValue) << 32 | uint256(v.maxTicks) << 16 | count;
        item.preimage = tickWord(v, count);
        (item.r, item.vs) = vm.signCompact(
            v.key,
            lanes.tickVoucherDigest(v.provider, v.epoch, v.total, v.cap, tickWord(v, 0), v.tickValue, v.maxTicks)
        );
    }

    function tickBatch(ILanes.TickItem memory a) internal pure returns (ILanes.TickItem[] memory items) {
        items = new ILanes.TickItem[](1);
        items[0] = a;
    }

    function noTicks() internal pure returns (ILanes.TickItem[] memory) {
        return new ILanes.TickItem[](0);
    }

    // Orders

    uint40 internal constant FOREVER = type(uint40).max;

    /// @dev An order of `key` for `structHash`, signed with 65 bytes.
    function signOrder(uint256 key, bytes32 structHash, uint64 nonce, uint40 deadline)
        internal
        view
        returns (ILanes.Order memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, typed(structHash));
        return ILanes.Order(nonce, deadline, abi.encodePacked(r, s, v));
    }

    /// @dev EIP-712 digest of a struct in the contract's domain.
    function typed(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", lanes.DOMAIN_SEPARATOR(), structHash));
    }

    function exitOrder(uint256 key, address who, uint96 amount, uint64 nonce, uint40 deadline)
        internal
        view
        returns (ILanes.Order memory)
    {
        bytes32 typehash = keccak256("Exit(address signer,uint96 amount,uint64 nonce,uint40 deadline)");
        return signOrder(key, keccak256(abi.encode(typehash, who, amount, nonce, deadline)), nonce, deadline);
    }

    function releaseOrder(uint256 key, address who, address whose, uint64 nonce, uint40 deadline)
        internal
        view
        returns (ILanes.Order memory)
    {
        bytes32 typehash = keccak256("Release(address signer,address provider,uint64 nonce,uint40 deadline)");
        return signOrder(key, keccak256(abi.encode(typehash, who, whose, nonce, deadline)), nonce, deadline);
    }

    function withdrawOrder(
        uint256 key,
        address who,
        address to,
        ILanes.Relay memory relay,
        uint64 nonce,
        uint40 deadline
    ) internal view returns (ILanes.Order memory) {
        bytes32 typehash = keccak256(
            "Withdraw(address signer,address to,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline)"
        );
        bytes32 structHash = keccak256(abi.encode(typehash, who, to, relay.relayer, relay.fee, nonce, deadline));
        return signOrder(key, structHash, nonce, deadline);
    }

    function settleOrder(
        uint256 key,
        address whose,
        ILanes.Item[] memory items,
        ILanes.TickItem[] memory ticks,
        bool toAccount,
        ILanes.Relay memory relay,
        uint64 nonce
    ) internal view returns (ILanes.Order memory) {
        bytes32 typehash = keccak256(
            "Settle(address provider,bytes32 items,bool toAccount,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline)"
        );
        bytes32 structHash = keccak256(
            abi.encode(
                typehash,
                whose,
                keccak256(abi.encode(items, ticks)),
                toAccount,
                relay.relayer,
                relay.fee,
                nonce,
                FOREVER
            )
        );
        return signOrder(key, structHash, nonce, FOREVER);
    }

    function feeOf(uint256 amount) internal pure returns (uint256) {
        return amount * FEE_BPS / 10_000;
    }
}
