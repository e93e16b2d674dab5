// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MystToken} from "../../src/MystToken.sol";
import {Vm} from "./Vm.sol";

/// @dev An EIP-2612 permit of `key` with its current nonce.
function signPermit(MystToken token, uint256 key, address spender, uint256 value, uint256 deadline)
    view
    returns (uint8 v, bytes32 r, bytes32 s)
{
    Vm vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address owner = vm.addr(key);
    bytes32 structHash = keccak256(
        abi.encode(
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
            owner,
            spender,
            value,
            token.nonces(owner),
            deadline
        )
    );
    return vm.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
}
