// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev The published vouchers, made by tools/make_voucher_vectors.mjs and also read by the node's tests.
contract VectorsTest is LanesFixture {
    struct Vector {
        uint256 chainId;
        address place;
        address provider;
        uint24 epoch;
        uint96 total;
        uint96 cap;
        bytes32 digest;
        address signer;
        bytes32 r;
        bytes32 vs;
    }

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../tests/vectors/voucher_eip712.json");
    }

    function test_digests_and_signers() public {
        uint256 count;
        for (; vm.keyExistsJson(json, key(count, "")); ++count) {
            Vector memory v = read(count);
            ILanes contract_ = moveTo(v.chainId, v.place);
            vm.assertEq(contract_.voucherDigest(v.provider, v.epoch, v.total, v.cap), v.digest);
            vm.assertEq(ecrecover(v.digest, recovery(v.vs), v.r, v.vs & bytes32(type(uint256).max >> 1)), v.signer);
        }
        vm.assertGe(count, 20);
    }

    /// @dev Those of epoch 0 that ask for something can be redeemed.
    function test_the_contract_pays_them() public {
        uint256 redeemed;
        for (uint256 i; vm.keyExistsJson(json, key(i, "")); ++i) {
            Vector memory v = read(i);
            if (v.epoch != 0 || v.cap < v.total || v.total == 0) continue;
            uint256 snapshot = vm.snapshotState();
            lanes = moveTo(v.chainId, v.place);
            vm.prank(funder);
            token.approve(v.place, 1 ether);
            depositFor(v.signer, 1 ether);
            ILanes.Item memory item = ILanes.Item(packVoucher(0, v.total, v.cap), v.r, v.vs);
            vm.assertEq(lanes.settle(v.provider, batch(item)), v.total < 1 ether ? v.total : 1 ether);
            vm.revertToState(snapshot);
            ++redeemed;
        }
        vm.assertGe(redeemed, 10);
    }

    /// @dev Each tick voucher has its digest, its signer and, if it is of epoch 0, is paid in full.
    function test_tick_vouchers() public {
        json = vm.readFile("../tests/vectors/tick_voucher_eip712.json");
        uint256 redeemed;
        uint256 count;
        for (; vm.keyExistsJson(json, key(count, "")); ++count) {
            Vector memory v = read(count);
            uint256 snapshot = vm.snapshotState();
            lanes = moveTo(v.chainId, v.place);
            (uint64 value, uint16 most) = (uint64(number(count, ".tickValue")), uint16(number(count, ".maxTicks")));
            bytes32 anchor = vm.parseJsonBytes32(json, key(count, ".anchor"));
            vm.assertEq(lanes.tickVoucherDigest(v.provider, v.epoch, v.total, v.cap, anchor, value, most), v.digest);
            vm.assertEq(ecrecover(v.digest, recovery(v.vs), v.r, v.vs & bytes32(type(uint256).max >> 1)), v.signer);
            if (v.epoch == 0) {
                payTicks(v, value, most, count);
                ++redeemed;
            }
            vm.revertToState(snapshot);
        }
        vm.assertGe(count, 15);
        vm.assertGe(redeemed, 12);
    }

    function payTicks(Vector memory v, uint64 value, uint16 most, uint256 i) private {
        vm.prank(funder);
        token.approve(v.place, 10_000 ether);
        depositFor(v.signer, 10_000 ether);
        uint256 ticks = number(i, ".ticks");
        ILanes.TickItem memory item = ILanes.TickItem(
            packVoucher(0, v.total, v.cap),
            uint256(value) << 32 | uint256(most) << 16 | ticks,
            vm.parseJsonBytes32(json, key(i, ".preimage")),
            v.r,
            v.vs
        );
        vm.assertEq(lanes.settleTicks(v.provider, tickBatch(item)), v.total + ticks * value);
    }

    function number(uint256 i, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, key(i, field));
    }

    /// @dev Puts the contract where the voucher was signed for.
    function moveTo(uint256 chainId, address where) private returns (ILanes) {
        vm.chainId(chainId);
        vm.etch(where, address(lanes).code);
        return ILanes(where);
    }

    function key(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat("$[", vm.toString(i), "]", field);
    }

    function read(uint256 i) private view returns (Vector memory v) {
        v.chainId = vm.parseJsonUint(json, key(i, ".chainId"));
        v.place = vm.parseJsonAddress(json, key(i, ".contract"));
        v.provider = vm.parseJsonAddress(json, key(i, ".provider"));
        v.epoch = uint24(vm.parseJsonUint(json, key(i, ".epoch")));
        v.total = uint96(vm.parseJsonUint(json, key(i, ".total")));
        v.cap = uint96(vm.parseJsonUint(json, key(i, ".cap")));
        v.digest = vm.parseJsonBytes32(json, key(i, ".digest"));
        v.signer = vm.parseJsonAddress(json, key(i, ".signer"));
        v.r = vm.parseJsonBytes32(json, key(i, ".r"));
        v.vs = vm.parseJsonBytes32(json, key(i, ".vs"));
    }

    function recovery(bytes32 vs) private pure returns (uint8) {
        return uint8(27 + (uint256(vs) >> 255));
    }
}
