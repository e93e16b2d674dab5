// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "./ILanes.sol";

/// @title The loop of `settle`
/// @dev Written in assembly because it runs once for each voucher; what it does is written for the reader in
/// test/support/SettleModel.sol, and a fuzz test compares the two. No step of it can revert, and it calls nothing but
/// the signature recovery at address 1.
///
/// Fields of a packed word never reach into each other: those of an account are only lowered, by at most their value,
/// and those of a lane only raised, to at most what the voucher says, which is 96 bits wide.
library SettleBatch {
    bytes32 internal constant VOUCHER_TYPEHASH =
        keccak256("Voucher(address provider,uint24 epoch,uint96 total,uint96 cap)");

    /// @dev The data of a `Settled` event under construction, in memory. Its head of four words is written at the end;
    /// until then it holds the sum of the payments and the size of the data in bytes.
    type Receipt is uint256;

    uint256 private constant HEAD = 0x80;
    uint256 private constant MASK96 = 0xffffffffffffffffffffffff;
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @dev Applies `items` to the lanes of `provider` and the accounts of their signers.
    /// @param separator EIP-712 domain separator
    function run(
        mapping(address signer => ILanes.Lane) storage lanesOfProvider,
        mapping(address signer => ILanes.Account) storage accounts,
        bytes32 separator,
        address provider,
        ILanes.Item[] calldata items
    ) internal returns (Receipt receipt) {
        bytes32 voucherTypehash = VOUCHER_TYPEHASH;
        bytes32 exitingUsedTopic = ILanes.AccountExitingUsed.selector;
        assembly ("memory-safe") {
            // What is hashed and recovered lies at fixed distances from `work`:
            //   0x000  typehash, provider, epoch, total, cap
            //   0x0a0  0x1901, separator, hash of the voucher; 66 bytes
            //   0x100  digest, v, r, s
            //   0x180  the receipt
            let work := mload(0x40)
            mstore(work, voucherTypehash)
            mstore(add(work, 0x20), and(provider, shr(96, not(0))))
            mstore(add(work, 0xa0), shl(240, 0x1901))
            mstore(add(work, 0xa2), separator)

            // The two words of the next entry. While a voucher is worked on they also serve as the key of a mapping:
            // the recovered signer is there already, and the second word is free until the end.
            let entry := add(work, 0x200)
            let left := items.length
            mstore(0x40, add(entry, shl(6, left)))
            let paidSum := 0

            for { let item := items.offset } left {
                item := add(item, 0x60)
                left := sub(left, 1)
            } {
                let total := calldataload(item)
                let cap := and(shr(64, total), MASK96)
                let s := calldataload(add(item, 0x40))
                mstore(add(work, 0x40), and(shr(40, total), 0xffffff))
                mstore(add(work, 0x120), add(27, shr(255, s)))
                s := shr(1, shl(1, s))
                if or(or(shl(216, total), gt(shr(160, total), cap)), gt(s, HALF_ORDER)) { continue }
                total := shr(160, total)

                mstore(add(work, 0x60), total)
                mstore(add(work, 0x80), cap)
                mstore(add(work, 0xc2), keccak256(work, 0xa0))
                mstore(add(work, 0x100), keccak256(add(work, 0xa0), 0x42))
                mstore(add(work, 0x140), calldataload(add(item, 0x20)))
                mstore(add(work, 0x160), s)
                // The answer has 32 bytes and is not zero, or it has no bytes at all.
                pop(staticcall(gas(), 1, add(work, 0x100), 0x80, entry, 0x20))
                if iszero(returndatasize()) { continue }

                mstore(add(entry, 0x20), lanesOfProvider.slot)
                let slot := keccak256(entry, 0x40)
                let lane := sload(slot)
                if xor(shr(232, lane), mload(add(work, 0x40))) { continue }
                if shl(216, shr(192, lane)) { cap := total }
                let laneCap := and(shr(96, lane), MASK96)
                let change := 0 // to be added to the lane
                if gt(cap, laneCap) {
                    mstore(add(entry, 0x20), accounts.slot)
                    let accountSlot := keccak256(entry, 0x40)
                    let account := sload(accountSlot)
                    let pulled := sub(cap, laneCap)
                    if gt(pulled, and(account, MASK96)) { pulled := and(account, MASK96) }
                    account := sub(account, pulled)
                    mstore(entry, or(mload(entry), shl(160, pulled)))
                    change := shl(96, pulled)
                    laneCap := add(laneCap, pulled)
                    if gt(total, laneCap) {
                        // `free` is used up; what is owed comes from `exiting`.
                        let exiting := and(shr(96, account), MASK96)
                        pulled := sub(total, laneCap)
                        if gt(pulled, exiting) {
                            pulled := exiting
                            total := add(laneCap, exiting)
                        }
                        if pulled {
                            account := sub(account, shl(96, pulled))
                            change := add(change, shl(96, pulled))
                            mstore(0, sub(exiting, pulled))
                            log2(0, 0x20, exitingUsedTopic, and(mload(entry), shr(96, not(0))))
                        }
                    }
                    sstore(accountSlot, account)
                }
                // `total` is now what will have been paid, unless more has been paid before.
                let paid := and(lane, MASK96)
                let pay := mul(sub(total, paid), gt(total, paid))
                paidSum := add(paidSum, pay)
                change := add(change, pay)
                if iszero(change) { continue }

                lane := add(lane, change)
                sstore(slot, lane)
                mstore(add(entry, 0x20), lane)
                entry := add(entry, 0x40)
            }
            receipt := add(work, 0x180)
            mstore(receipt, paidSum)
            mstore(add(receipt, 0x20), sub(entry, receipt))
        }
    }

    /// @dev Whether no voucher was applied.
    function isEmpty(Receipt receipt) internal pure returns (bool empty) {
        assembly ("memory-safe") {
            empty := eq(mload(add(receipt, 0x20)), HEAD)
        }
    }

    /// @dev Sum of the payments.
    function paidOut(Receipt receipt) internal pure returns (uint256 sum) {
        assembly ("memory-safe") {
            sum := mload(receipt)
        }
    }

    /// @dev Emits `ILanes.Settled`. The receipt cannot be used afterwards.
    function emitSettled(Receipt receipt, address provider, uint256 amount, uint256 fee) internal {
        bytes32 topic = ILanes.Settled.selector;
        assembly ("memory-safe") {
            let size := mload(add(receipt, 0x20))
            mstore(receipt, amount)
            mstore(add(receipt, 0x20), fee)
            mstore(add(receipt, 0x40), 0x60)
            mstore(add(receipt, 0x60), shr(5, sub(size, HEAD)))
            log2(receipt, size, topic, and(provider, shr(96, not(0))))
        }
    }
}
