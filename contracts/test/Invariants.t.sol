// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LanesFixture} from "./support/LanesFixture.sol";
import {Handler} from "./support/Handler.sol";

/// @dev Random sequences of all functions. What concerns single lanes is checked in the handler after each call.
contract InvariantsTest is LanesFixture {
    Handler private handler;

    function setUp() public override {
        super.setUp();
        handler = new Handler(lanes, token, treasury);
        token.transfer(address(handler), 1_000_000 ether);
    }

    /// @dev Tells forge whom to call.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One function, because forge plays other sequences for each.
    function invariant_all_money_is_where_it_belongs() public view {
        handler.check();
    }

    /// @dev A sequence in which nothing happens proves nothing. This one is always the same, and much happens.
    function test_the_handler_is_not_idle() public {
        for (uint256 i; i < 300; ++i) {
            play(i);
            invariant_all_money_is_where_it_belongs();
        }
        vm.assertGt(handler.count("settle that paid"), 150, "payments");
        vm.assertGt(handler.count("release that happened"), 20, "releases");
        vm.assertGt(handler.count("withdraw that happened"), 20, "withdrawals");
        vm.assertGt(handler.count("replay of a paid voucher"), 50, "replays");
        vm.assertGt(handler.count("order that was used"), 50, "orders");
        vm.assertGt(handler.count("attempt that failed"), 300, "attempts");
    }

    function play(uint256 i) private {
        handler.deposit(random(i, 0), uint96(random(i, 1)), i);
        playSettle(i);
        playOtherSettles(i);
        if (i % 3 == 0) handler.requestRelease(random(i, 2), random(i, 3), i % 2 == 0);
        if (i % 3 == 1) handler.release(random(i, 2), random(i, 3), i % 2 == 0);
        if (i % 5 == 0) handler.requestExit(random(i, 2), uint96(random(i, 4)), i % 2 == 0);
        if (i % 5 == 3) handler.withdraw(random(i, 2), i % 2 == 0, i % 4 < 2, uint96(random(i, 6)));
        if (i % 50 == 49) handler.setOwner(random(i, 2));
        if (i % 4 == 1) handler.collectFees(i % 8 == 1);
        handler.replay(random(i, 7));
        handler.steal(random(i, 2), random(i, 3), i);
        handler.repeatOrder(random(i, 8));
        handler.wait(uint32(random(i, 5)));
    }

    function playSettle(uint256 i) private {
        uint256[3] memory who = [random(i, 10), random(i, 11), random(i, 12)];
        uint96[3] memory totals = [uint96(random(i, 20)), uint96(random(i, 21)), uint96(random(i, 22))];
        uint96[3] memory extra = [uint96(random(i, 30)), uint96(random(i, 31)), uint96(random(i, 32))];
        uint8[3] memory when = [uint8(random(i, 40)), uint8(random(i, 41)), uint8(random(i, 42))];
        handler.settle(random(i, 9), who, totals, extra, when);
    }

    function playOtherSettles(uint256 i) private {
        (uint256 whom, uint256 who) = (random(i, 50), random(i, 51));
        (uint96 total, uint96 extra) = (uint96(random(i, 52)), uint96(random(i, 53)));
        if (i % 4 == 0) handler.settleTicks(whom, who, total, extra, uint64(total), uint16(extra), uint8(who));
        if (i % 4 == 1) handler.settleToAccount(whom, who, total, extra, i % 8 == 1);
        if (i % 4 == 2) handler.settleFor(whom, who, total, extra, i % 8 == 2, i % 3 == 0);
        if (i % 4 == 3) handler.depositMany(whom, [total, extra, 5]);
        if (i % 8 == 0) handler.depositWithPermit(who, total, i % 16 == 0);
        if (i % 8 == 4) handler.depositWithAuthorization(who, total, extra);
    }

    function random(uint256 i, uint256 j) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(i, j)));
    }
}
