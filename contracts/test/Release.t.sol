// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

contract ReleaseTest is LanesFixture {
    uint40 private due;

    function setUp() public override {
        super.setUp();
        depositFor(signer, 10 ether);
        settle(voucher(1 ether, 4 ether));
        due = uint40(block.timestamp) + WINDOW;
    }

    function request() private {
        vm.prank(signer);
        lanes.requestRelease(signer, provider);
    }

    function test_the_signer_requests() public {
        vm.expectEmit(address(lanes));
        emit ILanes.ReleaseRequested(signer, provider, due);
        request();
        assertLane(1 ether, 4 ether, due, 0);
    }

    function test_nobody_else_requests() public {
        vm.prank(provider);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestRelease(signer, provider);
        vm.prank(funder);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestRelease(signer, provider);
    }

    function test_the_zero_address_is_no_owner_of_a_signer_without_one() public {
        vm.prank(address(0));
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestRelease(signer, provider);
    }

    function test_requests_once() public {
        request();
        vm.prank(signer);
        vm.expectRevert(ILanes.AlreadyReleasing.selector);
        lanes.requestRelease(signer, provider);
    }

    function test_rejects_an_impossible_provider() public {
        vm.prank(signer);
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.requestRelease(signer, address(0));
    }

    function test_anybody_releases_after_the_window() public {
        request();
        vm.warp(due);
        vm.expectEmit(address(lanes));
        emit ILanes.Released(signer, provider, 3 ether, 1);
        vm.prank(stranger);
        lanes.release(signer, provider);
        assertLane(0, 0, 0, 1);
        assertAccount(signer, 9 ether, 0, 0);
    }

    function test_not_before_the_window() public {
        request();
        vm.warp(due - 1);
        vm.prank(signer);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due));
        lanes.release(signer, provider);
    }

    function test_not_without_a_request() public {
        vm.warp(due + 365 days);
        vm.prank(signer);
        vm.expectRevert(ILanes.ReleaseNotRequested.selector);
        lanes.release(signer, provider);
    }

    function test_the_provider_releases_at_once() public {
        vm.prank(provider);
        lanes.release(signer, provider);
        assertLane(0, 0, 0, 1);
        assertAccount(signer, 9 ether, 0, 0);
    }

    function test_the_provider_releases_during_the_window() public {
        request();
        vm.prank(provider);
        lanes.release(signer, provider);
        assertLane(0, 0, 0, 1);
    }

    function test_an_empty_lane_cannot_be_released_without_a_request() public {
        vm.prank(stranger);
        vm.expectRevert(ILanes.NothingToRelease.selector);
        lanes.release(signer, stranger);
    }

    function test_a_lane_that_was_never_used_can_be_ended_to_void_vouchers() public {
        address other = makeAddr("other provider");
        ILanes.Item memory item = voucher(SIGNER_KEY, other, 0, 1 ether, 2 ether);
        vm.prank(signer);
        lanes.requestRelease(signer, other);
        vm.warp(due);
        lanes.release(signer, other);
        vm.assertEq(lanes.settle(other, batch(item)), 0);
        assertLane(signer, other, 0, 0, 0, 1);
    }

    function test_while_releasing_the_total_is_still_paid() public {
        request();
        settle(voucher(3 ether, 3 ether));
        assertLane(3 ether, 4 ether, due, 0);
    }

    function test_while_releasing_more_than_the_reservation_is_still_paid_from_the_deposit() public {
        request();
        settle(voucher(6 ether, 9 ether));
        assertLane(6 ether, 6 ether, due, 0);
        assertAccount(signer, 4 ether, 0, 0);
    }

    function test_while_releasing_no_voucher_raises_the_reservation() public {
        request();
        vm.assertEq(settle(voucher(1 ether, 9 ether)), 0);
        settle(voucher(2 ether, 9 ether));
        assertLane(2 ether, 4 ether, due, 0);
        assertAccount(signer, 6 ether, 0, 0);
    }

    function test_a_late_voucher_is_good_until_somebody_releases() public {
        request();
        vm.warp(due + 1 hours);
        vm.assertEq(settle(voucher(2 ether, 2 ether)), 1 ether);
    }

    function test_the_next_epoch_starts_from_zero() public {
        ILanes.Item memory old = voucher(4 ether, 4 ether);
        vm.prank(provider);
        lanes.release(signer, provider);
        vm.assertEq(settle(old), 0);
        vm.assertEq(settle(voucher(SIGNER_KEY, provider, 1, 2 ether, 3 ether)), 2 ether);
        assertLane(2 ether, 3 ether, 0, 1);
        assertAccount(signer, 6 ether, 0, 0);
    }

    function test_the_last_epoch_cannot_end() public {
        // The lane of (signer, provider): the mapping's slot is found by looking for the packed word.
        bytes32 slot = laneSlot();
        vm.store(address(lanes), slot, bytes32(laneWord(1 ether, 4 ether, 0, type(uint24).max)));
        assertLane(1 ether, 4 ether, 0, type(uint24).max);
        vm.prank(provider);
        vm.expectRevert(ILanes.EpochExhausted.selector);
        lanes.release(signer, provider);
    }

    function test_the_last_epoch_but_one_can() public {
        vm.store(address(lanes), laneSlot(), bytes32(laneWord(1 ether, 4 ether, 0, type(uint24).max - 1)));
        vm.prank(provider);
        lanes.release(signer, provider);
        assertLane(0, 0, 0, type(uint24).max);
    }

    function test_lane_and_account_take_one_slot_each() public view {
        vm.assertEq(uint256(vm.load(address(lanes), laneSlot())), laneWord(1 ether, 4 ether, 0, 0));
        for (uint256 i; i < 16; ++i) {
            if (uint256(vm.load(address(lanes), keccak256(abi.encode(signer, i)))) == 6 ether) return;
        }
        vm.assertTrue(false);
    }

    function laneSlot() private view returns (bytes32 slot) {
        for (uint256 i; i < 16; ++i) {
            slot = keccak256(abi.encode(signer, keccak256(abi.encode(provider, i))));
            if (uint256(vm.load(address(lanes), slot)) == laneWord(1 ether, 4 ether, 0, 0)) return slot;
        }
        vm.assertTrue(false);
    }
}
