// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../../src/ILanes.sol";

/// @dev What `settle` does to one lane and one account, written for the reader and not for gas. The contract is
/// compared with it.
library SettleModel {
    struct State {
        ILanes.Account account;
        ILanes.Lane lane;
    }

    struct Outcome {
        bool applied;
        uint96 pay;
        uint96 fromFree;
        uint96 fromExiting;
    }

    /// @dev Applies a voucher with a good signature to `state`.
    function apply_(State memory state, uint24 epoch, uint96 total, uint96 cap)
        internal
        pure
        returns (Outcome memory out)
    {
        ILanes.Lane memory lane = state.lane;
        ILanes.Account memory account = state.account;

        if (cap < total) return out;
        if (epoch != lane.epoch) return out;

        // A lane that is being released owes what is owed, but sets nothing more aside.
        uint96 wantedCap = lane.releaseAt == 0 ? cap : total;

        // From the free part: everything wanted, as far as it goes.
        if (wantedCap > lane.cap) {
            out.fromFree = smaller(wantedCap - lane.cap, account.free);
            account.free -= out.fromFree;
            lane.cap += out.fromFree;
        }
        // From the part on its way out: only what is owed.
        if (total > lane.cap) {
            out.fromExiting = smaller(total - lane.cap, account.exiting);
            account.exiting -= out.fromExiting;
            lane.cap += out.fromExiting;
        }
        uint96 paid = smaller(total, lane.cap);
        if (paid > lane.paid) {
            out.pay = paid - lane.paid;
            lane.paid = paid;
        }
        out.applied = out.pay != 0 || out.fromFree != 0 || out.fromExiting != 0;
    }

    function smaller(uint96 a, uint96 b) private pure returns (uint96) {
        return a < b ? a : b;
    }
}
