// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ILanes} from "./ILanes.sol";

/// @title The loop of `settleTicks`
/// @dev The rules of SettleBatch for vouchers that were continued with a chain of hashes. Ticks are for weak devices
/// and small chunks and are turned into plain vouchers as soon as possible, so this runs rarely and is written for the
/// reader. No step of it can revert.
library TickBatch {
    bytes32 internal constant TICK_VOUCHER_TYPEHASH = keccak256(
        "TickVoucher(address provider,uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,uint16 maxTicks)"
    );

    uint256 private constant MAX_TICKS = 64;

    /// @dev What a tick voucher with its newest tick amounts to.
    struct Claim {
        address signer;
        uint24 epoch;
        uint96 total;
        uint96 cap;
    }

    /// @dev Applies `items` to the lanes of `provider` and the accounts of their signers.
    /// @param separator EIP-712 domain separator
    /// @return paidOut sum of the payments
    /// @return entries those of the `Settled` event
    function run(
        mapping(address signer => ILanes.Lane) storage lanesOfProvider,
        mapping(address signer => ILanes.Account) storage accounts,
        bytes32 separator,
        address provider,
        ILanes.TickItem[] calldata items
    ) internal returns (uint256 paidOut, uint256[] memory entries) {
        entries = new uint256[](2 * items.length);
        uint256 used;
        for (uint256 i; i < items.length; ++i) {
            (bool good, Claim memory claim) = read(separator, provider, items[i]);
            if (!good) continue;
            ILanes.Lane memory lane = lanesOfProvider[claim.signer];
            if (claim.epoch != lane.epoch) continue;
            (uint96 pay, uint96 fromFree, bool changed) = apply_(lane, accounts[claim.signer], claim);
            if (!changed) continue;
            lanesOfProvider[claim.signer] = lane;
            paidOut += pay;
            entries[used++] = uint256(fromFree) << 160 | uint160(claim.signer);
            entries[used++] =
                uint256(lane.epoch) << 232 | uint256(lane.releaseAt) << 192 | uint256(lane.cap) << 96 | lane.paid;
        }
        assembly ("memory-safe") {
            mstore(entries, used)
        }
    }

    /// @dev The EIP-712 hash of the struct, without the domain.
    function hash(
        address provider,
        uint24 epoch,
        uint96 total,
        uint96 cap,
        bytes32 anchor,
        uint64 tickValue,
        uint16 maxTicks
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(TICK_VOUCHER_TYPEHASH, provider, epoch, total, cap, anchor, tickValue, maxTicks));
    }

    /// @dev Checks an item and recovers its signer. The anchor is not part of it: it is what the preimage hashes to,
    /// and with another one the signature would be somebody else's.
    function read(bytes32 separator, address provider, ILanes.TickItem calldata item)
        private
        pure
        returns (bool good, Claim memory claim)
    {
        (uint256 word, uint256 ticks) = (item.word, item.ticks);
        uint64 tickValue = uint64(ticks >> 32);
        uint16 maxTicks = uint16(ticks >> 16);
        uint256 count = uint16(ticks);
        if (uint40(word) != 0 || ticks >> 96 != 0 || maxTicks > MAX_TICKS || count > maxTicks) return (false, claim);

        uint96 total = uint96(word >> 160);
        claim.cap = uint96(word >> 64);
        claim.epoch = uint24(word >> 40);
        uint256 owed = total + count * tickValue;
        if (owed > claim.cap) return (false, claim);
        claim.total = uint96(owed);

        bytes32 chain = keccak256(abi.encode(separator, provider, claim.epoch, total, tickValue));
        bytes32 anchor = rewind(item.preimage, chain, count);
        bytes32 structHash = hash(provider, claim.epoch, total, claim.cap, anchor, tickValue, maxTicks);
        bytes32 digest = MessageHashUtils.toTypedDataHash(separator, structHash);
        (claim.signer,,) = ECDSA.tryRecover(digest, item.r, item.vs);
        return (claim.signer != address(0), claim);
    }

    /// @dev Walks a chain from the word of tick `count` to its anchor.
    function rewind(bytes32 word, bytes32 chain, uint256 count) private pure returns (bytes32 anchor) {
        assembly ("memory-safe") {
            // Beyond what is allocated, and forgotten afterwards.
            let work := mload(0x40)
            mstore(add(work, 0x20), chain)
            for {} count { count := sub(count, 1) } {
                mstore(work, word)
                mstore(add(work, 0x40), count)
                word := keccak256(work, 0x60)
            }
            anchor := word
        }
    }

    /// @dev Applies a claim to a lane in memory and an account in storage.
    function apply_(ILanes.Lane memory lane, ILanes.Account storage stored, Claim memory claim)
        private
        returns (uint96 pay, uint96 fromFree, bool changed)
    {
        // A lane that is being released owes what is owed, but sets nothing more aside.
        uint96 wanted = lane.releaseAt == 0 ? claim.cap : claim.total;
        uint96 fromExiting;
        if (wanted > lane.cap) {
            ILanes.Account memory account = stored;
            fromFree = smaller(wanted - lane.cap, account.free);
            lane.cap += fromFree;
            if (claim.total > lane.cap) {
                fromExiting = smaller(claim.total - lane.cap, account.exiting);
                lane.cap += fromExiting;
            }
            if (fromFree != 0 || fromExiting != 0) {
                account.free -= fromFree;
                account.exiting -= fromExiting;
                stored.free = account.free;
                stored.exiting = account.exiting;
            }
            if (fromExiting != 0) emit ILanes.AccountExitingUsed(claim.signer, account.exiting);
        }
        uint96 paid = smaller(claim.total, lane.cap);
        if (paid > lane.paid) {
            pay = paid - lane.paid;
            lane.paid = paid;
        }
        changed = pay != 0 || fromFree != 0 || fromExiting != 0;
    }

    function smaller(uint96 a, uint96 b) private pure returns (uint96) {
        return a < b ? a : b;
    }
}
