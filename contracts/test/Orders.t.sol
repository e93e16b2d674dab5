// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev Exits, releases and withdrawals that somebody else brings to the chain, and what a signature must be for that.
contract OrdersTest is LanesFixture {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant COLD_KEY = uint256(keccak256("cold"));
    uint256 private constant STRANGER_KEY = uint256(keccak256("stranger"));

    uint40 private due;
    address private relayer;

    function setUp() public override {
        super.setUp();
        relayer = makeAddr("relayer");
        depositFor(signer, 10 ether);
        due = uint40(block.timestamp) + WINDOW;
    }

    function nameOwner() private returns (address cold) {
        cold = vm.addr(COLD_KEY);
        vm.prank(signer);
        lanes.setOwner(signer, cold, 0, 0);
    }

    function exit(ILanes.Order memory order) private {
        vm.prank(relayer);
        lanes.requestExitFor(signer, 4 ether, order);
    }

    function exitOrder() private view returns (ILanes.Order memory) {
        return exitOrder(SIGNER_KEY, signer, 4 ether, 0, FOREVER);
    }

    function expectBadSignature(ILanes.Order memory order) private {
        vm.expectRevert(ILanes.BadSignature.selector);
        exit(order);
        assertAccount(signer, 10 ether, 0, 0);
        vm.assertEq(lanes.nonces(signer), 0);
    }

    // Exit

    function test_anybody_brings_an_exit() public {
        vm.expectEmit(address(lanes));
        emit ILanes.ExitRequested(signer, 4 ether, due);
        exit(exitOrder());
        assertAccount(signer, 6 ether, 4 ether, due);
        vm.assertEq(lanes.nonces(signer), 1);
    }

    function test_an_exit_of_all() public {
        vm.prank(relayer);
        lanes.requestExitFor(signer, type(uint96).max, exitOrder(SIGNER_KEY, signer, type(uint96).max, 0, FOREVER));
        assertAccount(signer, 0, 10 ether, due);
    }

    function test_an_exit_has_the_limits_of_a_direct_one() public {
        ILanes.Order memory order = exitOrder(SIGNER_KEY, signer, 0, 0, FOREVER);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.requestExitFor(signer, 0, order);
        order = exitOrder(SIGNER_KEY, signer, 11 ether, 0, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InsufficientFree.selector, 10 ether));
        lanes.requestExitFor(signer, 11 ether, order);
        vm.assertEq(lanes.nonces(signer), 0);
    }

    function test_an_exit_of_another_amount() public {
        ILanes.Order memory order = exitOrder();
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.requestExitFor(signer, 5 ether, order);
    }

    function test_the_owner_orders_with_its_own_nonce() public {
        address cold = nameOwner();
        exit(exitOrder());
        vm.prank(relayer);
        lanes.requestExitFor(signer, 1 ether, exitOrder(COLD_KEY, signer, 1 ether, 0, FOREVER));
        assertAccount(signer, 5 ether, 5 ether, due);
        vm.assertEq(lanes.nonces(signer), 1);
        vm.assertEq(lanes.nonces(cold), 1);
    }

    // Nonce and deadline

    function test_an_order_is_good_once() public {
        ILanes.Order memory order = exitOrder();
        exit(order);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 1));
        exit(order);
    }

    function test_an_order_waits_for_its_predecessor() public {
        ILanes.Order memory order = exitOrder(SIGNER_KEY, signer, 4 ether, 1, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 0));
        exit(order);
        exit(exitOrder());
        exit(order);
        assertAccount(signer, 2 ether, 8 ether, due);
    }

    function test_all_orders_of_a_key_share_its_nonce() public {
        exit(exitOrder());
        ILanes.Order memory order = releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 1));
        lanes.requestReleaseFor(signer, provider, order);
    }

    function test_the_nonce_and_the_deadline_are_signed() public {
        ILanes.Order memory order = exitOrder(SIGNER_KEY, signer, 4 ether, 1, FOREVER);
        order.nonce = 0;
        expectBadSignature(order);
        order = exitOrder(SIGNER_KEY, signer, 4 ether, 0, due);
        order.deadline = due + 1;
        expectBadSignature(order);
    }

    function test_until_its_deadline_and_not_after() public {
        ILanes.Order memory order = exitOrder(SIGNER_KEY, signer, 4 ether, 0, due);
        vm.warp(due + 1);
        vm.expectRevert(abi.encodeWithSelector(ILanes.OrderExpired.selector, due));
        exit(order);
        vm.warp(due);
        exit(order);
    }

    // Signature

    function test_both_forms_of_a_signature() public {
        ILanes.Order memory order = exitOrder();
        vm.assertEq(order.signature.length, 65);
        (bytes32 r, bytes32 vs) = compact(order.signature);
        order.signature = abi.encodePacked(r, vs);
        exit(order);
        assertAccount(signer, 6 ether, 4 ether, due);
    }

    function test_the_second_form_is_not_a_second_order() public {
        ILanes.Order memory order = exitOrder();
        exit(order);
        (bytes32 r, bytes32 vs) = compact(order.signature);
        order.signature = abi.encodePacked(r, vs);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 1));
        exit(order);
    }

    function test_a_high_s() public {
        ILanes.Order memory order = exitOrder();
        (bytes32 r, bytes32 vs) = compact(order.signature);
        uint8 v = uint8(order.signature[64]);
        bytes32 s = bytes32(ORDER - uint256(vs & bytes32(type(uint256).max >> 1)));
        order.signature = abi.encodePacked(r, s, v == 27 ? uint8(28) : uint8(27));
        expectBadSignature(order);
    }

    function test_other_values_of_v() public {
        ILanes.Order memory order = exitOrder();
        bytes1 v = order.signature[64];
        for (uint256 i; i < 256; ++i) {
            if (bytes1(uint8(i)) == v) continue;
            order.signature[64] = bytes1(uint8(i));
            expectBadSignature(order);
        }
    }

    function test_other_lengths() public {
        ILanes.Order memory order = exitOrder();
        bytes memory signature = order.signature;
        order.signature = "";
        expectBadSignature(order);
        order.signature = new bytes(64);
        expectBadSignature(order);
        order.signature = new bytes(65);
        expectBadSignature(order);
        order.signature = abi.encodePacked(signature, uint8(0));
        expectBadSignature(order);
        bytes memory shorter = new bytes(63);
        for (uint256 i; i < 63; ++i) {
            shorter[i] = signature[i];
        }
        order.signature = shorter;
        expectBadSignature(order);
    }

    /// @dev What recovers to nobody must not pass for the owner of a signer without one.
    function test_nobody_is_not_the_owner_of_a_signer_without_one() public {
        ILanes.Order memory order = exitOrder();
        order.signature = abi.encodePacked(bytes32(0), bytes32(0), uint8(27));
        expectBadSignature(order);
        order.signature = abi.encodePacked(bytes32(ORDER), bytes32(uint256(1)), uint8(28));
        expectBadSignature(order);
    }

    function test_the_zero_address_has_no_orders() public {
        ILanes.Order memory order = ILanes.Order(0, FOREVER, new bytes(65));
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.requestExitFor(address(0), 0, order);
    }

    function test_a_stranger_and_the_provider_cannot_order() public {
        expectBadSignature(exitOrder(STRANGER_KEY, signer, 4 ether, 0, FOREVER));
        expectBadSignature(exitOrder(PROVIDER_KEY, signer, 4 ether, 0, FOREVER));
    }

    function test_an_order_for_another_account() public {
        expectBadSignature(exitOrder(SIGNER_KEY, stranger, 4 ether, 0, FOREVER));
    }

    function test_an_order_for_another_chain() public {
        vm.chainId(1001);
        ILanes.Order memory order = exitOrder();
        vm.chainId(1002);
        expectBadSignature(order);
    }

    function test_an_order_for_another_contract() public {
        ILanes here = lanes;
        lanes = newLanes(FEE_BPS);
        ILanes.Order memory order = exitOrder();
        lanes = here;
        expectBadSignature(order);
    }

    function test_a_release_is_no_exit() public {
        expectBadSignature(releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER));
    }

    function test_a_voucher_is_no_order() public {
        ILanes.Item memory item = voucher(4 ether, 4 ether);
        expectBadSignature(ILanes.Order(0, FOREVER, abi.encodePacked(item.r, item.vs)));
    }

    // Release

    function test_anybody_brings_a_release() public {
        settle(voucher(1 ether, 4 ether));
        vm.expectEmit(address(lanes));
        emit ILanes.ReleaseRequested(signer, provider, due);
        vm.prank(relayer);
        lanes.requestReleaseFor(signer, provider, releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER));
        assertLane(1 ether, 4 ether, due, 0);
        vm.assertEq(lanes.nonces(signer), 1);
    }

    function test_a_release_of_another_lane() public {
        ILanes.Order memory order = releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.requestReleaseFor(signer, stranger, order);
    }

    function test_a_release_has_the_limits_of_a_direct_one() public {
        ILanes.Order memory order = releaseOrder(SIGNER_KEY, signer, address(0), 0, FOREVER);
        vm.expectRevert(ILanes.InvalidProvider.selector);
        lanes.requestReleaseFor(signer, address(0), order);
        lanes.requestReleaseFor(signer, provider, releaseOrder(SIGNER_KEY, signer, provider, 0, FOREVER));
        order = releaseOrder(SIGNER_KEY, signer, provider, 1, FOREVER);
        vm.expectRevert(ILanes.AlreadyReleasing.selector);
        lanes.requestReleaseFor(signer, provider, order);
    }

    function test_the_owner_orders_a_release() public {
        nameOwner();
        lanes.requestReleaseFor(signer, provider, releaseOrder(COLD_KEY, signer, provider, 0, FOREVER));
        assertLane(0, 0, due, 0);
    }

    // Withdraw

    function withdraw(address to, ILanes.Relay memory relay, ILanes.Order memory order) private {
        vm.prank(relayer);
        lanes.withdrawFor(signer, to, relay, order);
    }

    function prepareWithdraw(ILanes.Relay memory relay) private returns (ILanes.Order memory) {
        exit(exitOrder());
        vm.warp(due);
        return withdrawOrder(SIGNER_KEY, signer, stranger, relay, 1, FOREVER);
    }

    function test_a_relayer_is_paid_from_the_withdrawal() public {
        ILanes.Relay memory relay = ILanes.Relay(relayer, 0.5 ether);
        ILanes.Order memory order = prepareWithdraw(relay);
        vm.expectEmit(address(lanes));
        emit ILanes.Withdrawn(signer, stranger, 4 ether);
        withdraw(stranger, relay, order);
        vm.assertEq(token.balanceOf(stranger), 3.5 ether);
        vm.assertEq(token.balanceOf(relayer), 0.5 ether);
        assertAccount(signer, 6 ether, 0, 0);
    }

    function test_without_a_fee_the_relayer_gets_nothing() public {
        ILanes.Relay memory relay = ILanes.Relay(address(0), 0);
        withdraw(stranger, relay, prepareWithdraw(relay));
        vm.assertEq(token.balanceOf(stranger), 4 ether);
        vm.assertEq(token.balanceOf(relayer), 0);
    }

    function test_a_fee_of_all_that_is_withdrawn_and_not_more() public {
        ILanes.Relay memory relay = ILanes.Relay(address(0), 4 ether + 1);
        ILanes.Order memory order = prepareWithdraw(relay);
        vm.expectRevert(abi.encodeWithSelector(ILanes.RelayerFeeTooHigh.selector, 4 ether));
        withdraw(stranger, relay, order);
        relay.fee = 4 ether;
        withdraw(stranger, relay, withdrawOrder(SIGNER_KEY, signer, stranger, relay, 1, FOREVER));
        vm.assertEq(token.balanceOf(relayer), 4 ether);
        vm.assertEq(token.balanceOf(stranger), 0);
    }

    function test_only_the_named_relayer() public {
        ILanes.Relay memory relay = ILanes.Relay(provider, 0.5 ether);
        ILanes.Order memory order = prepareWithdraw(relay);
        vm.expectRevert(abi.encodeWithSelector(ILanes.RelayerNotAllowed.selector, provider));
        withdraw(stranger, relay, order);
        vm.prank(provider);
        lanes.withdrawFor(signer, stranger, relay, order);
        vm.assertEq(token.balanceOf(provider), 0.5 ether);
    }

    function test_recipient_relayer_and_fee_are_signed() public {
        ILanes.Relay memory relay = ILanes.Relay(address(0), 0.5 ether);
        ILanes.Order memory order = prepareWithdraw(relay);
        vm.expectRevert(ILanes.BadSignature.selector);
        withdraw(relayer, relay, order);
        relay.fee = 1 ether;
        vm.expectRevert(ILanes.BadSignature.selector);
        withdraw(stranger, relay, order);
        relay = ILanes.Relay(relayer, 0.5 ether);
        vm.expectRevert(ILanes.BadSignature.selector);
        withdraw(stranger, relay, order);
    }

    function test_a_withdrawal_has_the_limits_of_a_direct_one() public {
        expectNoWithdrawal(SIGNER_KEY, stranger, 0, abi.encodeWithSelector(ILanes.NothingExiting.selector));
        exit(exitOrder());
        expectNoWithdrawal(SIGNER_KEY, stranger, 1, abi.encodeWithSelector(IVault.TooEarly.selector, due));
        vm.warp(due);
        expectNoWithdrawal(SIGNER_KEY, address(0), 1, abi.encodeWithSelector(IVault.ZeroAddress.selector));
        bytes memory notAllowed = abi.encodeWithSelector(ILanes.RecipientNotAllowed.selector);
        expectNoWithdrawal(SIGNER_KEY, address(lanes), 1, notAllowed);
        address cold = nameOwner();
        expectNoWithdrawal(COLD_KEY, stranger, 0, notAllowed);
        ILanes.Relay memory none;
        withdraw(cold, none, withdrawOrder(COLD_KEY, signer, cold, none, 0, FOREVER));
        vm.assertEq(token.balanceOf(cold), 4 ether);
    }

    function expectNoWithdrawal(uint256 key, address to, uint64 nonce, bytes memory why) private {
        ILanes.Relay memory none;
        ILanes.Order memory order = withdrawOrder(key, signer, to, none, nonce, FOREVER);
        vm.expectRevert(why);
        withdraw(to, none, order);
    }

    /// @dev A consumer without gas signs both orders at once; the second pays for both.
    function test_exit_and_withdrawal_signed_together() public {
        ILanes.Relay memory relay = ILanes.Relay(relayer, 0.1 ether);
        ILanes.Order memory first = exitOrder();
        ILanes.Order memory second = withdrawOrder(SIGNER_KEY, signer, signer, relay, 1, due + WINDOW);
        exit(first);
        vm.warp(due);
        withdraw(signer, relay, second);
        vm.assertEq(token.balanceOf(signer), 3.9 ether);
        vm.assertEq(token.balanceOf(relayer), 0.1 ether);
    }

    function compact(bytes memory signature) private pure returns (bytes32 r, bytes32 vs) {
        uint8 v = uint8(signature[64]);
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            vs := or(mload(add(signature, 0x40)), shl(255, sub(v, 27)))
        }
    }
}
