// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title What deposits and stakes have in common
/// @notice One token and one delay.
interface IVault {
    /// @notice An address is zero.
    error ZeroAddress();
    /// @notice There is no code at the token's address.
    error NotAContract(address token);
    /// @notice The token moved another amount than it was asked to, for instance because it keeps a part.
    error UnexpectedAmount(uint256 expected, uint256 received);
    /// @notice The contract would hold more than 2^96 - 1 units.
    error CapacityExceeded();
    /// @notice It is too early.
    /// @param when first second at which the call is possible
    error TooEarly(uint40 when);

    /// @notice The token all amounts are in.
    function TOKEN() external view returns (IERC20);

    /// @notice Delay of releases, exits and of leaving the registry, in seconds.
    function WINDOW() external view returns (uint40);
}
