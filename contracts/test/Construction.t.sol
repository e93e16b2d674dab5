// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../src/ILanes.sol";
import {IVault} from "../src/IVault.sol";
import {LanesFixture} from "./support/LanesFixture.sol";

contract ConstructionTest is LanesFixture {
    function test_keeps_its_parameters() public view {
        vm.assertEq(address(lanes.TOKEN()), address(token));
        vm.assertEq(lanes.TREASURY(), treasury);
        vm.assertEq(lanes.FEE_BPS(), FEE_BPS);
        vm.assertEq(lanes.WINDOW(), WINDOW);
        vm.assertEq(lanes.MIN_STAKE(), MIN_STAKE);
    }

    /// @dev EIP-170.
    function test_fits_into_a_contract() public view {
        vm.assertLe(address(lanes).code.length, 24_576);
    }

    function test_accepts_the_limits_themselves() public {
        newLanes(address(token), treasury, 0, 1 hours, 0);
        newLanes(address(token), treasury, 100, 30 days, type(uint96).max);
    }

    function test_rejects_a_fee_above_one_percent() public {
        vm.expectRevert(abi.encodeWithSelector(ILanes.FeeTooHigh.selector, 101));
        newLanes(address(token), treasury, 101, WINDOW, MIN_STAKE);
    }

    function test_rejects_a_short_window() public {
        vm.expectRevert(abi.encodeWithSelector(ILanes.WindowOutOfRange.selector, 1 hours - 1));
        newLanes(address(token), treasury, FEE_BPS, 1 hours - 1, MIN_STAKE);
    }

    function test_rejects_a_long_window() public {
        vm.expectRevert(abi.encodeWithSelector(ILanes.WindowOutOfRange.selector, 30 days + 1));
        newLanes(address(token), treasury, FEE_BPS, 30 days + 1, MIN_STAKE);
    }

    function test_rejects_a_token_without_code() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NotAContract.selector, stranger));
        newLanes(stranger, treasury, FEE_BPS, WINDOW, MIN_STAKE);
    }

    function test_rejects_no_treasury() public {
        vm.expectRevert(IVault.ZeroAddress.selector);
        newLanes(address(token), address(0), FEE_BPS, WINDOW, MIN_STAKE);
    }
}
