// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {LanesFixture} from "./support/LanesFixture.sol";
import {TrickyHandler} from "./support/TrickyHandler.sol";
import {TrickToken} from "./support/TrickToken.sol";

/// @dev Random sequences with a token that keeps a part, says no, says nothing, blocks accounts or calls back, as it
/// likes. Calls may fail then, but what is owed must be there.
contract TrickyInvariantsTest is LanesFixture {
    TrickyHandler private handler;
    TrickToken private trick;

    function setUp() public override {
        super.setUp();
        trick = new TrickToken();
        lanes = newLanes(address(trick), treasury, FEE_BPS, WINDOW, MIN_STAKE);
        handler = new TrickyHandler(lanes, trick, treasury);
        trick.transfer(address(handler), 1_000_000 ether);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_what_is_owed_is_there() public view {
        vm.assertGe(trick.balanceOf(address(lanes)), handler.owed());
    }

    function test_the_handler_is_not_idle() public {
        for (uint256 i; i < 300; ++i) {
            handler.trick(random(i, 0), random(i, 1));
            handler.deposit(random(i, 2), uint96(random(i, 3)));
            handler.settle(random(i, 4), uint96(random(i, 5)), uint96(random(i, 6)), i % 2 == 0);
            handler.goAway(random(i, 7), random(i, 8));
            handler.wait(uint32(random(i, 9)));
            invariant_what_is_owed_is_there();
        }
        vm.assertGt(handler.worked(), 500, "calls that worked");
        vm.assertGt(handler.failed(), 200, "calls that failed");
        vm.assertGt(handler.calledBack(), 10, "calls from inside a transfer");
    }

    function random(uint256 i, uint256 j) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(i, j)));
    }
}
