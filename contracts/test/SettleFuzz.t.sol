// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {Vm} from "./support/Vm.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {SettleModel} from "./support/SettleModel.sol";

/// @dev `settle` against the model, and its promises whatever the vouchers say.
contract SettleFuzzTest is LanesFixture {
    uint96 private constant SCALE = 1000;

    struct Voucher {
        uint96 total;
        uint96 cap;
        uint24 epoch;
        bool forged;
    }

    /// @dev Any state of account and lane that the contract could be in, by way of its functions.
    function prepare(uint96 free, uint96 exiting, uint96 paid, uint96 cap, bool releasing, bool secondEpoch)
        private
        returns (SettleModel.State memory state)
    {
        if (secondEpoch) {
            depositFor(signer, 1);
            settle(voucher(0, 1));
            vm.prank(provider);
            lanes.release(signer, provider);
            vm.prank(signer);
            lanes.requestExit(signer, 1);
            vm.warp(block.timestamp + WINDOW);
            vm.prank(signer);
            lanes.withdraw(signer, stranger);
        }
        uint24 epoch = secondEpoch ? 1 : 0;
        if (cap != 0) {
            depositFor(signer, cap);
            settle(voucher(SIGNER_KEY, provider, epoch, paid, cap));
        }
        if (exiting != 0) {
            depositFor(signer, exiting);
            vm.prank(signer);
            lanes.requestExit(signer, exiting);
        }
        if (free != 0) depositFor(signer, free);
        if (releasing) {
            vm.prank(signer);
            lanes.requestRelease(signer, provider);
        }
        return current();
    }

    function current() private view returns (SettleModel.State memory state) {
        (state.account.free, state.account.exiting, state.account.exitAt, state.account.flags) = lanes.accounts(signer);
        (state.lane.paid, state.lane.cap, state.lane.releaseAt, state.lane.epoch) = lanes.lanes(signer, provider);
    }

    function assertSame(SettleModel.State memory left, SettleModel.State memory right) private pure {
        vm.assertEq(keccak256(abi.encode(left)), keccak256(abi.encode(right)));
    }

    function testFuzz_does_what_the_model_does(
        uint96[4] memory amounts,
        bool releasing,
        bool secondEpoch,
        Voucher[4] memory drafts
    ) public {
        for (uint256 i; i < 4; ++i) {
            amounts[i] = uint96(bound(amounts[i], 0, SCALE));
        }
        if (amounts[2] > amounts[3]) (amounts[2], amounts[3]) = (amounts[3], amounts[2]);
        SettleModel.State memory state =
            prepare(amounts[0], amounts[1], amounts[2], amounts[3], releasing, secondEpoch);

        ILanes.Item[] memory items = new ILanes.Item[](drafts.length);
        uint256[] memory entries = new uint256[](2 * drafts.length);
        uint256 used;
        uint256 paid;
        for (uint256 i; i < drafts.length; ++i) {
            Voucher memory draft = drafts[i];
            draft.total = uint96(bound(draft.total, 0, 3 * SCALE));
            draft.cap = uint96(bound(draft.cap, 0, 4 * SCALE));
            draft.epoch %= 2;
            items[i] =
                voucher(draft.forged ? SIGNER_KEY + 1 : SIGNER_KEY, provider, draft.epoch, draft.total, draft.cap);
            if (draft.forged) continue;
            SettleModel.Outcome memory out = SettleModel.apply_(state, draft.epoch, draft.total, draft.cap);
            if (!out.applied) continue;
            paid += out.pay;
            entries[used++] = uint256(uint160(signer)) | uint256(out.fromFree) << 160;
            entries[used++] = laneWord(state.lane.paid, state.lane.cap, state.lane.releaseAt, state.lane.epoch);
        }
        assembly ("memory-safe") {
            mstore(entries, used)
        }

        uint256 before = token.balanceOf(provider);
        vm.recordLogs();
        vm.assertEq(lanes.settle(provider, items), paid);
        assertSame(current(), state);
        vm.assertEq(token.balanceOf(provider) - before, paid - feeOf(paid));
        assertEntries(vm.getRecordedLogs(), entries, paid);
    }

    function assertEntries(Vm.Log[] memory logs, uint256[] memory entries, uint256 paid) private view {
        if (entries.length == 0) {
            vm.assertEq(logs.length, 0);
            return;
        }
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != address(lanes) || logs[i].topics[0] != ILanes.Settled.selector) continue;
            vm.assertEq(address(uint160(uint256(logs[i].topics[1]))), provider);
            vm.assertEq(keccak256(logs[i].data), keccak256(abi.encode(paid - feeOf(paid), feeOf(paid), entries)));
            return;
        }
        vm.assertTrue(false);
    }

    /// @dev The promise to the payer, for amounts of any size.
    function testFuzz_never_pays_more_than_the_largest_total_signed(uint96 funds, uint96[8] memory amounts) public {
        funds = uint96(bound(funds, 1, 1_000_000 ether));
        depositFor(signer, funds);
        uint96 largestTotal;
        uint96 largestCap;
        for (uint256 i; i < amounts.length; i += 2) {
            (uint96 total, uint96 cap) = (amounts[i], amounts[i + 1]);
            if (total <= cap) {
                if (total > largestTotal) largestTotal = total;
                if (cap > largestCap) largestCap = cap;
            }
            settle(voucher(total, cap));
        }
        (uint96 paid, uint96 reserved,,) = lanes.lanes(signer, provider);
        (uint96 free,,,) = lanes.accounts(signer);
        vm.assertLe(paid, largestTotal);
        vm.assertLe(reserved, largestCap);
        vm.assertLe(paid, reserved);
        vm.assertEq(uint256(free) + reserved, funds);
        vm.assertEq(token.balanceOf(provider) + token.balanceOf(treasury), paid);
    }

    /// @dev The promise to the provider: order, repetition and gaps do not change what it gets from a full deposit.
    function testFuzz_order_and_repetition_do_not_matter(uint96[4] memory totals, uint256 seed) public {
        depositFor(signer, 1_000_000 ether);
        uint96 largest;
        for (uint256 i; i < totals.length; ++i) {
            totals[i] = uint96(bound(totals[i], 0, 1_000_000 ether));
            if (totals[i] > largest) largest = totals[i];
        }
        ILanes.Item[] memory items = new ILanes.Item[](9);
        for (uint256 i; i < items.length; ++i) {
            uint96 total = totals[(seed >> (8 * i)) % totals.length];
            items[i] = voucher(total, total);
        }
        items[seed % items.length] = voucher(largest, largest);
        vm.assertEq(lanes.settle(provider, items), largest);
        assertLane(largest, largest, 0, 0);
    }
}
