// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev Every kind of voucher that `settle` leaves out. Each test puts the bad one between two good ones.
contract SettleSkipsTest is LanesFixture {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant RECOVERY_BIT = 1 << 255;

    uint256 private constant GOOD_A = 101;
    uint256 private constant GOOD_B = 102;

    function setUp() public override {
        super.setUp();
        depositFor(signer, 10 ether);
        depositFor(vm.addr(GOOD_A), 10 ether);
        depositFor(vm.addr(GOOD_B), 10 ether);
    }

    function expectSkipped(ILanes.Item memory bad) private {
        (uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch) = lanes.lanes(signer, provider);
        (uint96 free, uint96 exiting, uint40 exitAt,) = lanes.accounts(signer);

        // Alone: nothing happens at all.
        vm.recordLogs();
        vm.assertEq(settle(bad), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);

        // Among others: they are paid.
        ILanes.Item[] memory items = new ILanes.Item[](3);
        items[0] = voucher(GOOD_A, provider, 0, 1 ether, 2 ether);
        items[1] = bad;
        items[2] = voucher(GOOD_B, provider, 0, 3 ether, 3 ether);
        vm.assertEq(lanes.settle(provider, items), 4 ether);
        (,, uint256[] memory entries) = abi.decode(vm.getRecordedLogs()[0].data, (uint256, uint256, uint256[]));
        vm.assertEq(entries.length, 4);
        assertLane(vm.addr(GOOD_A), provider, 1 ether, 2 ether, 0, 0);
        assertLane(vm.addr(GOOD_B), provider, 3 ether, 3 ether, 0, 0);

        assertLane(paid, cap, releaseAt, epoch);
        assertAccount(signer, free, exiting, exitAt);
    }

    function test_another_amount_than_the_signed_one() public {
        ILanes.Item memory item = voucher(1 ether, 1 ether);
        item.word = packVoucher(0, 2 ether, 2 ether);
        expectSkipped(item);
    }

    function test_another_epoch_than_the_signed_one() public {
        ILanes.Item memory item = voucher(SIGNER_KEY, provider, 1, 1 ether, 1 ether);
        item.word = packVoucher(0, 1 ether, 1 ether);
        expectSkipped(item);
    }

    function test_a_future_epoch() public {
        expectSkipped(voucher(SIGNER_KEY, provider, 1, 1 ether, 1 ether));
    }

    function test_a_past_epoch() public {
        ILanes.Item memory item = voucher(5 ether, 5 ether);
        settle(voucher(1 ether, 2 ether));
        vm.prank(provider);
        lanes.release(signer, provider);
        expectSkipped(item);
    }

    function test_a_voucher_that_was_redeemed() public {
        ILanes.Item memory item = voucher(2 ether, 3 ether);
        settle(item);
        expectSkipped(item);
    }

    function test_a_voucher_that_is_older_in_both_amounts() public {
        ILanes.Item memory item = voucher(1 ether, 2 ether);
        settle(voucher(2 ether, 3 ether));
        expectSkipped(item);
    }

    function test_a_cap_below_the_total() public {
        expectSkipped(voucher(2 ether, 2 ether - 1));
    }

    function test_a_voucher_for_nothing() public {
        expectSkipped(voucher(0, 0));
    }

    function test_each_reserved_bit() public {
        for (uint256 bit; bit < 40; ++bit) {
            ILanes.Item memory item = voucher(1 ether, 1 ether);
            item.word |= 1 << bit;
            vm.assertEq(settle(item), 0);
        }
        ILanes.Item memory last = voucher(1 ether, 1 ether);
        last.word |= 1 << 39;
        expectSkipped(last);
    }

    function test_a_payer_without_deposit() public {
        expectSkipped(voucher(SIGNER_KEY + 1, provider, 0, 1 ether, 1 ether));
    }

    function test_a_deposit_that_is_used_up() public {
        settle(voucher(10 ether, 10 ether));
        expectSkipped(voucher(11 ether, 12 ether));
    }

    /// @dev Any r and s are a valid signature of somebody; here of two signers, with s on either side of the limit.
    function test_a_high_s() public {
        bytes32 r = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
        bytes32 digest = lanes.voucherDigest(provider, 0, 1 ether, 1 ether);
        uint256 limit = ORDER / 2;

        signer = ecrecover(digest, 27, r, bytes32(limit + 1));
        depositFor(signer, 1 ether);
        expectSkipped(ILanes.Item(packVoucher(0, 1 ether, 1 ether), r, bytes32(limit + 1)));

        signer = ecrecover(digest, 27, r, bytes32(limit));
        depositFor(signer, 1 ether);
        vm.assertEq(settle(ILanes.Item(packVoucher(0, 1 ether, 1 ether), r, bytes32(limit))), 1 ether);
    }

    function test_signatures_that_are_none() public {
        ILanes.Item memory item = voucher(1 ether, 1 ether);
        (bytes32 r, bytes32 vs) = (item.r, item.vs);

        item.r = 0;
        vm.assertEq(settle(item), 0);
        item.r = bytes32(ORDER);
        vm.assertEq(settle(item), 0);
        item.r = bytes32(type(uint256).max);
        vm.assertEq(settle(item), 0);
        item.r = r;
        item.vs = 0;
        vm.assertEq(settle(item), 0);
        item.vs = bytes32(RECOVERY_BIT);
        vm.assertEq(settle(item), 0);
        item.vs = bytes32(type(uint256).max);
        vm.assertEq(settle(item), 0);
        item.vs = bytes32(uint256(vs) ^ RECOVERY_BIT);
        vm.assertEq(settle(item), 0);
        (item.r, item.vs) = (0, 0);
        expectSkipped(item);
    }

    /// @dev The recovery of an invalid signature leaves no result behind; what lies in memory from the voucher before,
    /// applied or skipped, must not be taken for one.
    function test_a_signature_that_is_none_does_not_inherit_the_signer_before_it() public {
        ILanes.Item memory item = voucher(1 ether, 1 ether);
        ILanes.Item memory none = voucher(2 ether, 2 ether);
        none.r = bytes32(ORDER);
        vm.assertEq(lanes.settle(provider, batch(item, none)), 1 ether);
        vm.assertEq(lanes.settle(provider, batch(item, none)), 0);
        assertLane(1 ether, 1 ether, 0, 0);
    }

    function test_a_voucher_for_another_provider() public {
        expectSkipped(voucher(SIGNER_KEY, stranger, 0, 1 ether, 1 ether));
    }

    function test_a_voucher_for_another_contract() public {
        ILanes other = newLanes(FEE_BPS);
        ILanes.Item memory item;
        item.word = packVoucher(0, 1 ether, 1 ether);
        (item.r, item.vs) = vm.signCompact(SIGNER_KEY, other.voucherDigest(provider, 0, 1 ether, 1 ether));
        expectSkipped(item);
    }

    function test_a_voucher_for_another_chain() public {
        vm.chainId(1001);
        ILanes.Item memory item = voucher(1 ether, 1 ether);
        vm.chainId(1002);
        expectSkipped(item);
    }

    function test_after_a_chain_split_old_vouchers_are_void_and_new_ones_work() public {
        ILanes.Item memory item = voucher(1 ether, 1 ether);
        vm.chainId(block.chainid + 1);
        vm.assertEq(settle(item), 0);
        vm.assertEq(settle(voucher(1 ether, 1 ether)), 1 ether);
    }

    function test_nothing_but_bad_vouchers() public {
        ILanes.Item memory wrong = voucher(1 ether, 1 ether);
        wrong.r = 0;
        vm.recordLogs();
        vm.assertEq(lanes.settle(provider, batch(wrong, voucher(0, 0))), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function testFuzz_no_batch_of_noise_reverts_or_moves_anything(ILanes.Item[] memory items) public {
        vm.recordLogs();
        vm.assertEq(lanes.settle(provider, items), 0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        assertAccount(signer, 10 ether, 0, 0);
    }
}
