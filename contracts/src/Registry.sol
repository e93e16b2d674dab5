// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";
import {Vault} from "./Vault.sol";

/// @title Registry of providers
/// @dev See IRegistry for what the functions promise.
abstract contract Registry is IRegistry, Vault {
    struct Provider {
        bytes32 nodeKey;
        uint96 stake;
        uint40 leaveAt;
    }

    /// @inheritdoc IRegistry
    mapping(address provider => Provider) public override providers;

    /// @inheritdoc IRegistry
    uint96 public immutable override MIN_STAKE;

    constructor(uint96 minStake) {
        MIN_STAKE = minStake;
    }

    /// @inheritdoc IRegistry
    function register(bytes32 nodeKey, uint96 stake) external override nonReentrant {
        _register(nodeKey, stake);
    }

    /// @inheritdoc IRegistry
    function registerWithPermit(bytes32 nodeKey, uint96 stake, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        override
        nonReentrant
    {
        _permit(stake, deadline, v, r, s);
        _register(nodeKey, stake);
    }

    /// @inheritdoc IRegistry
    function requestUnregister() external override nonReentrant {
        Provider storage provider = _registered();
        if (provider.leaveAt != 0) revert AlreadyLeaving();
        uint40 leaveAt = _afterWindow();
        provider.leaveAt = leaveAt;
        emit UnregisterRequested(msg.sender, leaveAt);
    }

    /// @inheritdoc IRegistry
    function unregister() external override nonReentrant {
        Provider storage provider = _registered();
        uint40 leaveAt = provider.leaveAt;
        if (leaveAt == 0) revert NotLeaving();
        _requireReached(leaveAt);
        uint96 stake = provider.stake;
        delete providers[msg.sender];
        emit Unregistered(msg.sender, stake);
        if (stake != 0) _push(msg.sender, stake);
    }

    function _register(bytes32 nodeKey, uint96 stake) private {
        if (nodeKey == 0) revert ZeroNodeKey();
        Provider storage provider = providers[msg.sender];
        if (provider.leaveAt != 0) revert AlreadyLeaving();
        uint256 total = uint256(provider.stake) + stake;
        if (total < MIN_STAKE) revert StakeTooSmall(total, MIN_STAKE);
        if (stake != 0) _pull(stake);
        // Fits: _pull has made sure that the whole balance does.
        provider.nodeKey = nodeKey;
        provider.stake = uint96(total);
        emit Registered(msg.sender, nodeKey, uint96(total));
    }

    function _registered() private view returns (Provider storage provider) {
        provider = providers[msg.sender];
        if (provider.nodeKey == 0) revert NotRegistered();
    }
}
