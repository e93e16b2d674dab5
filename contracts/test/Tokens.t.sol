// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {TrickToken} from "./support/TrickToken.sol";

/// @dev Accepts every authorization and moves nothing.
contract IdleToken is TrickToken {
    function receiveWithAuthorization(address, address, uint256, uint256, uint256, bytes32, uint8, bytes32, bytes32)
        external {}
}

/// @dev The contract in front of tokens that are not what they should be.
contract TokensTest is LanesFixture {
    TrickToken private trick;

    function setUp() public override {
        super.setUp();
        trick = new TrickToken();
        lanes = newLanes(address(trick), treasury, FEE_BPS, WINDOW, MIN_STAKE);
        trick.approve(address(lanes), type(uint256).max);
        lanes.deposit(signer, 100 ether);
    }

    function failed() private view returns (bytes memory) {
        return abi.encodeWithSignature("SafeERC20FailedOperation(address)", trick);
    }

    function test_a_token_that_keeps_a_part_cannot_be_deposited_or_staked() public {
        trick.play(TrickToken.Trick.KeepOnePercent);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnexpectedAmount.selector, 100 ether, 99 ether));
        lanes.deposit(signer, 100 ether);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnexpectedAmount.selector, 100 ether, 99 ether));
        lanes.register("node", 100 ether);
    }

    function test_a_token_that_sends_more_cannot_be_deposited() public {
        trick.play(TrickToken.Trick.SendMore);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnexpectedAmount.selector, 100, 101));
        lanes.deposit(signer, 100);
    }

    function test_a_token_that_takes_instead_of_giving_cannot_be_deposited() public {
        trick.play(TrickToken.Trick.TakeFromReceiver);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnexpectedAmount.selector, 100, 0));
        lanes.deposit(signer, 100);
    }

    function test_a_transfer_that_answers_no_changes_nothing() public {
        trick.play(TrickToken.Trick.ReturnFalse);
        vm.expectRevert(failed());
        lanes.deposit(signer, 1 ether);

        ILanes.Item[] memory items = batch(voucher(1 ether, 2 ether));
        vm.expectRevert(failed());
        lanes.settle(provider, items);
        assertLane(0, 0, 0, 0);
        assertAccount(signer, 100 ether, 0, 0);
    }

    function test_a_token_that_answers_nothing_works() public {
        trick.play(TrickToken.Trick.ReturnNothing);
        lanes.deposit(signer, 1 ether);
        settle(voucher(1 ether, 1 ether));
        vm.assertEq(trick.balanceOf(provider), 1 ether - feeOf(1 ether));
    }

    function test_a_token_without_permits_works_with_an_allowance() public {
        lanes.depositWithPermit(signer, 1 ether, block.timestamp, 27, 0, 0);
        assertAccount(signer, 101 ether, 0, 0);
        lanes.registerWithPermit("node", 10 ether, block.timestamp, 27, 0, 0);
    }

    function test_holds_at_most_what_fits_in_96_bits() public {
        uint96 rest = type(uint96).max - 100 ether;
        lanes.deposit(signer, rest);
        assertAccount(signer, type(uint96).max, 0, 0);
        vm.expectRevert(IVault.CapacityExceeded.selector);
        lanes.deposit(stranger, 1);
        vm.expectRevert(IVault.CapacityExceeded.selector);
        lanes.register("node", MIN_STAKE);
    }

    function test_nothing_can_be_called_from_inside_a_transfer() public {
        bytes[] memory calls = new bytes[](22);
        calls[0] = abi.encodeCall(lanes.deposit, (signer, 1));
        calls[1] = abi.encodeCall(lanes.depositWithPermit, (signer, 1, 0, 27, 0, 0));
        calls[2] = abi.encodeCall(lanes.setOwner, (address(trick), stranger, 0, 0));
        calls[3] = abi.encodeCall(lanes.settle, (provider, batch(voucher(1 ether, 1 ether))));
        calls[4] = abi.encodeCall(lanes.requestRelease, (address(trick), provider));
        calls[5] = abi.encodeCall(lanes.release, (signer, provider));
        calls[6] = abi.encodeCall(lanes.requestExit, (address(trick), 1));
        calls[7] = abi.encodeCall(lanes.withdraw, (address(trick), stranger));
        calls[8] = abi.encodeCall(lanes.register, ("node", MIN_STAKE));
        calls[9] = abi.encodeCall(lanes.registerWithPermit, ("node", MIN_STAKE, 0, 27, 0, 0));
        calls[10] = abi.encodeCall(lanes.requestUnregister, ());
        calls[11] = abi.encodeCall(lanes.unregister, ());
        ILanes.Relay memory relay;
        ILanes.Order memory order;
        ILanes.Authorization memory authorization;
        ILanes.Item[] memory items;
        calls[12] = abi.encodeCall(lanes.depositFor, (signer, 1));
        calls[13] = abi.encodeCall(lanes.depositMany, (new address[](1), new uint96[](1)));
        calls[14] = abi.encodeCall(lanes.depositWithAuthorization, (signer, 1, authorization));
        calls[15] = abi.encodeCall(lanes.settleTicks, (provider, tickBatch(tickItem(tickVoucher(0, 1 ether), 1))));
        calls[16] = abi.encodeCall(lanes.settleToAccount, (address(trick), items, noTicks()));
        calls[17] = abi.encodeCall(lanes.settleFor, (provider, items, noTicks(), false, relay, order));
        calls[18] = abi.encodeCall(lanes.requestReleaseFor, (signer, provider, order));
        calls[19] = abi.encodeCall(lanes.requestExitFor, (signer, 1, order));
        calls[21] = abi.encodeCall(lanes.collectFees, (treasury));
        calls[20] = abi.encodeCall(lanes.withdrawFor, (signer, signer, relay, order));

        for (uint96 i; i < calls.length; ++i) {
            trick.playCallBack(address(lanes), calls[i]);
            lanes.deposit(stranger, 1);
            assertRefused();
            trick.playCallBack(address(lanes), calls[i]);
            settle(voucher(i + 1, i + 1));
            assertRefused();
        }
    }

    function test_nothing_can_be_called_from_inside_the_other_transfers() public {
        bytes memory again = abi.encodeCall(lanes.settle, (provider, batch(voucher(1 ether, 1 ether))));
        vm.prank(signer);
        lanes.requestExit(signer, 1 ether);
        lanes.register("node", MIN_STAKE);
        lanes.requestUnregister();
        vm.warp(block.timestamp + WINDOW);

        trick.playCallBack(address(lanes), again);
        vm.prank(signer);
        lanes.withdraw(signer, signer);
        assertRefused();

        trick.playCallBack(address(lanes), again);
        lanes.unregister();
        assertRefused();
        vm.assertEq(trick.balanceOf(address(lanes)), 99 ether);
    }

    function test_nothing_can_be_called_from_inside_the_payment_of_a_relayer() public {
        ILanes.Relay memory relay = ILanes.Relay(address(0), 0.1 ether);
        ILanes.Item[] memory items = batch(voucher(1 ether, 1 ether));
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, relay, 0);
        trick.playCallBack(address(lanes), abi.encodeCall(lanes.settle, (provider, batch(voucher(2 ether, 2 ether)))));
        lanes.settleFor(provider, items, noTicks(), false, relay, order);
        assertRefused();
        assertLane(1 ether, 1 ether, 0, 0);
    }

    // A token that blocks accounts

    function test_a_blocked_treasury_does_not_stop_providers() public {
        trick.blockAccount(treasury, true);
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        uint256 fee = feeOf(3 ether);
        lanes.settle(provider, items);
        vm.assertEq(trick.balanceOf(provider), 3 ether - fee);
        vm.assertEq(lanes.uncollectedFees(), fee);
        vm.assertEq(trick.balanceOf(address(lanes)), 97 ether + fee);

        // The treasury has it sent to an address the token does pay.
        vm.expectRevert("blocked");
        lanes.collectFees(treasury);
        vm.prank(treasury);
        lanes.collectFees(stranger);
        vm.assertEq(trick.balanceOf(stranger), fee);
        vm.assertEq(lanes.uncollectedFees(), 0);
    }

    function test_a_blocked_provider_stops_only_itself_and_has_a_way_out() public {
        trick.blockAccount(provider, true);
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.expectRevert("blocked");
        lanes.settle(provider, items);
        lanes.settle(stranger, batch(voucher(SIGNER_KEY, stranger, 0, 1 ether, 1 ether)));

        vm.startPrank(provider);
        lanes.settleToAccount(provider, items, noTicks());
        lanes.requestExit(provider, type(uint96).max);
        vm.warp(block.timestamp + WINDOW);
        lanes.withdraw(provider, funder);
        vm.assertEq(trick.balanceOf(funder), 3 ether - feeOf(3 ether));
    }

    function test_a_blocked_payer_still_pays() public {
        trick.blockAccount(signer, true);
        settle(voucher(3 ether, 3 ether));
        vm.assertEq(trick.balanceOf(provider), 3 ether - feeOf(3 ether));
    }

    function test_a_blocked_withdrawal_waits() public {
        vm.prank(signer);
        lanes.requestExit(signer, 5 ether);
        vm.warp(block.timestamp + WINDOW);
        trick.blockAccount(stranger, true);
        vm.startPrank(signer);
        vm.expectRevert("blocked");
        lanes.withdraw(signer, stranger);
        lanes.withdraw(signer, funder);
        vm.assertEq(trick.balanceOf(funder), 5 ether);
    }

    function test_a_fee_the_token_answers_no_to_is_credited_not_lost() public {
        // Only transfers to the treasury are refused with an answer, those to providers go through.
        trick.refuse(treasury);
        settle(voucher(3 ether, 3 ether));
        vm.assertEq(lanes.uncollectedFees(), feeOf(3 ether));
        vm.assertEq(trick.balanceOf(address(lanes)), 97 ether + feeOf(3 ether));
    }

    function test_a_token_that_keeps_a_part_later_cannot_unbalance_the_books() public {
        trick.play(TrickToken.Trick.KeepOnePercent);
        settle(voucher(3 ether, 4 ether));
        vm.assertEq(trick.balanceOf(address(lanes)), 97 ether);
        vm.assertEq(trick.balanceOf(provider), (3 ether - feeOf(3 ether)) * 99 / 100);
        (uint96 free,,,) = lanes.accounts(signer);
        vm.assertEq(uint256(free) + 1 ether, 97 ether);
    }

    function test_an_authorization_that_moves_nothing_is_no_deposit() public {
        lanes = newLanes(address(new IdleToken()), treasury, FEE_BPS, WINDOW, MIN_STAKE);
        ILanes.Authorization memory authorization;
        vm.expectRevert(abi.encodeWithSelector(IVault.UnexpectedAmount.selector, 1 ether, 0));
        lanes.depositWithAuthorization(signer, 1 ether, authorization);
    }

    function test_a_token_without_authorizations_refuses_them() public {
        ILanes.Authorization memory authorization;
        vm.expectRevert(bytes(""));
        lanes.depositWithAuthorization(signer, 1 ether, authorization);
    }

    function assertRefused() private view {
        vm.assertTrue(trick.calledBack());
        vm.assertEq(bytes32(trick.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }
}
