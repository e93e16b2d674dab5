// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev A token that misbehaves on demand. It knows no permits.
contract TrickToken is ERC20 {
    enum Trick {
        None,
        KeepOnePercent,
        SendMore,
        TakeFromReceiver,
        ReturnFalse,
        ReturnNothing,
        CallBack
    }

    Trick public trick;
    address public target;
    bytes public call;
    bool public calledBack;
    bytes4 public answer;
    mapping(address account => bool) public blocked;
    address public refused;

    constructor() ERC20("Trick", "TRK") {
        _mint(msg.sender, type(uint256).max / 2);
    }

    function play(Trick trick_) external {
        trick = trick_;
    }

    /// @dev As issuers of stable coins do: transfers to and from a blocked account revert.
    function blockAccount(address account, bool yes) external {
        blocked[account] = yes;
    }

    /// @dev Transfers to this account answer no.
    function refuse(address account) external {
        refused = account;
    }

    /// @dev During the next transfer, calls `target_` with `call_` and keeps the first bytes of what it answers.
    function playCallBack(address target_, bytes calldata call_) external {
        (trick, target, call, calledBack) = (Trick.CallBack, target_, call_, false);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _tricked(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        return _tricked(from, to, amount);
    }

    function _tricked(address from, address to, uint256 amount) private returns (bool) {
        require(!blocked[from] && !blocked[to], "blocked");
        if (trick == Trick.ReturnFalse || to == refused) return false;
        if (trick == Trick.CallBack && !calledBack) {
            calledBack = true;
            (, bytes memory result) = target.call(call);
            answer = bytes4(result);
        }
        if (trick == Trick.TakeFromReceiver) {
            _transfer(to, from, balanceOf(to));
            return true;
        }
        if (trick == Trick.KeepOnePercent) _burn(from, amount / 100);
        uint256 moved = trick == Trick.KeepOnePercent ? amount - amount / 100 : amount;
        _transfer(from, to, trick == Trick.SendMore ? moved + 1 : moved);
        if (trick == Trick.ReturnNothing) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }
}
