// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ILanes} from "./ILanes.sol";
import {Vault} from "./Vault.sol";

/// @title Deposits: in, out, and who may say so
/// @dev See ILanes for what the functions promise.
abstract contract Accounts is ILanes, Vault, EIP712 {
    bytes32 private constant SET_OWNER_TYPEHASH = keccak256("SetOwner(address owner)");
    bytes32 private constant EXIT_TYPEHASH =
        keccak256("Exit(address signer,uint96 amount,uint64 nonce,uint40 deadline)");
    bytes32 private constant WITHDRAW_TYPEHASH = keccak256(
        "Withdraw(address signer,address to,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline)"
    );

    /// @inheritdoc ILanes
    mapping(address signer => Account) public override accounts;
    /// @inheritdoc ILanes
    mapping(address signer => address) public override owners;
    /// @inheritdoc ILanes
    mapping(address key => uint64) public override nonces;

    // In

    /// @inheritdoc ILanes
    function deposit(address signer, uint96 amount) external override nonReentrant {
        _deposit(signer, amount);
    }

    /// @inheritdoc ILanes
    function depositFor(address account, uint256 value) external override nonReentrant returns (bool) {
        _deposit(account, _toUint96(value));
        return true;
    }

    /// @inheritdoc ILanes
    function depositMany(address[] calldata signers, uint96[] calldata amounts) external override nonReentrant {
        if (signers.length != amounts.length) revert LengthMismatch();
        uint256 sum;
        for (uint256 i; i < amounts.length; ++i) {
            sum += amounts[i];
        }
        if (sum == 0) revert ZeroAmount();
        _pull(_toUint96(sum));
        for (uint256 i; i < amounts.length; ++i) {
            _credit(signers[i], msg.sender, amounts[i]);
        }
    }

    /// @inheritdoc ILanes
    function depositWithPermit(address signer, uint96 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        override
        nonReentrant
    {
        _permit(amount, deadline, v, r, s);
        _deposit(signer, amount);
    }

    /// @inheritdoc ILanes
    function depositWithAuthorization(address signer, uint96 amount, Authorization calldata authorization)
        external
        override
        nonReentrant
    {
        _pullAuthorized(
            authorization.from,
            amount,
            authorization.validAfter,
            authorization.validBefore,
            keccak256(abi.encode(signer, authorization.salt)),
            authorization.v,
            authorization.r,
            authorization.s
        );
        _credit(signer, authorization.from, amount);
    }

    function _deposit(address signer, uint96 amount) private {
        _pull(amount);
        _credit(signer, msg.sender, amount);
    }

    /// @dev Adds what this contract has received, or what left the books elsewhere, to an account.
    function _credit(address signer, address from, uint96 amount) internal {
        if (signer == address(0)) revert ZeroAddress();
        if (amount == 0) revert ZeroAmount();
        uint96 free = accounts[signer].free + amount;
        accounts[signer].free = free;
        emit Deposited(signer, from, amount, free);
    }

    // Out

    /// @inheritdoc ILanes
    function requestExit(address signer, uint96 amount) external override nonReentrant {
        _requireSignerOrOwner(signer);
        _requestExit(signer, amount);
    }

    /// @inheritdoc ILanes
    function requestExitFor(address signer, uint96 amount, Order calldata order) external override nonReentrant {
        _useOrder(signer, keccak256(abi.encode(EXIT_TYPEHASH, signer, amount, order.nonce, order.deadline)), order);
        _requestExit(signer, amount);
    }

    /// @inheritdoc ILanes
    function withdraw(address signer, address to) external override nonReentrant {
        _requireSignerOrOwner(signer);
        _push(to, _withdraw(signer, to));
    }

    /// @inheritdoc ILanes
    function withdrawFor(address signer, address to, Relay calldata relay, Order calldata order)
        external
        override
        nonReentrant
    {
        bytes32 structHash = keccak256(
            abi.encode(WITHDRAW_TYPEHASH, signer, to, relay.relayer, relay.fee, order.nonce, order.deadline)
        );
        _useOrder(signer, structHash, order);
        uint256 rest = _payRelayer(relay, _withdraw(signer, to));
        if (rest != 0) _push(to, rest);
    }

    function _requestExit(address signer, uint96 amount) private {
        Account memory account = accounts[signer];
        if (amount == type(uint96).max) amount = account.free;
        if (amount == 0) revert ZeroAmount();
        if (amount > account.free) revert InsufficientFree(account.free);
        account.free -= amount;
        account.exiting += amount;
        account.exitAt = _afterWindow();
        accounts[signer] = account;
        emit ExitRequested(signer, account.exiting, account.exitAt);
    }

    /// @dev Takes all that is on its way out off the books.
    function _withdraw(address signer, address to) private returns (uint96 amount) {
        address owner = owners[signer];
        if (to == address(0)) revert ZeroAddress();
        if (to == address(this)) revert RecipientNotAllowed();
        if (owner != address(0) && to != owner && to != signer) revert RecipientNotAllowed();
        Account memory account = accounts[signer];
        amount = account.exiting;
        if (amount == 0) revert NothingExiting();
        _requireReached(account.exitAt);
        account.exiting = 0;
        account.exitAt = 0;
        accounts[signer] = account;
        emit Withdrawn(signer, to, amount);
    }

    // Who may say so

    /// @inheritdoc ILanes
    function setOwner(address signer, address owner, bytes32 r, bytes32 vs) external override nonReentrant {
        if (signer == address(0) || owner == address(0)) revert ZeroAddress();
        if (owner == address(this)) revert RecipientNotAllowed();
        if (owners[signer] != address(0)) revert OwnerAlreadySet();
        if (msg.sender != signer) {
            bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(SET_OWNER_TYPEHASH, owner)));
            (address recovered,,) = ECDSA.tryRecover(digest, r, vs);
            if (recovered != signer) revert BadSignature();
        }
        owners[signer] = owner;
        emit OwnerSet(signer, owner);
    }

    function _requireSignerOrOwner(address signer) internal view {
        if (msg.sender == signer) return;
        address owner = owners[signer];
        if (owner == address(0) || msg.sender != owner) revert NotAuthorized();
    }

    /// @dev Uses up an order of `account`, signed by its key or its owner's. High s, other values of v than 27 and 28,
    /// other lengths than 64 and 65 and what recovers to nobody are refused.
    function _useOrder(address account, bytes32 structHash, Order calldata order) internal {
        if (block.timestamp > order.deadline) revert OrderExpired(order.deadline);
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(order.signature);
        (address key, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_hashTypedDataV4(structHash), v, r, s);
        bool known = key == account || key == owners[account];
        if (failure != ECDSA.RecoverError.NoError || !known) revert BadSignature();
        uint64 expected = nonces[key];
        if (order.nonce != expected) revert InvalidNonce(expected);
        nonces[key] = expected + 1;
    }

    /// @dev Pays the caller for bringing an order; returns what is left of `available`.
    function _payRelayer(Relay calldata relay, uint256 available) internal returns (uint256 rest) {
        if (relay.relayer != address(0) && msg.sender != relay.relayer) revert RelayerNotAllowed(relay.relayer);
        if (relay.fee > available) revert RelayerFeeTooHigh(available);
        if (relay.fee != 0) _push(msg.sender, relay.fee);
        return available - relay.fee;
    }

    function _toUint96(uint256 amount) internal pure returns (uint96) {
        if (amount > type(uint96).max) revert CapacityExceeded();
        return uint96(amount);
    }
}
