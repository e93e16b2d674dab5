// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev Where the money of a settlement goes: to the provider, its owner, an account, a relayer.
contract PayoutTest is LanesFixture {
    uint256 private constant COLD_KEY = uint256(keccak256("cold"));
    uint256 private constant OTHER_KEY = 101;

    address private cold;
    address private relayer;
    ILanes.Relay private unpaid;

    function setUp() public override {
        super.setUp();
        cold = vm.addr(COLD_KEY);
        relayer = makeAddr("relayer");
        depositFor(signer, 10 ether);
        depositFor(vm.addr(OTHER_KEY), 10 ether);
    }

    function nameOwner() private {
        vm.prank(provider);
        lanes.setOwner(provider, cold, 0, 0);
    }

    function ticks() private view returns (ILanes.TickItem[] memory) {
        TickVoucher memory v = tickVoucher(1 ether, 2 ether);
        v.key = OTHER_KEY;
        return tickBatch(tickItem(v, 5));
    }

    // The owner of a provider

    function test_the_provider_is_its_own_payee_until_it_names_an_owner() public {
        vm.assertEq(lanes.payeeOf(provider), provider);
        nameOwner();
        vm.assertEq(lanes.payeeOf(provider), cold);
    }

    function test_an_owner_receives_what_the_provider_earns() public {
        nameOwner();
        settle(voucher(3 ether, 3 ether));
        lanes.settleTicks(provider, ticks());
        vm.assertEq(token.balanceOf(cold), 4.05 ether - feeOf(3 ether) - feeOf(1.05 ether));
        vm.assertEq(token.balanceOf(provider), 0);
    }

    function test_a_thief_of_the_providers_key_cannot_redirect_its_income() public {
        nameOwner();
        vm.startPrank(provider);
        vm.expectRevert(ILanes.OwnerAlreadySet.selector);
        lanes.setOwner(provider, stranger, 0, 0);
        lanes.settleToAccount(provider, batch(voucher(3 ether, 3 ether)), noTicks());
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.requestExit(provider, type(uint96).max);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestExit(cold, 1);
    }

    function test_the_contract_cannot_be_an_owner() public {
        vm.prank(provider);
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        lanes.setOwner(provider, address(lanes), 0, 0);
    }

    // To an account

    function test_credits_the_provider_instead_of_sending() public {
        uint96 rest = uint96(3 ether - feeOf(3 ether));
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(provider, address(lanes), rest, rest);
        vm.prank(provider);
        vm.assertEq(lanes.settleToAccount(provider, items, noTicks()), 3 ether);
        assertAccount(provider, rest, 0, 0);
        vm.assertEq(token.balanceOf(provider), 0);
        vm.assertEq(lanes.uncollectedFees(), feeOf(3 ether));
        vm.assertEq(token.balanceOf(address(lanes)), 20 ether);
    }

    function test_credits_vouchers_and_ticks_in_one() public {
        (ILanes.Item[] memory items, ILanes.TickItem[] memory some) = (batch(voucher(3 ether, 3 ether)), ticks());
        vm.prank(provider);
        vm.assertEq(lanes.settleToAccount(provider, items, some), 4.05 ether);
        assertAccount(provider, uint96(4.05 ether - feeOf(3 ether) - feeOf(1.05 ether)), 0, 0);
    }

    function test_what_was_credited_pays_vouchers_and_can_be_withdrawn() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.prank(provider);
        lanes.settleToAccount(provider, items, noTicks());
        lanes.settle(stranger, batch(voucher(PROVIDER_KEY, stranger, 0, 1 ether, 1 ether)));
        vm.assertEq(token.balanceOf(stranger), 1 ether - feeOf(1 ether));
        vm.startPrank(provider);
        lanes.requestExit(provider, type(uint96).max);
        vm.warp(block.timestamp + WINDOW);
        lanes.withdraw(provider, provider);
        vm.assertEq(token.balanceOf(provider), 2 ether - feeOf(3 ether));
    }

    function test_with_an_owner_the_owners_account_is_credited() public {
        nameOwner();
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.prank(cold);
        lanes.settleToAccount(provider, items, noTicks());
        assertAccount(cold, uint96(3 ether - feeOf(3 ether)), 0, 0);
        assertAccount(provider, 0, 0, 0);
    }

    function test_only_the_provider_or_its_owner_credits() public {
        nameOwner();
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.expectRevert(ILanes.NotAuthorized.selector);
        vm.prank(stranger);
        lanes.settleToAccount(provider, items, noTicks());
        vm.expectRevert(ILanes.NotAuthorized.selector);
        vm.prank(signer);
        lanes.settleToAccount(provider, items, noTicks());
    }

    function test_crediting_a_payer_of_the_same_batch() public {
        // The provider pays itself: what comes out goes back in, less the fee.
        depositFor(provider, 5 ether);
        ILanes.Item[] memory items = batch(voucher(PROVIDER_KEY, provider, 0, 2 ether, 4 ether));
        vm.prank(provider);
        lanes.settleToAccount(provider, items, noTicks());
        assertAccount(provider, uint96(3 ether - feeOf(2 ether)), 0, 0);
        assertLane(provider, provider, 2 ether, 4 ether, 0, 0);
    }

    function test_a_batch_that_pays_nothing_credits_nothing() public {
        vm.startPrank(provider);
        vm.recordLogs();
        vm.assertEq(lanes.settleToAccount(provider, new ILanes.Item[](0), noTicks()), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        lanes.settleToAccount(provider, batch(voucher(0, 3 ether)), noTicks());
        assertAccount(provider, 0, 0, 0);
        assertLane(0, 3 ether, 0, 0);
    }

    function test_a_credit_moves_no_tokens() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.recordLogs();
        vm.prank(provider);
        lanes.settleToAccount(provider, items, noTicks());
        vm.assertEq(vm.getRecordedLogs().length, 2, "Settled and Deposited");
    }

    function test_fees_of_credits_are_collected() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        vm.expectRevert(ILanes.NoFees.selector);
        lanes.collectFees(treasury);
        vm.prank(provider);
        lanes.settleToAccount(provider, items, noTicks());

        vm.prank(stranger);
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        lanes.collectFees(stranger);
        vm.startPrank(treasury);
        vm.expectRevert(ILanes.RecipientNotAllowed.selector);
        lanes.collectFees(address(lanes));
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.collectFees(address(0));
        vm.stopPrank();

        vm.prank(stranger);
        lanes.collectFees(treasury);
        vm.assertEq(token.balanceOf(treasury), feeOf(3 ether));
        vm.assertEq(lanes.uncollectedFees(), 0);
    }

    // By a relayer

    function settleFor(
        ILanes.Item[] memory items,
        ILanes.TickItem[] memory ticks_,
        bool toAccount,
        ILanes.Relay memory relay,
        ILanes.Order memory order
    ) private returns (uint256) {
        vm.prank(relayer);
        return lanes.settleFor(provider, items, ticks_, toAccount, relay, order);
    }

    function test_a_relayer_is_paid_by_a_provider_without_gas() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Relay memory relay = ILanes.Relay(relayer, 0.2 ether);
        ILanes.TickItem[] memory some = ticks();
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, some, false, relay, 0);
        vm.assertEq(settleFor(items, some, false, relay, order), 4.05 ether);
        uint256 fee = feeOf(3 ether) + feeOf(1.05 ether);
        vm.assertEq(token.balanceOf(relayer), 0.2 ether);
        vm.assertEq(token.balanceOf(provider), 3.85 ether - fee);
        vm.assertEq(token.balanceOf(treasury), fee);
        vm.assertEq(lanes.nonces(provider), 1);
        vm.expectRevert(abi.encodeWithSelector(ILanes.InvalidNonce.selector, 1));
        settleFor(items, some, false, relay, order);
    }

    function test_a_relayer_brings_a_credit() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Relay memory relay = ILanes.Relay(address(0), 0.2 ether);
        settleFor(items, noTicks(), true, relay, settleOrder(PROVIDER_KEY, provider, items, noTicks(), true, relay, 0));
        assertAccount(provider, uint96(2.8 ether - feeOf(3 ether)), 0, 0);
        vm.assertEq(lanes.uncollectedFees(), feeOf(3 ether));
        vm.assertEq(token.balanceOf(relayer), 0.2 ether);
    }

    function test_the_owner_orders_and_receives() public {
        nameOwner();
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        settleFor(items, noTicks(), false, unpaid, settleOrder(COLD_KEY, provider, items, noTicks(), false, unpaid, 0));
        vm.assertEq(token.balanceOf(cold), 3 ether - feeOf(3 ether));
        vm.assertEq(lanes.nonces(cold), 1);
    }

    function test_a_fee_of_all_that_is_paid_and_not_more() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        uint96 all = uint96(3 ether - feeOf(3 ether));
        ILanes.Relay memory relay = ILanes.Relay(address(0), all + 1);
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, relay, 0);
        vm.expectRevert(abi.encodeWithSelector(ILanes.RelayerFeeTooHigh.selector, all));
        settleFor(items, noTicks(), false, relay, order);
        relay.fee = all;
        settleFor(
            items, noTicks(), false, relay, settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, relay, 0)
        );
        vm.assertEq(token.balanceOf(relayer), all);
        vm.assertEq(token.balanceOf(provider), 0);
    }

    /// @dev Somebody settles the vouchers first: the provider has its money and the order costs it nothing.
    function test_an_order_that_was_overtaken_takes_no_fee() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Relay memory relay = ILanes.Relay(relayer, 0.2 ether);
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, relay, 0);
        lanes.settle(provider, items);
        vm.expectRevert(abi.encodeWithSelector(ILanes.RelayerFeeTooHigh.selector, 0));
        settleFor(items, noTicks(), false, relay, order);
        vm.assertEq(lanes.nonces(provider), 0);
        vm.assertEq(token.balanceOf(provider), 3 ether - feeOf(3 ether));
    }

    function test_everything_in_the_order_is_signed() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Item[] memory fewer = new ILanes.Item[](0);
        (ILanes.TickItem[] memory some, ILanes.TickItem[] memory none) = (ticks(), noTicks());
        ILanes.Relay memory relay = ILanes.Relay(address(0), 0.2 ether);
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, some, false, relay, 0);
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(fewer, some, false, relay, order);
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(items, none, false, relay, order);
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(items, some, true, relay, order);
        relay.fee = 0.3 ether;
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(items, some, false, relay, order);
        relay = ILanes.Relay(relayer, 0.2 ether);
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(items, some, false, relay, order);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.settleFor(stranger, items, some, false, ILanes.Relay(address(0), 0.2 ether), order);
    }

    function test_only_the_named_relayer() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Relay memory relay = ILanes.Relay(stranger, 0.2 ether);
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, relay, 0);
        vm.expectRevert(abi.encodeWithSelector(ILanes.RelayerNotAllowed.selector, stranger));
        settleFor(items, noTicks(), false, relay, order);
    }

    function test_an_order_of_the_payer_or_a_stranger_is_none() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Order memory order = settleOrder(SIGNER_KEY, provider, items, noTicks(), false, unpaid, 0);
        vm.expectRevert(ILanes.BadSignature.selector);
        settleFor(items, noTicks(), false, unpaid, order);
    }

    function test_an_order_expires() public {
        ILanes.Item[] memory items = batch(voucher(3 ether, 3 ether));
        ILanes.Order memory order = settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, unpaid, 0);
        order.deadline = uint40(block.timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(ILanes.OrderExpired.selector, order.deadline));
        settleFor(items, noTicks(), false, unpaid, order);
    }

    function test_an_order_without_payment_or_fee() public {
        ILanes.Item[] memory items = batch(voucher(0, 3 ether));
        settleFor(
            items, noTicks(), false, unpaid, settleOrder(PROVIDER_KEY, provider, items, noTicks(), false, unpaid, 0)
        );
        assertLane(0, 3 ether, 0, 0);
        vm.assertEq(token.balanceOf(provider), 0);
    }
}
