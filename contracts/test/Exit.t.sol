// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

contract ExitTest is LanesFixture {
    uint40 private due;

    function setUp() public override {
        super.setUp();
        depositFor(signer, 10 ether);
        due = uint40(block.timestamp) + WINDOW;
    }

    function request(uint96 amount) private {
        vm.prank(signer);
        lanes.requestExit(signer, amount);
    }

    function withdrawTo(address to) private {
        vm.prank(signer);
        lanes.withdraw(signer, to);
    }

    function test_request_moves_free_to_exiting() public {
        vm.expectEmit(address(lanes));
        emit ILanes.ExitRequested(signer, 4 ether, due);
        request(4 ether);
        assertAccount(signer, 6 ether, 4 ether, due);
    }

    function test_a_second_request_adds_and_starts_the_time_again() public {
        request(4 ether);
        vm.warp(due - 1);
        vm.expectEmit(address(lanes));
        emit ILanes.ExitRequested(signer, 5 ether, due - 1 + WINDOW);
        request(1 ether);
        assertAccount(signer, 5 ether, 5 ether, due - 1 + WINDOW);
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due - 1 + WINDOW));
        withdrawTo(stranger);
    }

    function test_the_largest_number_stands_for_all() public {
        settle(voucher(1 ether, 3 ether));
        request(type(uint96).max);
        assertAccount(signer, 0, 7 ether, due);
    }

    function test_rejects_nothing_and_too_much() public {
        vm.prank(signer);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.requestExit(signer, 0);
        vm.prank(signer);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InsufficientFree.selector, 10 ether));
        lanes.requestExit(signer, 10 ether + 1);
    }

    function test_rejects_all_of_nothing() public {
        vm.prank(stranger);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.requestExit(stranger, type(uint96).max);
    }

    function test_only_the_signer_or_its_owner() public {
        vm.startPrank(stranger);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestExit(signer, 1 ether);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.withdraw(signer, stranger);
    }

    function test_withdraw_after_the_window() public {
        request(4 ether);
        vm.warp(due);
        vm.expectEmit(address(lanes));
        emit ILanes.Withdrawn(signer, stranger, 4 ether);
        withdrawTo(stranger);
        vm.assertEq(token.balanceOf(stranger), 4 ether);
        assertAccount(signer, 6 ether, 0, 0);
    }

    function test_not_before_the_window() public {
        request(4 ether);
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due));
        withdrawTo(signer);
    }

    function test_not_twice() public {
        request(4 ether);
        vm.warp(due);
        withdrawTo(signer);
        vm.expectRevert(ILanes.NothingExiting.selector);
        withdrawTo(signer);
    }

    function test_not_without_a_request() public {
        vm.expectRevert(ILanes.NothingExiting.selector);
        withdrawTo(signer);
    }

    function test_not_to_nowhere() public {
        request(4 ether);
        vm.warp(due);
        vm.expectRevert(IVault.ZeroAddress.selector);
        withdrawTo(address(0));
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        withdrawTo(address(lanes));
    }

    function test_with_an_owner_only_to_the_owner_or_the_signer() public {
        address cold = makeAddr("cold");
        vm.prank(signer);
        lanes.setOwner(signer, cold, 0, 0);
        request(4 ether);
        vm.warp(due);
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        withdrawTo(stranger);
        vm.prank(cold);
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        lanes.withdraw(signer, stranger);

        withdrawTo(cold);
        vm.assertEq(token.balanceOf(cold), 4 ether);

        request(1 ether);
        vm.warp(block.timestamp + WINDOW);
        withdrawTo(signer);
        vm.assertEq(token.balanceOf(signer), 1 ether);
    }

    // An exit does not outrun a voucher

    function test_a_total_is_paid_from_what_is_on_its_way_out() public {
        request(8 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.AccountExitingUsed(signer, 5 ether);
        vm.assertEq(settle(voucher(5 ether, 5 ether)), 5 ether);
        assertAccount(signer, 0, 5 ether, due);
        assertLane(5 ether, 5 ether, 0, 0);
    }

    function test_the_event_does_not_count_it_as_free() public {
        request(8 ether);
        uint256[] memory entries = new uint256[](2);
        entries[0] = uint160(signer) | uint256(2 ether) << 160;
        entries[1] = laneWord(5 ether, 5 ether, 0, 0);
        ILanes.Item memory item = voucher(5 ether, 5 ether);
        uint256 fee = feeOf(5 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Settled(provider, 5 ether - fee, fee, entries);
        settle(item);
    }

    function test_a_reservation_is_not_taken_from_what_is_on_its_way_out() public {
        request(8 ether);
        settle(voucher(1 ether, 9 ether));
        assertLane(1 ether, 2 ether, 0, 0);
        assertAccount(signer, 0, 8 ether, due);
    }

    function test_a_total_takes_free_first_then_exiting_and_reserves_nothing_more() public {
        request(8 ether);
        settle(voucher(6 ether, 9 ether));
        assertLane(6 ether, 6 ether, 0, 0);
        assertAccount(signer, 0, 4 ether, due);
    }

    function test_a_lane_that_releases_is_paid_from_what_is_on_its_way_out_too() public {
        vm.prank(signer);
        lanes.requestRelease(signer, provider);
        request(10 ether);
        vm.assertEq(settle(voucher(3 ether, 9 ether)), 3 ether);
        assertAccount(signer, 0, 7 ether, due);
    }

    function test_after_the_window_the_first_transaction_wins() public {
        request(10 ether);
        vm.warp(due);
        settle(voucher(3 ether, 3 ether));
        withdrawTo(signer);
        vm.assertEq(token.balanceOf(signer), 7 ether);
        vm.assertEq(settle(voucher(4 ether, 4 ether)), 0);
    }

    function test_exiting_used_up_leaves_nothing_to_withdraw() public {
        request(10 ether);
        settle(voucher(10 ether, 10 ether));
        assertAccount(signer, 0, 0, due);
        vm.warp(due);
        vm.expectRevert(ILanes.NothingExiting.selector);
        withdrawTo(signer);
    }
}
