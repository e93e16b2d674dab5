// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILanes} from "../../src/ILanes.sol";
import {Signing} from "./Signing.sol";
import {TrickToken} from "./TrickToken.sol";

/// @dev Two people, each consumer and provider, and a token that changes its mind about how to behave.
contract TrickyHandler is Signing {
    TrickToken private immutable TRICK;
    uint256 private constant MOST = 100_000;

    address[2] private _people;
    uint256[2] private _keys = [uint256(100), 101];

    uint256 public worked;
    uint256 public failed;
    uint256 public calledBack;

    constructor(ILanes lanes_, TrickToken trick_, address treasury_) {
        (lanes, TRICK, treasury) = (lanes_, trick_, treasury_);
        _people = [vm.addr(_keys[0]), vm.addr(_keys[1])];
        trick_.approve(address(lanes_), type(uint256).max);
    }

    /// @dev Tricks that change what a transfer moves are possible only when the contract receives: a token that moves
    /// more than asked out of a holder's balance robs any contract.
    function trick(uint256 how, uint256 whom) external {
        how %= 8;
        if (how == 5) return TRICK.blockAccount(_people[whom % 2], whom % 4 < 2);
        if (how == 6) return TRICK.blockAccount(treasury, whom % 2 == 0);
        if (how == 7) return TRICK.playCallBack(address(lanes), inside(whom));
        TrickToken.Trick[5] memory tricks = [
            TrickToken.Trick.None,
            TrickToken.Trick.KeepOnePercent,
            TrickToken.Trick.ReturnFalse,
            TrickToken.Trick.ReturnNothing,
            TrickToken.Trick.None
        ];
        TRICK.play(tricks[how]);
    }

    /// @dev Something to call from inside a transfer.
    function inside(uint256 seed) private view returns (bytes memory) {
        address who = _people[seed % 2];
        if (seed % 3 == 0) return abi.encodeCall(lanes.deposit, (who, 1));
        if (seed % 3 == 1) return abi.encodeCall(lanes.collectFees, (treasury));
        uint96 total = uint96(seed % MOST);
        return abi.encodeCall(lanes.settle, (who, batch(voucher(_keys[seed % 2], who, 0, total, total))));
    }

    function deposit(uint256 who, uint96 amount) external {
        amount = uint96(bound(amount, 1, MOST));
        if (who % 3 == 0) {
            TRICK.play(who % 2 == 0 ? TrickToken.Trick.SendMore : TrickToken.Trick.TakeFromReceiver);
            vm.assertFalse(attempt(address(this), abi.encodeCall(lanes.deposit, (_people[who % 2], amount))));
            TRICK.play(TrickToken.Trick.None);
        } else {
            attempt(address(this), abi.encodeCall(lanes.deposit, (_people[who % 2], amount)));
        }
    }

    function settle(uint256 who, uint96 total, uint96 extra, bool credited) external {
        (address from, address to) = (_people[who % 2], _people[(who >> 1) % 2]);
        (,,, uint24 epoch) = lanes.lanes(from, to);
        total = uint96(total % MOST);
        ILanes.Item[] memory items = batch(voucher(_keys[who % 2], to, epoch, total, total + uint96(extra % MOST)));
        if (credited) attempt(to, abi.encodeCall(lanes.settleToAccount, (to, items, noTicks())));
        else attempt(address(this), abi.encodeCall(lanes.settle, (to, items)));
    }

    function goAway(uint256 who, uint256 how) external {
        (address from, address to) = (_people[who % 2], _people[(who >> 1) % 2]);
        how %= 7;
        if (how == 0) attempt(from, abi.encodeCall(lanes.requestExit, (from, type(uint96).max)));
        if (how == 1) attempt(from, abi.encodeCall(lanes.withdraw, (from, from)));
        if (how == 2) attempt(from, abi.encodeCall(lanes.requestRelease, (from, to)));
        if (how == 3) attempt(to, abi.encodeCall(lanes.release, (from, to)));
        if (how == 4) attempt(treasury, abi.encodeCall(lanes.collectFees, (treasury)));
        if (how == 5) attempt(address(this), abi.encodeCall(lanes.register, (bytes32("node"), lanes.MIN_STAKE())));
        if (how == 6) {
            attempt(address(this), abi.encodeCall(lanes.requestUnregister, ()));
            attempt(address(this), abi.encodeCall(lanes.unregister, ()));
        }
    }

    function wait(uint32 time) external {
        vm.warp(block.timestamp + bound(time, 1, 30 hours));
    }

    function attempt(address by, bytes memory call) private returns (bool ok) {
        bool armed = TRICK.trick() == TrickToken.Trick.CallBack && !TRICK.calledBack();
        vm.prank(by);
        (ok,) = address(lanes).call(call);
        if (ok) ++worked;
        else ++failed;
        if (armed && TRICK.calledBack()) {
            ++calledBack;
            vm.assertEq(
                bytes32(TRICK.answer()), bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
        }
    }

    /// @dev What the contract says it owes.
    function owed() external view returns (uint256 sum) {
        sum = lanes.uncollectedFees();
        for (uint256 i; i < 2; ++i) {
            (uint96 free, uint96 exiting,,) = lanes.accounts(_people[i]);
            sum += uint256(free) + exiting;
            for (uint256 j; j < 2; ++j) {
                (uint96 paid, uint96 cap,,) = lanes.lanes(_people[i], _people[j]);
                sum += cap - paid;
            }
        }
        (, uint96 stake,) = lanes.providers(address(this));
        sum += stake;
    }
}
