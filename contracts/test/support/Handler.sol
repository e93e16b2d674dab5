// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILanes} from "../../src/ILanes.sol";
import {MystToken} from "../../src/MystToken.sol";
import {signAuthorization} from "./Authorization.sol";
import {signPermit} from "./Permit.sol";
import {Signing} from "./Signing.sol";

/// @dev Plays three consumers, two providers, their owners, relayers and a thief who do what comes to their minds, and
/// keeps books of its own: what each account must hold, and what each of them must have received in tokens.
contract Handler is Signing {
    uint256 private constant SIGNERS = 3;
    uint256 private constant PROVIDERS = 2;
    /// @dev Signers, providers, owners of providers: everybody who can have an account.
    uint256 private constant HOLDERS = SIGNERS + 2 * PROVIDERS;
    uint256 private constant PAYER_KEY = 7000;
    uint96 private constant MOST = 1000;

    address[] private signers;
    address[] private providers;
    address[] private holders;
    /// @dev Everybody whose tokens are counted.
    address[] private people;
    mapping(address account => uint256) private _keys;

    /// @dev Free and exiting part of an account.
    mapping(address account => uint256) private book;
    /// @dev Tokens somebody must have.
    mapping(address account => uint256) private wealth;
    uint256 private fees;
    uint256 private stakes;

    /// @dev Largest amount that a signer has agreed to owe in an epoch of a lane.
    mapping(bytes32 laneAndEpoch => uint96) private _largestTotal;
    /// @dev The lane as it was after the last action.
    mapping(bytes32 lane => ILanes.Lane) private _seen;
    /// @dev Whether the action was one that may end an epoch.
    bool private _mayEnd;

    ILanes.Item[] private _items;
    address[2][] private _itemsLane;
    bytes[] private _usedOrders;

    /// @dev How often something happened, to see that the run was not idle.
    mapping(bytes32 what => uint256) public count;

    constructor(ILanes lanes_, MystToken token_, address treasury_) {
        (lanes, token, treasury) = (lanes_, token_, treasury_);
        (stranger, funder) = (makeAddr("thief"), makeAddr("relayer"));
        for (uint256 i; i < SIGNERS; ++i) {
            signers.push(person(100 + i));
            person(5000 + i);
        }
        for (uint256 j; j < PROVIDERS; ++j) {
            providers.push(person(1000 + j));
            vm.prank(providers[j]);
            token_.approve(address(lanes_), type(uint256).max);
        }
        for (uint256 i; i < SIGNERS; ++i) {
            holders.push(signers[i]);
        }
        for (uint256 j; j < 2 * PROVIDERS; ++j) {
            holders.push(j < PROVIDERS ? providers[j] : person(5000 + SIGNERS + j - PROVIDERS));
        }
        people.push(treasury_);
        people.push(stranger);
        people.push(funder);
        people.push(person(PAYER_KEY));
    }

    function person(uint256 key) private returns (address who) {
        who = vm.addr(key);
        _keys[who] = key;
        people.push(who);
    }

    // Deposits

    function deposit(uint256 who, uint96 amount, uint256 how) external watched("deposit") {
        amount = uint96(bound(amount, 1, MOST));
        who %= HOLDERS;
        token.approve(address(lanes), amount);
        if (how % 2 == 0) lanes.deposit(holders[who], amount);
        else lanes.depositFor(holders[who], amount);
        book[holders[who]] += amount;
    }

    function depositMany(uint256 seed, uint96[3] memory amounts) external watched("depositMany") {
        address[] memory to = new address[](3);
        uint96[] memory sums = new uint96[](3);
        uint256 sum;
        for (uint256 i; i < 3; ++i) {
            (to[i], sums[i]) = (holders[(seed >> (8 * i)) % HOLDERS], uint96(bound(amounts[i], 1, MOST)));
            book[to[i]] += sums[i];
            sum += sums[i];
        }
        token.approve(address(lanes), sum);
        lanes.depositMany(to, sums);
    }

    /// @dev Sometimes somebody uses the permit first.
    function depositWithPermit(uint256 who, uint96 amount, bool overtaken) external watched("depositWithPermit") {
        amount = uint96(bound(amount, 1, MOST));
        address payer = vm.addr(PAYER_KEY);
        token.transfer(payer, amount);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(token, PAYER_KEY, address(lanes), amount, FOREVER);
        if (overtaken) token.permit(payer, address(lanes), amount, FOREVER, v, r, s);
        vm.prank(payer);
        lanes.depositWithPermit(holders[who % HOLDERS], amount, FOREVER, v, r, s);
        book[holders[who % HOLDERS]] += amount;
    }

    function depositWithAuthorization(uint256 who, uint96 amount, uint256 salt)
        external
        watched("depositWithAuthorization")
    {
        amount = uint96(bound(amount, 1, MOST));
        address to = holders[who % HOLDERS];
        bytes32 unused = keccak256(abi.encode(salt, ++count["authorizations"]));
        token.transfer(vm.addr(PAYER_KEY), amount);
        ILanes.Authorization memory signed = signAuthorization(token, PAYER_KEY, lanes, to, amount, unused);
        attempt(stranger, abi.encodeCall(lanes.depositWithAuthorization, (stranger, amount, signed)));
        vm.prank(funder);
        lanes.depositWithAuthorization(to, amount, signed);
        book[to] += amount;
    }

    // Settling

    /// @dev A batch of three vouchers by any signers, for the current, the last or the next epoch.
    function settle(
        uint256 whom,
        uint256[3] memory who,
        uint96[3] memory totals,
        uint96[3] memory extra,
        uint8[3] memory when
    ) external watched("settle") {
        address to = providers[whom % PROVIDERS];
        ILanes.Item[] memory items = new ILanes.Item[](3);
        for (uint256 i; i < 3; ++i) {
            items[i] = sign(who[i] % SIGNERS, to, totals[i] % (2 * MOST), extra[i] % MOST, when[i] % 8);
        }
        afterSettling(to, lanes.settle(to, items), false, 0);
    }

    function settleTicks(uint256 whom, uint256 who, uint96 total, uint96 extra, uint64 value, uint16 ticks, uint8 when)
        external
        watched("settleTicks")
    {
        address to = providers[whom % PROVIDERS];
        ILanes.TickItem[] memory items = signTicks(who % SIGNERS, to, [total, extra, value], ticks, when);
        afterSettling(to, lanes.settleTicks(to, items), false, 0);
    }

    function settleToAccount(uint256 whom, uint256 who, uint96 total, uint96 extra, bool ticks)
        external
        watched("settleToAccount")
    {
        address to = providers[whom % PROVIDERS];
        (ILanes.Item[] memory items, ILanes.TickItem[] memory tickItems) = oneOfBoth(who, to, total, extra, ticks);
        vm.prank(whom % 3 == 0 ? lanes.payeeOf(to) : to);
        afterSettling(to, lanes.settleToAccount(to, items, tickItems), true, 0);
    }

    function settleFor(uint256 whom, uint256 who, uint96 total, uint96 fee, bool ticks, bool toAccount)
        external
        watched("settleFor")
    {
        address to = providers[whom % PROVIDERS];
        (ILanes.Item[] memory items, ILanes.TickItem[] memory tickItems) = oneOfBoth(who, to, total, fee, ticks);
        ILanes.Relay memory relay = ILanes.Relay(whom % 5 == 0 ? funder : address(0), fee % 20);
        ILanes.Order memory order;
        {
            address by = whom % 3 == 0 ? lanes.payeeOf(to) : to;
            order = settleOrder(_keys[by], to, items, tickItems, toAccount, relay, lanes.nonces(by));
        }
        (bool ok, bytes memory answer) =
            bring(abi.encodeCall(lanes.settleFor, (to, items, tickItems, toAccount, relay, order)));
        // The only reason not to work is that the fee is not covered.
        if (ok) afterSettling(to, abi.decode(answer, (uint256)), toAccount, relay.fee);
        else vm.assertEq(bytes32(bytes4(answer)), bytes32(ILanes.RelayerFeeTooHigh.selector));
    }

    /// @dev A voucher that was paid, or whose epoch has ended, pays nothing however often it is shown.
    function replay(uint256 which) external watched("replay") {
        if (_items.length == 0) return;
        which %= _items.length;
        ILanes.Item memory item = _items[which];
        (address from, address to) = (_itemsLane[which][0], _itemsLane[which][1]);
        (uint96 paid,,, uint24 epoch) = lanes.lanes(from, to);
        bool dead = uint24(item.word >> 40) != epoch || uint96(item.word >> 160) <= paid;
        uint256 paidOut = lanes.settle(to, batch(item));
        if (dead) {
            vm.assertEq(paidOut, 0, "no voucher pays twice");
            ++count["replay of a paid voucher"];
        }
        vm.assertEq(lanes.settle(to, batch(item)), 0, "and not at once again");
        afterSettling(to, paidOut, false, 0);
    }

    function oneOfBoth(uint256 who, address to, uint96 total, uint96 extra, bool ticks)
        private
        returns (ILanes.Item[] memory items, ILanes.TickItem[] memory tickItems)
    {
        if (ticks) return (items, signTicks(who % SIGNERS, to, [total, extra, total % 50], uint16(extra), 2));
        return (batch(sign(who % SIGNERS, to, total % (2 * MOST), extra % MOST, 2)), tickItems);
    }

    function sign(uint256 who, address to, uint96 total, uint96 extra, uint8 when)
        private
        returns (ILanes.Item memory item)
    {
        uint24 epoch = agree(signers[who], to, total, when);
        item = voucher(_keys[signers[who]], to, epoch, total, total + extra);
        if (_items.length < 64) {
            _items.push(item);
            _itemsLane.push([signers[who], to]);
        } else {
            _items[total % 64] = item;
            _itemsLane[total % 64] = [signers[who], to];
        }
    }

    function signTicks(uint256 who, address to, uint96[3] memory amounts, uint16 ticks, uint8 when)
        private
        returns (ILanes.TickItem[] memory)
    {
        ticks %= 9;
        TickVoucher memory v = TickVoucher(_keys[signers[who]], to, 0, amounts[0] % (2 * MOST), 0, 0, 8);
        v.tickValue = uint64(amounts[2] % 50);
        uint96 sum = v.total + v.tickValue * ticks;
        v.cap = sum + amounts[1] % MOST;
        v.epoch = agree(signers[who], to, sum, when % 8);
        return tickBatch(tickItem(v, ticks));
    }

    /// @dev Remembers what a signer agrees to owe. Returns the epoch the voucher is for.
    function agree(address from, address to, uint96 amount, uint8 when) private returns (uint24 epoch) {
        (,,, epoch) = lanes.lanes(from, to);
        if (when == 0 && epoch > 0) --epoch;
        if (when == 1) ++epoch;
        bytes32 key = keccak256(abi.encode(from, to, epoch));
        if (amount > _largestTotal[key]) _largestTotal[key] = amount;
    }

    /// @dev Books what a settlement for `to` did: payers lose by what their lanes' caps grew, the payee gets by what
    /// `paid` grew, less fees.
    function afterSettling(address to, uint256 paidOut, bool credited, uint256 relayerFee) private {
        uint256 sum;
        for (uint256 i; i < SIGNERS; ++i) {
            ILanes.Lane storage seen = _seen[keccak256(abi.encode(signers[i], to))];
            (uint96 paid, uint96 cap,,) = lanes.lanes(signers[i], to);
            sum += paid - seen.paid;
            book[signers[i]] -= cap - seen.cap;
        }
        vm.assertEq(paidOut, sum, "what settle says it paid");
        if (sum != 0) ++count["settle that paid"];
        uint256 fee = feeOf(sum);
        uint256 rest = sum - fee - relayerFee;
        wealth[funder] += relayerFee;
        if (credited) {
            (book[lanes.payeeOf(to)], fees) = (book[lanes.payeeOf(to)] + rest, fees + fee);
        } else {
            (wealth[lanes.payeeOf(to)], wealth[treasury]) = (wealth[lanes.payeeOf(to)] + rest, wealth[treasury] + fee);
        }
    }

    function collectFees(bool byTreasury) external watched("collectFees") {
        if (fees == 0) return;
        vm.prank(byTreasury ? treasury : funder);
        lanes.collectFees(treasury);
        (wealth[treasury], fees) = (wealth[treasury] + fees, 0);
    }

    // Releasing

    function requestRelease(uint256 who, uint256 whom, bool relayed) external watched("requestRelease") {
        (address from, address to) = (signers[who % SIGNERS], providers[whom % PROVIDERS]);
        (,, uint40 releaseAt,) = lanes.lanes(from, to);
        if (releaseAt != 0) return;
        if (relayed) {
            address by = authority(from, whom);
            ILanes.Order memory order = releaseOrder(_keys[by], from, to, lanes.nonces(by), FOREVER);
            mustBring(abi.encodeCall(lanes.requestReleaseFor, (from, to, order)));
        } else {
            vm.prank(authority(from, whom));
            lanes.requestRelease(from, to);
        }
    }

    function release(uint256 who, uint256 whom, bool byProvider) external watched("release") {
        (address from, address to) = (signers[who % SIGNERS], providers[whom % PROVIDERS]);
        (uint96 paid, uint96 cap, uint40 releaseAt,) = lanes.lanes(from, to);
        if (byProvider && (cap != 0 || releaseAt != 0)) {
            vm.prank(to);
        } else if (releaseAt == 0 || releaseAt > block.timestamp) {
            return attempt(from, abi.encodeCall(lanes.release, (from, to)));
        }
        lanes.release(from, to);
        book[from] += cap - paid;
        _mayEnd = true;
        ++count["release that happened"];
    }

    // Leaving

    function requestExit(uint256 who, uint96 amount, bool relayed) external watched("requestExit") {
        address from = holders[who % HOLDERS];
        (uint96 free,,,) = lanes.accounts(from);
        if (free == 0) return;
        amount = uint96(bound(amount, 1, free));
        if (relayed) {
            address by = authority(from, who);
            ILanes.Order memory order = exitOrder(_keys[by], from, amount, lanes.nonces(by), FOREVER);
            mustBring(abi.encodeCall(lanes.requestExitFor, (from, amount, order)));
        } else {
            vm.prank(authority(from, who));
            lanes.requestExit(from, amount);
        }
    }

    function withdraw(uint256 who, bool patient, bool relayed, uint96 fee) external watched("withdraw") {
        address from = holders[who % HOLDERS];
        (, uint96 exiting, uint40 exitAt,) = lanes.accounts(from);
        if (exiting == 0) return;
        if (exitAt > block.timestamp) {
            attempt(from, abi.encodeCall(lanes.withdraw, (from, from)));
            if (!patient) return;
            vm.warp(exitAt);
        }
        address by = authority(from, who);
        address to = authority(from, fee);
        book[from] -= exiting;
        if (relayed) {
            ILanes.Relay memory relay = ILanes.Relay(address(0), uint96(bound(fee, 0, exiting)));
            ILanes.Order memory order = withdrawOrder(_keys[by], from, to, relay, lanes.nonces(by), FOREVER);
            mustBring(abi.encodeCall(lanes.withdrawFor, (from, to, relay, order)));
            (wealth[to], wealth[funder]) = (wealth[to] + exiting - relay.fee, wealth[funder] + relay.fee);
        } else {
            vm.prank(by);
            lanes.withdraw(from, to);
            wealth[to] += exiting;
        }
        ++count["withdraw that happened"];
    }

    /// @dev Signers and providers name owners; those of providers have accounts.
    function setOwner(uint256 who) external watched("setOwner") {
        who %= SIGNERS + PROVIDERS;
        if (lanes.owners(holders[who]) != address(0)) return;
        vm.prank(holders[who]);
        lanes.setOwner(holders[who], vm.addr(5000 + who), 0, 0);
    }

    /// @dev The account itself or its owner.
    function authority(address from, uint256 seed) private view returns (address) {
        address owner = lanes.owners(from);
        return owner == address(0) || (seed >> 3) % 2 == 0 ? from : owner;
    }

    // Registry

    function register(uint256 whom, bytes32 nodeKey, uint96 stake) external watched("register") {
        address who = providers[whom % PROVIDERS];
        (,, uint40 leaveAt) = lanes.providers(who);
        if (leaveAt != 0 || nodeKey == 0) return;
        stake = uint96(bound(stake, lanes.MIN_STAKE(), lanes.MIN_STAKE() + MOST));
        token.transfer(who, stake);
        vm.prank(who);
        lanes.register(nodeKey, stake);
        stakes += stake;
    }

    function requestUnregister(uint256 whom) external watched("requestUnregister") {
        address who = providers[whom % PROVIDERS];
        (bytes32 nodeKey,, uint40 leaveAt) = lanes.providers(who);
        if (nodeKey == 0 || leaveAt != 0) return;
        vm.prank(who);
        lanes.requestUnregister();
    }

    function unregister(uint256 whom) external watched("unregister") {
        address who = providers[whom % PROVIDERS];
        (, uint96 stake, uint40 leaveAt) = lanes.providers(who);
        if (leaveAt == 0) return;
        if (leaveAt > block.timestamp) return attempt(who, abi.encodeCall(lanes.unregister, ()));
        vm.prank(who);
        lanes.unregister();
        stakes -= stake;
        wealth[who] += stake;
    }

    function wait(uint32 time) external watched("wait") {
        vm.warp(block.timestamp + bound(time, 1, 30 hours));
    }

    // What must not work

    /// @dev A stranger tries everything that needs somebody's word, with its own word, none, or one used before.
    function steal(uint256 who, uint256 whom, uint256 how) external watched("steal") {
        (address from, address to) = (holders[who % HOLDERS], providers[whom % PROVIDERS]);
        uint256 key = uint256(keccak256("thief"));
        ILanes.Relay memory relay = ILanes.Relay(stranger, 1);
        ILanes.Item[] memory items = new ILanes.Item[](1);
        if (_items.length != 0) items[0] = _items[how % _items.length];
        ILanes.Order memory order;
        how %= 9;
        bytes memory call;
        if (how == 0) call = abi.encodeCall(lanes.requestExit, (from, 1));
        if (how == 1) call = abi.encodeCall(lanes.withdraw, (from, stranger));
        if (how == 2) call = abi.encodeCall(lanes.requestRelease, (from, to));
        if (how == 3) call = abi.encodeCall(lanes.settleToAccount, (to, items, noTicks()));
        if (how == 4) call = abi.encodeCall(lanes.collectFees, (stranger));
        if (how == 5) {
            order = exitOrder(key, from, 1, lanes.nonces(stranger), FOREVER);
            call = abi.encodeCall(lanes.requestExitFor, (from, 1, order));
        } else if (how == 6) {
            order = withdrawOrder(key, from, stranger, relay, lanes.nonces(stranger), FOREVER);
            call = abi.encodeCall(lanes.withdrawFor, (from, stranger, relay, order));
        } else if (how == 7) {
            order = settleOrder(key, to, items, noTicks(), false, relay, lanes.nonces(stranger));
            call = abi.encodeCall(lanes.settleFor, (to, items, noTicks(), false, relay, order));
        } else if (how == 8) {
            order = releaseOrder(key, from, to, lanes.nonces(stranger), FOREVER);
            call = abi.encodeCall(lanes.requestReleaseFor, (from, to, order));
        }
        attempt(stranger, call);
    }

    function repeatOrder(uint256 which) external watched("repeatOrder") {
        if (_usedOrders.length == 0) return;
        attempt(funder, _usedOrders[which % _usedOrders.length]);
    }

    /// @dev A call that must fail.
    function attempt(address by, bytes memory call) private {
        vm.prank(by);
        (bool ok,) = address(lanes).call(call);
        vm.assertFalse(ok);
        ++count["attempt that failed"];
    }

    /// @dev The relayer brings an order, once.
    function bring(bytes memory call) private returns (bool ok, bytes memory answer) {
        vm.prank(funder);
        (ok, answer) = address(lanes).call(call);
        if (!ok) return (ok, answer);
        ++count["order that was used"];
        if (_usedOrders.length < 16) _usedOrders.push(call);
        else _usedOrders[uint256(keccak256(call)) % 16] = call;
    }

    function mustBring(bytes memory call) private {
        (bool ok,) = bring(call);
        vm.assertTrue(ok);
    }

    // What must hold

    /// @dev After each action looks at every lane: within an epoch, what was paid only grows and is covered by a
    /// signature; an epoch follows its predecessor, and only by a release.
    modifier watched(bytes32 what) {
        _mayEnd = false;
        _;
        ++count[what];
        for (uint256 i; i < SIGNERS; ++i) {
            for (uint256 j; j < PROVIDERS; ++j) {
                checkLane(signers[i], providers[j]);
            }
        }
    }

    function checkLane(address from, address to) private {
        ILanes.Lane storage seen = _seen[keccak256(abi.encode(from, to))];
        (uint96 paid, uint96 cap, uint40 releaseAt, uint24 epoch) = lanes.lanes(from, to);
        vm.assertLe(paid, cap, "paid is at most cap");
        if (epoch == seen.epoch) {
            vm.assertLe(seen.paid, paid, "paid only grows");
            vm.assertLe(seen.cap, cap, "cap only grows");
        } else {
            vm.assertTrue(_mayEnd);
            vm.assertEq(epoch, seen.epoch + 1, "one epoch after the other");
            vm.assertEq(cap, 0, "a new epoch is empty");
        }
        vm.assertLe(paid, _largestTotal[keccak256(abi.encode(from, to, epoch))], "paid was signed for");
        (seen.paid, seen.cap, seen.releaseAt, seen.epoch) = (paid, cap, releaseAt, epoch);
    }

    /// @dev Compares with the handler's own books: the contract's balance is what it owes; every account holds what it
    /// should; and everybody has received what vouchers and orders gave them, and nobody else anything.
    function check() external view {
        uint256 owed = stakes + fees;
        for (uint256 k; k < HOLDERS; ++k) {
            (uint96 free, uint96 exiting,,) = lanes.accounts(holders[k]);
            vm.assertEq(uint256(free) + exiting, book[holders[k]], "an account");
            owed += uint256(free) + exiting;
        }
        for (uint256 i; i < SIGNERS; ++i) {
            for (uint256 j; j < PROVIDERS; ++j) {
                (uint96 paid, uint96 cap,,) = lanes.lanes(signers[i], providers[j]);
                owed += cap - paid;
            }
        }
        uint256 staked;
        for (uint256 j; j < PROVIDERS; ++j) {
            (, uint96 stake,) = lanes.providers(providers[j]);
            staked += stake;
        }
        vm.assertEq(staked, stakes, "stakes");
        vm.assertEq(lanes.uncollectedFees(), fees, "fees");
        vm.assertEq(token.balanceOf(address(lanes)), owed, "what is owed is there");
        for (uint256 i; i < people.length; ++i) {
            vm.assertEq(token.balanceOf(people[i]), wealth[people[i]], "somebody's tokens");
        }
        (uint96 stolen, uint96 leaving,,) = lanes.accounts(stranger);
        vm.assertEq(uint256(stolen) + leaving, 0, "a stranger's account");
    }
}
