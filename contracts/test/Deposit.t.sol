// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {signAuthorization} from "./support/Authorization.sol";
import {signPermit} from "./support/Permit.sol";

contract DepositTest is LanesFixture {
    uint256 private constant PAYER_KEY = uint256(keccak256("payer key"));
    address private payer;

    function setUp() public override {
        super.setUp();
        payer = vm.addr(PAYER_KEY);
        token.transfer(payer, 1000 ether);
    }

    function test_deposit_credits_the_signer() public {
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, funder, 5 ether, 5 ether);
        depositFor(signer, 5 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, funder, 2 ether, 7 ether);
        depositFor(signer, 2 ether);
        assertAccount(signer, 7 ether, 0, 0);
        vm.assertEq(token.balanceOf(address(lanes)), 7 ether);
    }

    function test_deposit_gives_the_payer_no_right() public {
        depositFor(signer, 5 ether);
        vm.assertEq(lanes.owners(signer), address(0));
        vm.prank(funder);
        vm.expectRevert(ILanes.NotAuthorized.selector);
        lanes.requestExit(signer, 1 ether);
    }

    function test_deposit_rejects_nothing_and_nobody() public {
        vm.expectRevert(ILanes.ZeroAmount.selector);
        depositFor(signer, 0);
        vm.expectRevert(IVault.ZeroAddress.selector);
        depositFor(address(0), 1);
    }

    function test_deposit_needs_an_allowance() public {
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(lanes), 0, 1 ether)
        );
        lanes.deposit(signer, 1 ether);
    }

    function test_permit_and_deposit_in_one_call() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, PAYER_KEY, address(lanes), 3 ether, block.timestamp);
        vm.prank(payer);
        lanes.depositWithPermit(signer, 3 ether, block.timestamp, v, r, s);
        assertAccount(signer, 3 ether, 0, 0);
        vm.assertEq(token.allowance(payer, address(lanes)), 0);
    }

    function test_a_permit_used_by_somebody_else_first_does_no_harm() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, PAYER_KEY, address(lanes), 3 ether, block.timestamp);
        vm.prank(stranger);
        token.permit(payer, address(lanes), 3 ether, block.timestamp, v, r, s);

        vm.prank(payer);
        lanes.depositWithPermit(signer, 3 ether, block.timestamp, v, r, s);
        assertAccount(signer, 3 ether, 0, 0);
    }

    function test_a_bad_permit_without_allowance_reverts() public {
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(lanes), 0, 3 ether)
        );
        lanes.depositWithPermit(signer, 3 ether, block.timestamp, 27, bytes32(uint256(1)), bytes32(uint256(2)));
    }

    function test_a_permit_of_somebody_else_cannot_be_spent() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, PAYER_KEY, address(lanes), 3 ether, block.timestamp);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(lanes), 0, 3 ether)
        );
        lanes.depositWithPermit(signer, 3 ether, block.timestamp, v, r, s);
    }

    // The common name

    function test_deposit_for_is_a_deposit() public {
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, funder, 5 ether, 5 ether);
        vm.prank(funder);
        vm.assertTrue(lanes.depositFor(signer, 5 ether));
        assertAccount(signer, 5 ether, 0, 0);
        vm.assertEq(lanes.owners(signer), address(0));
    }

    function test_deposit_for_rejects_what_deposit_rejects() public {
        vm.startPrank(funder);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.depositFor(signer, 0);
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.depositFor(address(0), 1);
        vm.expectRevert(IVault.CapacityExceeded.selector);
        lanes.depositFor(signer, uint256(1) << 96);
        vm.expectRevert(IVault.CapacityExceeded.selector);
        lanes.depositFor(signer, (uint256(1) << 96) + 1);
    }

    // Many at once

    function many(address a, uint96 x, address b, uint96 y)
        private
        pure
        returns (address[] memory signers, uint96[] memory amounts)
    {
        (signers, amounts) = (new address[](2), new uint96[](2));
        (signers[0], amounts[0], signers[1], amounts[1]) = (a, x, b, y);
    }

    function test_deposit_many_with_one_transfer() public {
        (address[] memory signers, uint96[] memory amounts) = many(signer, 2 ether, stranger, 3 ether);
        vm.recordLogs();
        vm.prank(funder);
        lanes.depositMany(signers, amounts);
        vm.assertEq(vm.getRecordedLogs().length, 3, "one Transfer and two Deposited");
        assertAccount(signer, 2 ether, 0, 0);
        assertAccount(stranger, 3 ether, 0, 0);
        vm.assertEq(token.balanceOf(address(lanes)), 5 ether);
    }

    function test_deposit_many_adds_up_for_one_signer() public {
        (address[] memory signers, uint96[] memory amounts) = many(signer, 2 ether, signer, 3 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, funder, 2 ether, 2 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, funder, 3 ether, 5 ether);
        vm.prank(funder);
        lanes.depositMany(signers, amounts);
    }

    function test_deposit_many_rejects_gaps() public {
        vm.startPrank(funder);
        (address[] memory signers, uint96[] memory amounts) = many(signer, 1, stranger, 0);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.depositMany(signers, amounts);
        (signers, amounts) = many(signer, 1, address(0), 1);
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.depositMany(signers, amounts);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.depositMany(new address[](0), new uint96[](0));
        vm.expectRevert(ILanes.LengthMismatch.selector);
        lanes.depositMany(signers, new uint96[](1));
        (signers, amounts) = many(signer, type(uint96).max, stranger, 1);
        vm.expectRevert(IVault.CapacityExceeded.selector);
        lanes.depositMany(signers, amounts);
        vm.assertEq(token.balanceOf(address(lanes)), 0);
    }

    // By authorization

    function authorization(address for_, uint256 value) private view returns (ILanes.Authorization memory) {
        return signAuthorization(token, PAYER_KEY, lanes, for_, value, "salt");
    }

    function test_anybody_brings_an_authorization() public {
        ILanes.Authorization memory signed = authorization(signer, 3 ether);
        vm.expectEmit(address(lanes));
        emit ILanes.Deposited(signer, payer, 3 ether, 3 ether);
        vm.prank(stranger);
        lanes.depositWithAuthorization(signer, 3 ether, signed);
        assertAccount(signer, 3 ether, 0, 0);
        vm.assertEq(token.balanceOf(payer), 997 ether);
        vm.assertEq(token.allowance(payer, address(lanes)), 0);
    }

    /// @dev Whoever brings it first, the deposit is made, once, for the signer the payer chose.
    function test_an_authorization_cannot_be_turned_to_another_account() public {
        ILanes.Authorization memory signed = authorization(signer, 3 ether);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSignature("ERC3009InvalidSignature()"));
        lanes.depositWithAuthorization(stranger, 3 ether, signed);
        vm.expectRevert(abi.encodeWithSignature("ERC3009InvalidSignature()"));
        lanes.depositWithAuthorization(signer, 2 ether, signed);
        bytes32 nonce = keccak256(abi.encode(signer, signed.salt));
        vm.expectRevert(abi.encodeWithSignature("ERC20InvalidReceiver(address)", address(lanes)));
        token.receiveWithAuthorization(
            payer, address(lanes), 3 ether, 0, signed.validBefore, nonce, signed.v, signed.r, signed.s
        );

        lanes.depositWithAuthorization(signer, 3 ether, signed);
        vm.expectRevert(abi.encodeWithSignature("ERC3009UsedAuthorization(address,bytes32)", payer, nonce));
        lanes.depositWithAuthorization(signer, 3 ether, signed);
        assertAccount(signer, 3 ether, 0, 0);
    }

    function test_an_authorization_out_of_time() public {
        ILanes.Authorization memory signed = authorization(signer, 3 ether);
        vm.warp(signed.validBefore);
        vm.expectRevert(
            abi.encodeWithSignature("ERC3009InvalidAuthorizationTime(uint256,uint256)", 0, signed.validBefore)
        );
        lanes.depositWithAuthorization(signer, 3 ether, signed);
    }

    function test_an_authorization_of_nothing_or_for_nobody() public {
        ILanes.Authorization memory signed = authorization(signer, 0);
        vm.expectRevert(ILanes.ZeroAmount.selector);
        lanes.depositWithAuthorization(signer, 0, signed);
        signed = authorization(address(0), 1);
        vm.expectRevert(IVault.ZeroAddress.selector);
        lanes.depositWithAuthorization(address(0), 1, signed);
    }
}
