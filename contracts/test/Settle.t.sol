// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev What `settle` does with good vouchers. Bad ones are in SettleSkips.t.sol.
contract SettleTest is LanesFixture {
    function test_pays_an_unreserved_voucher_from_the_deposit() public {
        depositFor(signer, 10 ether);
        vm.prank(stranger);
        vm.assertEq(settle(voucher(3 ether, 3 ether)), 3 ether);

        assertLane(3 ether, 3 ether, 0, 0);
        assertAccount(signer, 7 ether, 0, 0);
        uint256 fee = feeOf(3 ether);
        vm.assertEq(token.balanceOf(provider), 3 ether - fee);
        vm.assertEq(token.balanceOf(treasury), fee);
        vm.assertEq(token.balanceOf(address(lanes)), 7 ether);
    }

    function test_reserves_what_the_voucher_allows() public {
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 4 ether));
        assertLane(1 ether, 4 ether, 0, 0);
        assertAccount(signer, 6 ether, 0, 0);
    }

    function test_a_reserved_voucher_does_not_touch_the_account() public {
        depositFor(signer, 4 ether);
        settle(voucher(1 ether, 4 ether));
        assertAccount(signer, 0, 0, 0);
        vm.assertEq(settle(voucher(3 ether, 4 ether)), 2 ether);
        assertLane(3 ether, 4 ether, 0, 0);
        assertAccount(signer, 0, 0, 0);
    }

    function test_reserves_without_paying() public {
        depositFor(signer, 10 ether);
        vm.assertEq(settle(voucher(0, 4 ether)), 0);
        assertLane(0, 4 ether, 0, 0);
        vm.assertEq(token.balanceOf(provider), 0);
    }

    function test_a_newer_voucher_raises_the_reservation() public {
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 2 ether));
        settle(voucher(1 ether, 5 ether));
        assertLane(1 ether, 5 ether, 0, 0);
        assertAccount(signer, 5 ether, 0, 0);
    }

    function test_a_lower_cap_never_lowers_the_reservation() public {
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 5 ether));
        settle(voucher(2 ether, 2 ether));
        assertLane(2 ether, 5 ether, 0, 0);
    }

    function test_an_older_voucher_may_still_raise_the_reservation_but_pays_nothing() public {
        depositFor(signer, 10 ether);
        settle(voucher(3 ether, 3 ether));
        vm.assertEq(settle(voucher(1 ether, 5 ether)), 0);
        assertLane(3 ether, 5 ether, 0, 0);
    }

    function test_pays_as_far_as_the_deposit_goes_and_the_rest_later() public {
        depositFor(signer, 2 ether);
        ILanes.Item memory item = voucher(5 ether, 8 ether);
        vm.assertEq(settle(item), 2 ether);
        assertLane(2 ether, 2 ether, 0, 0);
        assertAccount(signer, 0, 0, 0);

        depositFor(signer, 4 ether);
        vm.assertEq(settle(item), 3 ether);
        assertLane(5 ether, 6 ether, 0, 0);
    }

    function test_several_signers_in_one_batch() public {
        (uint256 a, uint256 b) = (101, 102);
        depositFor(vm.addr(a), 5 ether);
        depositFor(vm.addr(b), 5 ether);
        ILanes.Item[] memory items =
            batch(voucher(a, provider, 0, 1 ether, 2 ether), voucher(b, provider, 0, 3 ether, 3 ether));
        vm.assertEq(lanes.settle(provider, items), 4 ether);
        assertLane(vm.addr(a), provider, 1 ether, 2 ether, 0, 0);
        assertLane(vm.addr(b), provider, 3 ether, 3 ether, 0, 0);
        vm.assertEq(token.balanceOf(provider), 4 ether - feeOf(4 ether));
    }

    function test_two_vouchers_of_one_lane_in_one_batch() public {
        depositFor(signer, 10 ether);
        vm.assertEq(lanes.settle(provider, batch(voucher(1 ether, 2 ether), voucher(4 ether, 5 ether))), 4 ether);
        assertLane(4 ether, 5 ether, 0, 0);
        assertAccount(signer, 5 ether, 0, 0);
    }

    function test_two_vouchers_of_one_lane_the_newer_first() public {
        depositFor(signer, 10 ether);
        vm.assertEq(lanes.settle(provider, batch(voucher(4 ether, 5 ether), voucher(1 ether, 2 ether))), 4 ether);
        assertLane(4 ether, 5 ether, 0, 0);
    }

    function test_the_same_voucher_twice_in_one_batch_pays_once() public {
        depositFor(signer, 10 ether);
        ILanes.Item memory item = voucher(4 ether, 5 ether);
        vm.assertEq(lanes.settle(provider, batch(item, item)), 4 ether);
        assertLane(4 ether, 5 ether, 0, 0);
    }

    function test_an_empty_batch_does_nothing() public {
        vm.recordLogs();
        vm.assertEq(lanes.settle(provider, new ILanes.Item[](0)), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_lanes_of_one_signer_are_separate() public {
        address other = makeAddr("other provider");
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 2 ether));
        lanes.settle(other, batch(voucher(SIGNER_KEY, other, 0, 3 ether, 4 ether)));
        assertLane(1 ether, 2 ether, 0, 0);
        assertLane(signer, other, 3 ether, 4 ether, 0, 0);
        assertAccount(signer, 4 ether, 0, 0);
    }

    function test_rejects_an_impossible_provider() public {
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.settle(address(0), new ILanes.Item[](0));
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.settle(address(lanes), new ILanes.Item[](0));
    }

    function test_the_largest_amounts_fit() public {
        uint96 max = type(uint96).max;
        depositFor(signer, 9 ether);
        vm.assertEq(settle(voucher(max, max)), 9 ether);
        assertLane(9 ether, 9 ether, 0, 0);
    }

    // Events

    function test_the_event_tells_all_that_changed() public {
        uint256 other = 101;
        depositFor(signer, 10 ether);
        depositFor(vm.addr(other), 10 ether);
        settle(voucher(1 ether, 5 ether));

        uint256[] memory entries = new uint256[](4);
        entries[0] = uint160(signer);
        entries[1] = laneWord(3 ether, 5 ether, 0, 0);
        entries[2] = uint160(vm.addr(other)) | uint256(6 ether) << 160;
        entries[3] = laneWord(2 ether, 6 ether, 0, 0);
        uint256 fee = feeOf(4 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Settled(provider, 4 ether - fee, fee, entries);
        lanes.settle(provider, batch(voucher(3 ether, 3 ether), voucher(other, provider, 0, 2 ether, 6 ether)));
    }

    function test_the_lane_in_the_event_is_the_storage_slot() public {
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 5 ether));
        vm.prank(signer);
        lanes.requestRelease(signer, provider);
        vm.recordLogs();
        settle(voucher(2 ether, 2 ether));
        (,, uint256[] memory entries) = abi.decode(vm.getRecordedLogs()[0].data, (uint256, uint256, uint256[]));
        vm.assertEq(entries[1], laneWord(2 ether, 5 ether, uint40(block.timestamp) + WINDOW, 0));
    }

    function test_two_entries_for_two_vouchers_of_one_lane() public {
        depositFor(signer, 10 ether);
        uint256[] memory entries = new uint256[](4);
        entries[0] = uint160(signer) | uint256(2 ether) << 160;
        entries[1] = laneWord(1 ether, 2 ether, 0, 0);
        entries[2] = uint160(signer) | uint256(3 ether) << 160;
        entries[3] = laneWord(4 ether, 5 ether, 0, 0);
        uint256 fee = feeOf(4 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Settled(provider, 4 ether - fee, fee, entries);
        lanes.settle(provider, batch(voucher(1 ether, 2 ether), voucher(4 ether, 5 ether)));
    }

    // Fee

    function test_without_a_fee_there_is_one_transfer() public {
        lanes = newLanes(0);
        fund(funder, 10 ether);
        depositFor(signer, 10 ether);
        vm.recordLogs();
        settle(voucher(3 ether, 3 ether));
        vm.assertEq(vm.getRecordedLogs().length, 2, "Settled and one Transfer");
        vm.assertEq(token.balanceOf(provider), 3 ether);
        vm.assertEq(token.balanceOf(treasury), 0);
    }

    function test_the_fee_is_rounded_down_once_for_the_batch() public {
        (uint256 a, uint256 b) = (101, 102);
        depositFor(vm.addr(a), 1000);
        depositFor(vm.addr(b), 1000);
        // 0.5 % of 150 and of 90 are below one unit; 0.5 % of 240 is 1.2.
        lanes.settle(provider, batch(voucher(a, provider, 0, 150, 150), voucher(b, provider, 0, 90, 90)));
        vm.assertEq(token.balanceOf(treasury), 1);
        vm.assertEq(token.balanceOf(provider), 239);
    }

    function test_a_fee_below_one_unit_is_no_transfer() public {
        depositFor(signer, 1000);
        vm.recordLogs();
        settle(voucher(150, 150));
        vm.assertEq(vm.getRecordedLogs().length, 2, "Settled and one Transfer");
        vm.assertEq(token.balanceOf(provider), 150);
    }

    function testFuzz_the_fee_is_exact(uint96 total, uint16 bps) public {
        bps = uint16(bound(bps, 0, 100));
        total = uint96(bound(total, 1, 1_000_000 ether));
        lanes = newLanes(bps);
        fund(funder, total);
        depositFor(signer, total);
        vm.assertEq(settle(voucher(total, total)), total);
        uint256 fee = uint256(total) * bps / 10_000;
        vm.assertEq(token.balanceOf(treasury), fee);
        vm.assertEq(token.balanceOf(provider), total - fee);
        vm.assertEq(token.balanceOf(address(lanes)), 0);
    }
}
