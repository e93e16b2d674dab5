// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev Two who want the same money, in either order; and what those lose who come too late.
contract RacesTest is LanesFixture {
    address private other;
    uint40 private due;

    function setUp() public override {
        super.setUp();
        other = makeAddr("other provider");
        depositFor(signer, 10 ether);
        due = uint40(block.timestamp) + WINDOW;
    }

    function goAway() private {
        vm.startPrank(signer);
        lanes.requestRelease(signer, provider);
        (uint96 free,,,) = lanes.accounts(signer);
        if (free != 0) lanes.requestExit(signer, free);
        vm.stopPrank();
    }

    function withdraw() private {
        vm.prank(signer);
        lanes.withdraw(signer, signer);
    }

    // Exit against voucher

    function test_a_voucher_before_the_withdrawal_in_the_same_block() public {
        goAway();
        vm.warp(due);
        vm.assertEq(settle(voucher(7 ether, 7 ether)), 7 ether);
        withdraw();
        vm.assertEq(token.balanceOf(signer), 3 ether);
    }

    function test_a_withdrawal_before_the_voucher_in_the_same_block() public {
        settle(voucher(1 ether, 4 ether));
        goAway();
        vm.warp(due);
        withdraw();
        // What was set aside is still there, what was not is gone.
        vm.assertEq(settle(voucher(7 ether, 7 ether)), 3 ether);
        vm.assertEq(token.balanceOf(signer), 6 ether);
    }

    function test_no_withdrawal_within_the_window_whatever_is_called() public {
        goAway();
        vm.warp(due - 1);
        vm.startPrank(signer);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due));
        lanes.withdraw(signer, signer);
        vm.stopPrank();
        vm.assertEq(settle(voucher(10 ether, 10 ether)), 10 ether);
    }

    function test_a_second_exit_does_not_shorten_the_first() public {
        vm.prank(signer);
        lanes.requestExit(signer, 9 ether);
        vm.warp(due - 1);
        vm.prank(signer);
        lanes.requestExit(signer, 1 ether);
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due - 1 + WINDOW));
        withdraw();
    }

    function test_a_release_that_matures_does_not_join_a_running_exit() public {
        settle(voucher(1 ether, 6 ether));
        goAway();
        vm.warp(due);
        lanes.release(signer, provider);
        withdraw();
        vm.assertEq(token.balanceOf(signer), 4 ether);
        assertAccount(signer, 5 ether, 0, 0);
    }

    // Release against voucher

    function test_a_voucher_before_the_release_in_the_same_block() public {
        settle(voucher(1 ether, 6 ether));
        goAway();
        vm.warp(due);
        vm.assertEq(settle(voucher(6 ether, 6 ether)), 5 ether);
        lanes.release(signer, provider);
        assertAccount(signer, 0, 4 ether, due);
    }

    function test_a_release_before_the_voucher_in_the_same_block() public {
        settle(voucher(1 ether, 6 ether));
        goAway();
        vm.warp(due);
        lanes.release(signer, provider);
        vm.assertEq(settle(voucher(6 ether, 6 ether)), 0);
        assertAccount(signer, 5 ether, 4 ether, due);
    }

    function test_a_release_by_the_provider_races_its_own_voucher() public {
        settle(voucher(1 ether, 6 ether));
        ILanes.Item memory item = voucher(5 ether, 6 ether);
        vm.prank(provider);
        lanes.release(signer, provider);
        vm.assertEq(settle(item), 0);
        vm.assertEq(token.balanceOf(provider), 1 ether - feeOf(1 ether));
    }

    function test_raising_the_reservation_races_a_release_request() public {
        ILanes.Item memory raise = voucher(1 ether, 8 ether);
        goAway();
        // The request came first: the total is owed, the reservation is not made.
        vm.assertEq(settle(raise), 1 ether);
        assertLane(1 ether, 1 ether, due, 0);
    }

    function test_an_order_to_release_does_not_end_the_next_epoch() public {
        ILanes.Order memory order = releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER);
        lanes.requestReleaseFor(signer, provider, order);
        vm.warp(due);
        lanes.release(signer, provider);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 1));
        lanes.requestReleaseFor(signer, provider, order);
    }

    // Provider against provider

    function test_the_first_of_two_providers_gets_what_nobody_has_set_aside() public {
        settle(voucher(0, 4 ether));
        vm.assertEq(lanes.settle(other, batch(voucher(SIGNER_KEY, other, 0, 9 ether, 9 ether))), 6 ether);
        vm.assertEq(settle(voucher(5 ether, 9 ether)), 4 ether);
        // A new deposit pays both for the rest, in the order in which they come.
        depositFor(signer, 4 ether);
        vm.assertEq(settle(voucher(5 ether, 5 ether)), 1 ether);
        vm.assertEq(lanes.settle(other, batch(voucher(SIGNER_KEY, other, 0, 9 ether, 9 ether))), 3 ether);
    }

    function test_a_payer_that_pays_itself_cannot_touch_a_reservation() public {
        settle(voucher(0, 4 ether));
        vm.assertEq(lanes.settle(signer, batch(voucher(SIGNER_KEY, signer, 0, 10 ether, 10 ether))), 6 ether);
        vm.assertEq(settle(voucher(4 ether, 4 ether)), 4 ether);
    }

    // A provider that is away

    function test_away_through_the_whole_window_and_back_before_anybody_releases() public {
        settle(voucher(1 ether, 6 ether));
        goAway();
        vm.warp(due + 30 days);
        vm.assertEq(settle(voucher(6 ether, 6 ether)), 5 ether);
    }

    function test_away_through_the_whole_window_it_loses_what_it_did_not_redeem_and_nothing_more() public {
        settle(voucher(1 ether, 6 ether));
        ILanes.Item memory newest = voucher(3 ether, 6 ether);
        goAway();
        vm.warp(due);
        vm.startPrank(signer);
        lanes.release(signer, provider);
        lanes.withdraw(signer, signer);
        lanes.requestExit(signer, type(uint96).max);
        vm.warp(due + WINDOW);
        lanes.withdraw(signer, signer);
        vm.stopPrank();
        vm.assertEq(settle(newest), 0);
        vm.assertEq(token.balanceOf(provider), 1 ether - feeOf(1 ether));
        vm.assertEq(token.balanceOf(signer), 9 ether);
        vm.assertEq(token.balanceOf(address(lanes)), 0);
    }

    function test_away_while_only_the_account_exits_its_reservation_waits_for_ever() public {
        settle(voucher(1 ether, 6 ether));
        vm.prank(signer);
        lanes.requestExit(signer, 4 ether);
        vm.warp(due);
        withdraw();
        vm.warp(due + 3650 days);
        vm.assertEq(settle(voucher(6 ether, 6 ether)), 5 ether);
    }

    function test_away_but_somebody_else_redeems_for_it() public {
        settle(voucher(1 ether, 6 ether));
        goAway();
        vm.warp(due - 1);
        vm.prank(stranger);
        vm.assertEq(settle(voucher(9 ether, 9 ether)), 8 ether);
        vm.assertEq(token.balanceOf(provider), 9 ether - feeOf(1 ether) - feeOf(8 ether));
        vm.assertEq(token.balanceOf(stranger), 0);
    }

    function testFuzz_back_at_any_second_of_the_window_it_gets_all(uint40 after_, uint96 total) public {
        after_ = uint40(bound(after_, 0, WINDOW - 1));
        total = uint96(bound(total, 1 ether, 10 ether));
        settle(voucher(0, 3 ether));
        goAway();
        vm.warp(block.timestamp + after_);
        vm.assertEq(settle(voucher(total, total)), total);
    }
}
