// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title Token of the test networks
/// @notice A plain ERC-20 token with EIP-2612 permits and ERC-3009 authorizations, 18 decimals. It has no minting, no
/// burning, no fee and no owner.
/// @dev It exists so that a development chain or a test network has something to pay with. It is not the token of a
/// production deployment and carries no value.
contract MystToken is ERC20, ERC20Permit, ERC3009 {
    /// @notice Creates the whole supply.
    /// @param supply in the smallest unit (1e-18 of a token); all of it goes to the deployer
    constructor(uint256 supply) ERC20("Mysterium Test Token", "MYSTT") ERC20Permit("Mysterium Test Token") {
        _mint(msg.sender, supply);
    }
}
