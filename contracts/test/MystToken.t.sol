// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MystToken} from "../src/MystToken.sol";
import {Test} from "./support/Test.sol";

contract MystTokenTest is Test {
    MystToken private token;

    function setUp() public {
        token = MystToken(vm.deployCode("MystToken.sol:MystToken", abi.encode(1000 ether)));
    }

    function test_has_the_name_and_units_of_the_test_token() public view {
        vm.assertEq(token.name(), "Mysterium Test Token");
        vm.assertEq(token.symbol(), "MYSTT");
        vm.assertEq(token.decimals(), 18);
    }

    function test_gives_the_whole_supply_to_the_deployer() public view {
        vm.assertEq(token.totalSupply(), 1000 ether);
        vm.assertEq(token.balanceOf(address(this)), 1000 ether);
    }

    function test_takes_a_permit() public {
        uint256 key = 77;
        address owner = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                address(this),
                5 ether,
                0,
                block.timestamp
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.permit(owner, address(this), 5 ether, block.timestamp, v, r, s);
        vm.assertEq(token.allowance(owner, address(this)), 5 ether);
    }
}
