// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {LanesFixture} from "./support/LanesFixture.sol";

/// @dev What is signed, computed here a second time from the EIP-712 text.
contract DomainTest is LanesFixture {
    function separator() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Mysterium Lanes"),
                keccak256("1"),
                block.chainid,
                address(lanes)
            )
        );
    }

    function test_domain_separator() public view {
        vm.assertEq(lanes.DOMAIN_SEPARATOR(), separator());
    }

    function test_wallets_can_read_the_domain() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chain, address place, bytes32 salt,) =
            IERC5267(address(lanes)).eip712Domain();
        vm.assertEq(uint8(fields), 0x0f);
        vm.assertEq(name, "Mysterium Lanes");
        vm.assertEq(version, "1");
        vm.assertEq(chain, block.chainid);
        vm.assertEq(place, address(lanes));
        vm.assertEq(salt, bytes32(0));
    }

    function test_domain_separator_follows_the_chain_id() public {
        bytes32 before = lanes.DOMAIN_SEPARATOR();
        vm.chainId(424242);
        vm.assertEq(lanes.DOMAIN_SEPARATOR(), separator());
        vm.assertNotEq(lanes.DOMAIN_SEPARATOR(), before);
    }

    function testFuzz_voucher_digest(address to, uint24 epoch, uint96 total, uint96 cap) public view {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Voucher(address provider,uint24 epoch,uint96 total,uint96 cap)"), to, epoch, total, cap
            )
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", separator(), structHash));
        vm.assertEq(lanes.voucherDigest(to, epoch, total, cap), expected);
    }
}
