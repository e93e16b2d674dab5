// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../src/IVault.sol";
import {IRegistry} from "../src/IRegistry.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {signPermit} from "./support/Permit.sol";

contract RegistryTest is LanesFixture {
    bytes32 private constant NODE = keccak256("node key");
    bytes32 private constant OTHER_NODE = keccak256("other node key");
    uint256 private constant KEY = uint256(keccak256("registrant"));

    address private me;
    uint40 private due;

    function setUp() public override {
        super.setUp();
        me = vm.addr(KEY);
        fund(me, 100 ether);
        due = uint40(block.timestamp) + WINDOW;
    }

    function register(bytes32 nodeKey, uint96 stake) private {
        vm.prank(me);
        lanes.register(nodeKey, stake);
    }

    function assertProvider(bytes32 nodeKey, uint96 stake, uint40 leaveAt) private view {
        (bytes32 k, uint96 s, uint40 l) = lanes.providers(me);
        vm.assertEq(k, nodeKey);
        vm.assertEq(s, stake);
        vm.assertEq(l, leaveAt);
    }

    function test_registers_with_a_stake() public {
        vm.expectEmit(address(lanes));
        emit IRegistry.Registered(me, NODE, 12 ether);
        register(NODE, 12 ether);
        assertProvider(NODE, 12 ether, 0);
        vm.assertEq(token.balanceOf(address(lanes)), 12 ether);
        vm.assertEq(token.balanceOf(me), 88 ether);
    }

    function test_changes_the_key_and_adds_stake() public {
        register(NODE, 10 ether);
        vm.expectEmit(address(lanes));
        emit IRegistry.Registered(me, OTHER_NODE, 15 ether);
        register(OTHER_NODE, 5 ether);
        assertProvider(OTHER_NODE, 15 ether, 0);
        register(NODE, 0);
        assertProvider(NODE, 15 ether, 0);
    }

    function test_needs_a_key_and_the_minimum() public {
        vm.expectRevert(IRegistry.ZeroNodeKey.selector);
        register(0, 10 ether);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.StakeTooSmall.selector, 10 ether - 1, MIN_STAKE));
        register(NODE, 10 ether - 1);
    }

    function test_without_a_minimum_registering_is_free() public {
        lanes = newLanes(address(token), treasury, FEE_BPS, WINDOW, 0);
        register(NODE, 0);
        assertProvider(NODE, 0, 0);
        vm.prank(me);
        lanes.requestUnregister();
        vm.warp(due);
        vm.recordLogs();
        vm.prank(me);
        lanes.unregister();
        vm.assertEq(vm.getRecordedLogs().length, 1, "no transfer of nothing");
        assertProvider(0, 0, 0);
    }

    function test_two_providers_may_name_the_same_node() public {
        register(NODE, 10 ether);
        vm.prank(funder);
        lanes.register(NODE, 10 ether);
        assertProvider(NODE, 10 ether, 0);
    }

    function test_registers_with_a_permit() public {
        vm.prank(me);
        token.approve(address(lanes), 0);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, KEY, address(lanes), 10 ether, block.timestamp);
        vm.prank(me);
        lanes.registerWithPermit(NODE, 10 ether, block.timestamp, v, r, s);
        assertProvider(NODE, 10 ether, 0);
    }

    function test_a_permit_used_by_somebody_else_first_does_no_harm() public {
        vm.prank(me);
        token.approve(address(lanes), 0);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, KEY, address(lanes), 10 ether, block.timestamp);
        token.permit(me, address(lanes), 10 ether, block.timestamp, v, r, s);
        vm.prank(me);
        lanes.registerWithPermit(NODE, 10 ether, block.timestamp, v, r, s);
        assertProvider(NODE, 10 ether, 0);
    }

    function test_leaves_after_the_window_with_the_stake() public {
        register(NODE, 12 ether);
        vm.expectEmit(address(lanes));
        emit IRegistry.UnregisterRequested(me, due);
        vm.prank(me);
        lanes.requestUnregister();
        assertProvider(NODE, 12 ether, due);

        vm.warp(due);
        vm.expectEmit(address(lanes));
        emit IRegistry.Unregistered(me, 12 ether);
        vm.prank(me);
        lanes.unregister();
        assertProvider(0, 0, 0);
        vm.assertEq(token.balanceOf(me), 100 ether);
    }

    function test_comes_back_after_leaving() public {
        register(NODE, 12 ether);
        vm.prank(me);
        lanes.requestUnregister();
        vm.warp(due);
        vm.prank(me);
        lanes.unregister();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.StakeTooSmall.selector, 0, MIN_STAKE));
        register(NODE, 0);
        register(NODE, 10 ether);
        assertProvider(NODE, 10 ether, 0);
    }

    function test_does_not_leave_early() public {
        register(NODE, 12 ether);
        vm.startPrank(me);
        vm.expectRevert(IRegistry.NotLeaving.selector);
        lanes.unregister();
        lanes.requestUnregister();
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, due));
        lanes.unregister();
    }

    function test_leaving_is_final() public {
        register(NODE, 12 ether);
        vm.startPrank(me);
        lanes.requestUnregister();
        vm.expectRevert(IRegistry.AlreadyLeaving.selector);
        lanes.requestUnregister();
        vm.expectRevert(IRegistry.AlreadyLeaving.selector);
        lanes.register(OTHER_NODE, 1 ether);
    }

    function test_a_stranger_cannot_leave() public {
        vm.startPrank(stranger);
        vm.expectRevert(IRegistry.NotRegistered.selector);
        lanes.requestUnregister();
        vm.expectRevert(IRegistry.NotRegistered.selector);
        lanes.unregister();
    }

    function test_no_voucher_reaches_a_stake() public {
        register(NODE, 12 ether);
        vm.assertEq(lanes.settle(provider, batch(voucher(KEY, provider, 0, 1 ether, 1 ether))), 0);
        assertProvider(NODE, 12 ether, 0);
    }
}
