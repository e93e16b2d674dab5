// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../../src/ILanes.sol";
import {MystToken} from "../../src/MystToken.sol";
import {Signing} from "./Signing.sol";

/// @dev A token, the contract under test, one funded consumer (`signer`) and one provider.
abstract contract LanesFixture is Signing {
    function setUp() public virtual {
        vm.warp(1_800_000_000);
        signer = vm.addr(SIGNER_KEY);
        vm.label(signer, "signer");
        provider = makeAddr("provider");
        treasury = makeAddr("treasury");
        funder = makeAddr("funder");
        stranger = makeAddr("stranger");
        token = MystToken(vm.deployCode("MystToken.sol:MystToken", abi.encode(1_000_000_000 ether)));
        lanes = newLanes(FEE_BPS);
        fund(funder, 1_000_000 ether);
    }

    function newLanes(uint16 feeBps) internal returns (ILanes) {
        return newLanes(address(token), treasury, feeBps, WINDOW, MIN_STAKE);
    }

    /// @dev Deploys the compiled artifact. `new` would compile the contract once more into every test.
    function newLanes(address token_, address treasury_, uint16 feeBps, uint40 window, uint96 minStake)
        internal
        returns (ILanes)
    {
        return ILanes(vm.deployCode("Lanes.sol:Lanes", abi.encode(token_, treasury_, feeBps, window, minStake)));
    }

    /// @dev Gives `who` tokens and lets the contract take them.
    function fund(address who, uint256 amount) internal {
        token.transfer(who, amount);
        vm.prank(who);
        token.approve(address(lanes), type(uint256).max);
    }

    function depositFor(address account, uint96 amount) internal {
        vm.prank(funder);
        lanes.deposit(account, amount);
    }

    function settle(ILanes.Item memory item) internal returns (uint256) {
        return lanes.settle(provider, batch(item));
    }

    // Expected state

    function laneWord(uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch) internal pure returns (uint256) {
        return uint256(paid) | uint256(cap) << 96 | uint256(releaseAt) << 192 | uint256(epoch) << 232;
    }

    function assertLane(uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch) internal view {
        assertLane(signer, provider, paid, cap, releaseAt, epoch);
    }

    function assertLane(address from, address to, uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch)
        internal
        view
    {
        (uint96 p, uint96 c, uint40 due, uint24 e) = lanes.lanes(from, to);
        vm.assertEq(p, paid, "paid");
        vm.assertEq(c, cap, "cap");
        vm.assertEq(due, releaseAt, "releaseAt");
        vm.assertEq(e, epoch, "epoch");
    }

    function assertAccount(address who, uint96 free, uint96 exiting, uint40 exitAt) internal view {
        (uint96 f, uint96 x, uint40 due, uint24 flags) = lanes.accounts(who);
        vm.assertEq(f, free, "free");
        vm.assertEq(x, exiting, "exiting");
        vm.assertEq(due, exitAt, "exitAt");
        vm.assertEq(flags, 0, "flags");
    }
}
