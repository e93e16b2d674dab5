// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {SettleModel} from "./support/SettleModel.sol";
import {Vm} from "./support/Vm.sol";

contract TicksTest is LanesFixture {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    uint256 private goodKey = 1000;

    function setUp() public override {
        super.setUp();
        depositFor(signer, 10 ether);
    }

    function settleTicks(ILanes.TickItem memory item) private returns (uint256) {
        return lanes.settleTicks(provider, tickBatch(item));
    }

    /// @dev Alone it does nothing, and another one in the same batch is paid.
    function expectSkipped(ILanes.TickItem memory bad) private {
        (uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch) = lanes.lanes(signer, provider);
        (uint96 free, uint96 exiting, uint40 exitAt,) = lanes.accounts(signer);
        vm.recordLogs();
        vm.assertEq(settleTicks(bad), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);

        TickVoucher memory other = tickVoucher(1 ether, 2 ether);
        other.key = ++goodKey;
        depositFor(vm.addr(goodKey), 10 ether);
        ILanes.TickItem[] memory items = new ILanes.TickItem[](2);
        (items[0], items[1]) = (bad, tickItem(other, 3));
        vm.assertEq(lanes.settleTicks(provider, items), 1.03 ether);
        assertLane(paid, cap, releaseAt, epoch);
        assertAccount(signer, free, exiting, exitAt);
    }

    // What is paid

    function test_pays_the_total_and_each_tick() public {
        vm.prank(stranger);
        vm.assertEq(settleTicks(tickItem(tickVoucher(1 ether, 2 ether), 5)), 1.05 ether);
        assertLane(1.05 ether, 2 ether, 0, 0);
        assertAccount(signer, 8 ether, 0, 0);
        vm.assertEq(token.balanceOf(provider), 1.05 ether - feeOf(1.05 ether));
        vm.assertEq(token.balanceOf(treasury), feeOf(1.05 ether));
    }

    function test_without_ticks_it_is_a_voucher() public {
        vm.assertEq(settleTicks(tickItem(tickVoucher(1 ether, 2 ether), 0)), 1 ether);
        assertLane(1 ether, 2 ether, 0, 0);
    }

    function test_the_last_tick() public {
        vm.assertEq(settleTicks(tickItem(tickVoucher(0, 2 ether), 64)), 0.64 ether);
    }

    function test_each_number_of_ticks() public {
        TickVoucher memory v = tickVoucher(0, 2 ether);
        for (uint16 i = 1; i <= 64; ++i) {
            vm.assertEq(settleTicks(tickItem(v, i)), 0.01 ether);
        }
        assertLane(0.64 ether, 2 ether, 0, 0);
    }

    function test_ticks_up_to_the_cap_itself() public {
        vm.assertEq(settleTicks(tickItem(tickVoucher(1 ether, 1.05 ether), 5)), 1.05 ether);
    }

    function test_a_later_tick_pays_the_difference_and_an_earlier_one_nothing() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        settleTicks(tickItem(v, 5));
        vm.assertEq(settleTicks(tickItem(v, 9)), 0.04 ether);
        vm.assertEq(settleTicks(tickItem(v, 5)), 0);
        vm.assertEq(settleTicks(tickItem(v, 9)), 0);
        assertLane(1.09 ether, 2 ether, 0, 0);
    }

    function test_vouchers_and_ticks_count_the_same_total() public {
        settleTicks(tickItem(tickVoucher(1 ether, 2 ether), 5));
        vm.assertEq(settle(voucher(1.05 ether, 2 ether)), 0);
        vm.assertEq(settle(voucher(1.5 ether, 2 ether)), 0.45 ether);
        vm.assertEq(settleTicks(tickItem(tickVoucher(1 ether, 2 ether), 20)), 0);
    }

    function test_pays_as_far_as_the_deposit_goes_and_the_rest_later() public {
        ILanes.TickItem memory item = tickItem(tickVoucher(10 ether, 11 ether), 10);
        vm.assertEq(settleTicks(item), 10 ether);
        depositFor(signer, 5 ether);
        vm.assertEq(settleTicks(item), 0.1 ether);
        assertLane(10.1 ether, 11 ether, 0, 0);
    }

    function test_ticks_are_paid_from_what_is_on_its_way_out() public {
        vm.prank(signer);
        lanes.requestExit(signer, 9.5 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.AccountExitingUsed(signer, 8.95 ether);
        settleTicks(tickItem(tickVoucher(1 ether, 4 ether), 5));
        assertLane(1.05 ether, 1.05 ether, 0, 0);
    }

    function test_while_releasing_ticks_are_paid_and_nothing_is_reserved() public {
        settleTicks(tickItem(tickVoucher(1 ether, 2 ether), 0));
        vm.prank(signer);
        lanes.requestRelease(signer, provider);
        uint40 due = uint40(block.timestamp) + WINDOW;
        vm.assertEq(settleTicks(tickItem(tickVoucher(3 ether, 9 ether), 7)), 2.07 ether);
        assertLane(3.07 ether, 3.07 ether, due, 0);
    }

    function test_the_event_is_that_of_settle() public {
        uint256[] memory entries = new uint256[](2);
        entries[0] = uint160(signer) | uint256(2 ether) << 160;
        entries[1] = laneWord(1.05 ether, 2 ether, 0, 0);
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        uint256 fee = feeOf(1.05 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Settled(provider, 1.05 ether - fee, fee, entries);
        settleTicks(item);
    }

    function test_an_empty_batch_does_nothing() public {
        vm.recordLogs();
        vm.assertEq(lanes.settleTicks(provider, noTicks()), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_rejects_an_impossible_provider() public {
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.settleTicks(address(0), noTicks());
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.settleTicks(address(lanes), noTicks());
    }

    // What is left out

    function test_a_tick_that_was_not_revealed() public {
        // Whoever has tick 5 can compute 4 and the anchor, but not 6.
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        ++item.ticks;
        expectSkipped(item);
    }

    function test_the_word_of_one_tick_is_not_that_of_another() public {
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        --item.ticks;
        expectSkipped(item);
    }

    function test_a_word_that_is_none() public {
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        item.preimage = ~item.preimage;
        expectSkipped(item);
    }

    function test_more_ticks_than_agreed() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        v.maxTicks = 4;
        ILanes.TickItem memory item = tickItem(v, 4);
        item.ticks = uint256(v.tickValue) << 32 | uint256(4) << 16 | 5;
        expectSkipped(item);
        item.ticks = uint256(v.tickValue) << 32 | uint256(5) << 16 | 4;
        expectSkipped(item);
    }

    /// @dev The payer's chain goes on behind the last tick it agreed to pay.
    function test_a_tick_behind_the_last_one_agreed() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        ILanes.TickItem memory item = tickItem(v, 5);
        item.ticks = uint256(v.tickValue) << 32 | uint256(4) << 16 | 5;
        bytes32 digest = lanes.tickVoucherDigest(provider, 0, v.total, v.cap, tickWord(v, 0), v.tickValue, 4);
        (item.r, item.vs) = vm.signCompact(SIGNER_KEY, digest);
        expectSkipped(item);
        --item.ticks;
        item.preimage = tickWord(v, 4);
        vm.assertEq(settleTicks(item), 1.04 ether);
    }

    function test_a_chain_of_more_than_64() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        v.maxTicks = 65;
        expectSkipped(tickItem(v, 0));
        expectSkipped(tickItem(v, 65));
    }

    function test_another_value_of_a_tick_than_the_signed_one() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        ILanes.TickItem memory item = tickItem(v, 5);
        item.ticks = uint256(v.tickValue + 1) << 32 | uint256(64) << 16 | 5;
        expectSkipped(item);
    }

    function test_ticks_above_the_cap() public {
        expectSkipped(tickItem(tickVoucher(1 ether, 1.05 ether), 6));
    }

    function test_a_sum_of_more_than_96_bits() public {
        TickVoucher memory v = tickVoucher(type(uint96).max, type(uint96).max);
        v.tickValue = type(uint64).max;
        expectSkipped(tickItem(v, 64));
    }

    function test_another_total_or_cap_than_the_signed_one() public {
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        item.word = packVoucher(0, 2 ether, 2.1 ether);
        expectSkipped(item);
        item.word = packVoucher(0, 1 ether, 3 ether);
        expectSkipped(item);
    }

    /// @dev A chain belongs to one voucher: an anchor that is signed a second time does not revive its ticks.
    function test_ticks_of_another_voucher_with_the_same_anchor() public {
        TickVoucher memory old = tickVoucher(1 ether, 2 ether);
        TickVoucher memory next = tickVoucher(2 ether, 4 ether);
        ILanes.TickItem memory item = tickItem(next, 5);
        item.preimage = tickWord(old, 5);
        (item.r, item.vs) = vm.signCompact(
            SIGNER_KEY, lanes.tickVoucherDigest(provider, 0, 2 ether, 4 ether, tickWord(old, 0), next.tickValue, 64)
        );
        expectSkipped(item);
    }

    function test_a_past_and_a_future_epoch() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        ILanes.TickItem memory old = tickItem(v, 5);
        settleTicks(tickItem(v, 1));
        vm.prank(provider);
        lanes.release(signer, provider);
        expectSkipped(old);
        v.epoch = 2;
        expectSkipped(tickItem(v, 5));
        v.epoch = 1;
        vm.assertEq(settleTicks(tickItem(v, 5)), 1.05 ether);
    }

    function test_another_provider() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        v.provider = stranger;
        expectSkipped(tickItem(v, 5));
    }

    function test_another_chain_and_another_contract() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        vm.chainId(1001);
        ILanes.TickItem memory item = tickItem(v, 5);
        vm.chainId(1002);
        expectSkipped(item);
        ILanes here = lanes;
        lanes = newLanes(FEE_BPS);
        item = tickItem(v, 5);
        lanes = here;
        expectSkipped(item);
    }

    function test_signatures_that_are_none() public {
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
        (bytes32 r, bytes32 vs) = (item.r, item.vs);
        item.r = bytes32(ORDER);
        expectSkipped(item);
        (item.r, item.vs) = (r, 0);
        expectSkipped(item);
        item.vs = bytes32(uint256(vs) ^ (1 << 255));
        expectSkipped(item);
        (item.r, item.vs) = (0, 0);
        expectSkipped(item);
    }

    /// @dev Any r and s are a signature of somebody; here of two signers, with s on either side of the limit.
    function test_a_high_s() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        ILanes.TickItem memory item = tickItem(v, 5);
        bytes32 digest = lanes.tickVoucherDigest(provider, 0, v.total, v.cap, tickWord(v, 0), v.tickValue, v.maxTicks);
        item.r = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
        uint256 limit = ORDER / 2;

        item.vs = bytes32(limit + 1);
        signer = ecrecover(digest, 27, item.r, item.vs);
        depositFor(signer, 2 ether);
        expectSkipped(item);

        item.vs = bytes32(limit);
        signer = ecrecover(digest, 27, item.r, item.vs);
        depositFor(signer, 2 ether);
        vm.assertEq(settleTicks(item), 1.05 ether);
    }

    function test_a_voucher_is_no_tick_voucher_and_the_reverse() public {
        ILanes.Item memory plain = voucher(1 ether, 2 ether);
        ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 0);
        vm.assertEq(settle(ILanes.Item(item.word, item.r, item.vs)), 0);
        (item.r, item.vs) = (plain.r, plain.vs);
        expectSkipped(item);
    }

    function test_bits_that_must_be_zero() public {
        for (uint256 bit; bit < 40; ++bit) {
            ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
            item.word |= 1 << bit;
            vm.assertEq(settleTicks(item), 0);
        }
        for (uint256 bit = 96; bit < 256; ++bit) {
            ILanes.TickItem memory item = tickItem(tickVoucher(1 ether, 2 ether), 5);
            item.ticks |= 1 << bit;
            vm.assertEq(settleTicks(item), 0);
        }
    }

    function test_a_payer_without_deposit() public {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        v.key = 102;
        expectSkipped(tickItem(v, 5));
    }

    function testFuzz_no_batch_of_noise_reverts_or_moves_anything(ILanes.TickItem[] memory items) public {
        vm.recordLogs();
        vm.assertEq(lanes.settleTicks(provider, items), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        assertAccount(signer, 10 ether, 0, 0);
    }

    function testFuzz_digest(
        address to,
        uint24 epoch,
        uint96 total,
        uint96 cap,
        bytes32 anchor,
        uint64 value,
        uint16 most
    ) public view {
        bytes32 typehash = keccak256(
            "TickVoucher(address provider,uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,uint16 maxTicks)"
        );
        bytes32 structHash = keccak256(abi.encode(typehash, to, epoch, total, cap, anchor, value, most));
        vm.assertEq(lanes.tickVoucherDigest(to, epoch, total, cap, anchor, value, most), typed(structHash));
    }

    // Against the model

    struct Draft {
        uint96 total;
        uint96 cap;
        uint24 epoch;
        uint64 tickValue;
        uint16 count;
        bool forged;
    }

    /// @dev A batch of four, in any state of account and lane, does what the model of `settle` does with the sums.
    function testFuzz_does_what_the_model_does(
        uint96[4] memory amounts,
        bool releasing,
        bool exiting,
        Draft[4] memory drafts
    ) public {
        for (uint256 i; i < 4; ++i) {
            amounts[i] = uint96(bound(amounts[i], 0, 1000));
        }
        signer = vm.addr(103);
        depositFor(signer, amounts[0] + amounts[1] + amounts[2] + 1);
        lanes.settle(provider, batch(voucher(103, provider, 0, amounts[0] / 2, amounts[0])));
        vm.startPrank(signer);
        if (exiting) lanes.requestExit(signer, amounts[1] + 1);
        if (releasing) lanes.requestRelease(signer, provider);
        vm.stopPrank();

        SettleModel.State memory state = current();
        ILanes.TickItem[] memory items = new ILanes.TickItem[](4);
        uint256[] memory entries = new uint256[](8);
        uint256 used;
        uint256 paid;
        for (uint256 i; i < 4; ++i) {
            TickVoucher memory v = shape(drafts[i]);
            items[i] = tickItem(v, drafts[i].count);
            if (drafts[i].forged) continue;
            uint96 owed = v.total + drafts[i].count * v.tickValue;
            SettleModel.Outcome memory out = SettleModel.apply_(state, v.epoch, owed, v.cap);
            if (!out.applied) continue;
            paid += out.pay;
            entries[used++] = uint256(uint160(signer)) | uint256(out.fromFree) << 160;
            entries[used++] = laneWord(state.lane.paid, state.lane.cap, state.lane.releaseAt, state.lane.epoch);
        }
        assembly ("memory-safe") {
            mstore(entries, used)
        }
        vm.recordLogs();
        vm.assertEq(lanes.settleTicks(provider, items), paid);
        vm.assertEq(keccak256(abi.encode(current())), keccak256(abi.encode(state)));
        assertEntries(vm.getRecordedLogs(), entries, paid);
    }

    function shape(Draft memory draft) private view returns (TickVoucher memory) {
        draft.count = uint16(bound(draft.count, 0, 64));
        uint16 maxTicks = uint16(bound(draft.cap, draft.count, 64));
        return TickVoucher({
            key: draft.forged ? 104 : 103,
            provider: provider,
            epoch: draft.epoch % 8 == 0 ? 1 : 0,
            total: uint96(bound(draft.total, 0, 2000)),
            cap: uint96(bound(draft.cap, 0, 4000)),
            tickValue: uint64(bound(draft.tickValue, 0, 60)),
            maxTicks: maxTicks
        });
    }

    function current() private view returns (SettleModel.State memory state) {
        (state.account.free, state.account.exiting, state.account.exitAt, state.account.flags) = lanes.accounts(signer);
        (state.lane.paid, state.lane.cap, state.lane.releaseAt, state.lane.epoch) = lanes.lanes(signer, provider);
    }

    function assertEntries(Vm.Log[] memory logs, uint256[] memory entries, uint256 paid) private view {
        if (entries.length == 0) {
            vm.assertEq(logs.length, 0);
            return;
        }
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != address(lanes) || logs[i].topics[0] != ILanes.Settled.selector) continue;
            vm.assertEq(keccak256(logs[i].data), keccak256(abi.encode(paid - feeOf(paid), feeOf(paid), entries)));
            return;
        }
        vm.assertTrue(false);
    }
}
