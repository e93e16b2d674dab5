// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../../src/ILanes.sol";
import {MystToken} from "../../src/MystToken.sol";
import {Vm} from "./Vm.sol";

uint256 constant END = 1 << 40;

/// @dev An ERC-3009 authorization of `key` to deposit `value` for `signer`, good until the end of time.
function signAuthorization(MystToken token, uint256 key, ILanes lanes, address signer, uint256 value, bytes32 salt)
    view
    returns (ILanes.Authorization memory signed)
{
    Vm vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 typehash = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 structHash =
        keccak256(abi.encode(typehash, vm.addr(key), lanes, value, 0, END, keccak256(abi.encode(signer, salt))));
    bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
    (signed.from, signed.validBefore, signed.salt) = (vm.addr(key), END, salt);
    (signed.v, signed.r, signed.s) = vm.sign(key, digest);
}
