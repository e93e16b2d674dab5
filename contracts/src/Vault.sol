// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IVault} from "./IVault.sol";

/// @title The token this contract holds
/// @dev Everything that moves tokens in or out goes through here.
abstract contract Vault is IVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IVault
    IERC20 public immutable override TOKEN;

    /// @inheritdoc IVault
    uint40 public immutable override WINDOW;

    constructor(address token, uint40 window) {
        if (token.code.length == 0) revert NotAContract(token);
        TOKEN = IERC20(token);
        WINDOW = window;
    }

    /// @dev Takes `amount` from the caller and checks that it arrived.
    function _pull(uint96 amount) internal {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        _requireArrived(before, amount);
    }

    /// @dev Takes `amount` from `from`, who has signed an ERC-3009 authorization, and checks that it arrived.
    function _pullAuthorized(
        address from,
        uint96 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) internal {
        uint256 before = TOKEN.balanceOf(address(this));
        IERC3009(address(TOKEN))
            .receiveWithAuthorization(from, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        _requireArrived(before, amount);
    }

    /// @dev The bound on the balance is what keeps every sum of amounts in this contract within 96 bits.
    function _requireArrived(uint256 before, uint96 amount) private view {
        uint256 afterwards = TOKEN.balanceOf(address(this));
        if (afterwards < before || afterwards - before != amount) {
            revert UnexpectedAmount(amount, afterwards < before ? 0 : afterwards - before);
        }
        if (afterwards > type(uint96).max) revert CapacityExceeded();
    }

    /// @dev Sends `amount` away. Callers have updated their books before.
    function _push(address to, uint256 amount) internal {
        TOKEN.safeTransfer(to, amount);
    }

    /// @dev Sends `amount` away unless the token refuses; returns whether it did. For receivers that must not be able
    /// to stop others.
    function _tryPush(address to, uint256 amount) internal returns (bool) {
        return TOKEN.trySafeTransfer(to, amount);
    }

    /// @dev Uses a permit of the caller and ignores a failure: what counts is the allowance, and a permit somebody
    /// else has used already has left it behind.
    function _permit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        try IERC20Permit(address(TOKEN)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
    }

    /// @dev The second at which something asked for now becomes possible. 40 bits last for 34,000 years.
    function _afterWindow() internal view returns (uint40) {
        return uint40(block.timestamp) + WINDOW;
    }

    function _requireReached(uint40 when) internal view {
        if (block.timestamp < when) revert TooEarly(when);
    }
}
