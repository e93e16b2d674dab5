// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

contract OwnerTest is LanesFixture {
    address private cold;

    function setUp() public override {
        super.setUp();
        cold = makeAddr("cold");
    }

    function signOwner(uint256 key, address owner) private view returns (bytes32 r, bytes32 vs) {
        bytes32 structHash = keccak256(abi.encode(keccak256("SetOwner(address owner)"), owner));
        return vm.signCompact(key, keccak256(abi.encodePacked(hex"1901", lanes.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_the_signer_names_its_owner_itself() public {
        vm.expectEmit(address(lanes));
        emit ILanes.OwnerSet(signer, cold);
        vm.prank(signer);
        lanes.setOwner(signer, cold, 0, 0);
        vm.assertEq(lanes.owners(signer), cold);
    }

    function test_anybody_may_bring_the_signature() public {
        (bytes32 r, bytes32 vs) = signOwner(SIGNER_KEY, cold);
        vm.prank(stranger);
        lanes.setOwner(signer, cold, r, vs);
        vm.assertEq(lanes.owners(signer), cold);
    }

    function test_the_signature_must_be_the_signers() public {
        (bytes32 r, bytes32 vs) = signOwner(SIGNER_KEY + 1, cold);
        vm.prank(cold);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.setOwner(signer, cold, r, vs);
    }

    function test_the_signature_is_for_one_owner() public {
        (bytes32 r, bytes32 vs) = signOwner(SIGNER_KEY, cold);
        vm.prank(stranger);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.setOwner(signer, stranger, r, vs);
    }

    function test_an_empty_signature_is_only_good_from_the_signer() public {
        vm.prank(stranger);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.setOwner(signer, stranger, 0, 0);
    }

    function test_a_voucher_is_no_owner_signature() public {
        ILanes.Item memory item = voucher(1, 1);
        vm.expectRevert(ILanes.BadSignature.selector);
        lanes.setOwner(signer, provider, item.r, item.vs);
    }

    function test_the_owner_is_named_once() public {
        vm.startPrank(signer);
        lanes.setOwner(signer, cold, 0, 0);
        vm.expectRevert(ILanes.OwnerAlreadySet.selector);
        lanes.setOwner(signer, stranger, 0, 0);
    }

    function test_rejects_the_zero_address() public {
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.setOwner(address(0), cold, 0, 0);
        vm.prank(signer);
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.setOwner(signer, address(0), 0, 0);
    }

    function test_the_owner_may_exit_and_release() public {
        depositFor(signer, 10 ether);
        vm.prank(signer);
        lanes.setOwner(signer, cold, 0, 0);
        settle(voucher(1 ether, 4 ether));

        vm.startPrank(cold);
        lanes.requestRelease(signer, provider);
        lanes.requestExit(signer, 6 ether);
        vm.warp(block.timestamp + WINDOW);
        lanes.release(signer, provider);
        lanes.withdraw(signer, cold);
        vm.assertEq(token.balanceOf(cold), 6 ether);
        assertAccount(signer, 3 ether, 0, 0);
    }
}
