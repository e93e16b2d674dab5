// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "./IVault.sol";

/// @title Registry of providers
/// @notice Binds an Ethereum address to the key a provider's node uses in the Mysterium database, backed by a stake
/// that is paid back after a delay. Nobody can take or slash the stake.
/// @dev The binding is one half of a proof: anybody may register any node key. A reader must also find a record signed
/// by the node key that names the provider's address. Two providers may therefore hold the same key here.
interface IRegistry is IVault {
    /// @notice The node key is zero.
    error ZeroNodeKey();
    /// @notice The stake after this call would be below the minimum.
    /// @param stake total it would have been
    /// @param minStake the minimum
    error StakeTooSmall(uint256 stake, uint96 minStake);
    /// @notice The caller is not registered.
    error NotRegistered();
    /// @notice The caller has asked to leave; it can register anew once it has left.
    error AlreadyLeaving();
    /// @notice The caller has not asked to leave.
    error NotLeaving();

    /// @notice A provider registered, changed its node key, or added stake.
    /// @param stake total stake after the call
    event Registered(address indexed provider, bytes32 nodeKey, uint96 stake);
    /// @notice A provider announced that it leaves.
    /// @param leaveAt first second at which the stake can be taken back
    event UnregisterRequested(address indexed provider, uint40 leaveAt);
    /// @notice A provider left and got its stake back.
    event Unregistered(address indexed provider, uint96 stake);

    /// @notice Registers the caller, or changes its node key and adds to its stake.
    /// @param nodeKey key of the node, not zero
    /// @param stake amount to add; the total must reach `MIN_STAKE`
    function register(bytes32 nodeKey, uint96 stake) external;

    /// @notice `register` with an EIP-2612 permit of the caller for `stake`.
    /// @dev A permit that fails is ignored: if somebody else used it first, the allowance is there already.
    function registerWithPermit(bytes32 nodeKey, uint96 stake, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;

    /// @notice Announces that the caller leaves. The stake is free after the window.
    function requestUnregister() external;

    /// @notice Removes the caller and pays its stake back, after the window.
    function unregister() external;

    /// @notice What is known about a provider.
    /// @return nodeKey zero if not registered
    /// @return stake total stake
    /// @return leaveAt first second at which the stake can be taken back, 0 if the provider stays
    function providers(address provider) external view returns (bytes32 nodeKey, uint96 stake, uint40 leaveAt);

    /// @notice Smallest total stake of a provider.
    function MIN_STAKE() external view returns (uint96);
}
