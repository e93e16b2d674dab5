"""Step 7: nothing of the session is left, the provider's money is on chain, the client has the rest back, and the
other provider its stake."""

from demo import checks, snapshot
from demo.chain import WINDOW_SECONDS
from demo.daemons import tokens
from demo.market import DEPOSIT, RESERVE_AHEAD, STAKE


def disconnect(stage):
    """Ends the first client's session and compares both sides' networks with what they were."""
    client, ledger = stage.nodes["client"], stage.ledgers["client"]
    interface = stage.connection("client")["interface"]
    address = stage.topology.ip_json("client", "addr", "show", "dev", interface)[0]["addr_info"][0]["local"]
    seen = _at_exit(stage, address)
    stage.check("session_visible_at_exit", seen == (True, True), "the provider's exit has rules and a peer for it")
    ledger.note(client.ask("disconnect", timeout=60))
    figures = stage.figures
    figures.paid, figures.vouchers, figures.billed_consumer = ledger.paid(), ledger.vouchers(), ledger.billed()
    ended = client.wait_for("the provider to end the session", lambda: _all_ended(stage), 20)
    figures.billed_provider = sum(session["traffic"]["up"] + session["traffic"]["down"] for session in ended)
    stage.check("meters_agree", checks.meters_agree(figures.billed_consumer, figures.billed_provider),
                f"client {figures.billed_consumer}, provider {figures.billed_provider}, tolerance "
                f"{checks.tolerance(figures.billed_consumer, figures.billed_provider)} (1 MiB or 2 %)")
    stage.check("billed_covers_files", figures.billed_consumer >= figures.bytes_down,
                f"{figures.bytes_down} bytes of files arrived")
    for role, earlier in (("client", "client"), ("provider", "provider selling")):
        _nothing_left(stage, role, stage.before[earlier])
    stage.check("session_gone_at_exit", _at_exit(stage, address) == (False, False), "neither rule nor peer is left")


def _at_exit(stage, address):
    """(rules, peer) of a client at the provider's exit. Peers are counted only where WireGuard is a program."""
    rules = address in snapshot.exit_peers(snapshot.exit_tables(stage.nodes["provider"].process.pid))
    peers = snapshot.userspace_peers(stage.topology.ns("provider"))
    return rules, rules if peers is None else peers > 0


def _all_ended(stage):
    sessions = stage.provided(stage.wallets["client"]["signer"])
    return sessions if sessions and all(session["ended"] for session in sessions) else None


def _nothing_left(stage, role, before):
    found = checks.difference(before, snapshot.network(stage.topology, role))
    stage.check(f"nothing_left_at_{role}", not found, "; ".join(found) or
                "interfaces, addresses, routes, rules, tables and name server as before")


def settle(stage):
    """The provider brings its vouchers on chain; its wallet and the treasury get what the client paid, to the unit."""
    chain, wallet = stage.chain, stage.wallets["provider"]["address"]
    held = int(stage.nodes["provider"].ask("provider", "status")["earned"])
    stage.check("both_sides_count_alike", held == stage.figures.paid, f"provider holds {tokens(held)}")
    result = stage.nodes["provider"].ask("provider", "settle", timeout=60)
    figures = stage.figures
    figures.settle_gas = result["gas_used"]
    figures.settled, figures.fee = chain.balance(wallet), chain.balance(chain.treasury)
    stage.check("paid_is_settled_and_fee", figures.paid == figures.settled + figures.fee and figures.paid > 0,
                f"{tokens(figures.paid)} = {tokens(figures.settled)} + {tokens(figures.fee)}")
    stage.check("console_tells_the_same", (int(result["amount"]), int(result["fee"])) == (figures.settled, figures.fee),
                f"{result['vouchers']} lane settled with {result['gas_used']} gas")


def release(stage):
    """The client takes back what the provider has set aside, and node-b leaves the registry. Both take the window."""
    client, chain = stage.nodes["client"], stage.chain
    payee, signer = stage.wallets["provider"]["address"], stage.wallets["client"]["signer"]
    listed = {each["provider"]: int(each["reserved"]) for each in client.ask("wallet", "reservations")["reservations"]}
    # What the last payment at a session's end comes to is not set aside anew.
    reserved = listed.get(payee, 0)
    stage.check("reservation_is_shown", listed.keys() == {payee} and RESERVE_AHEAD // 2 < reserved <= RESERVE_AHEAD,
                f"{tokens(reserved)} are set aside for the provider")
    free, _ = chain.account(signer)
    seller, owner = stage.nodes["node-b"], stage.wallets["node-b"]["address"]
    seller.ask("provider", "stop", timeout=60)
    announced = (client.ask("wallet", "release", payee, timeout=60)["released"],
                 seller.ask("provider", "unregister", timeout=60)["left"])
    stage.check("release_takes_the_window", announced == (False, False) and chain.account(signer) == (free, 0),
                "announced, and nothing moved yet")
    chain.advance(WINDOW_SECONDS + 1)
    client.wait_for("the lane to be released",
                    lambda: client.ask("wallet", "release", payee, timeout=60)["released"], 20)
    seller.wait_for("node-b to leave the registry",
                    lambda: seller.ask("provider", "unregister", timeout=60)["left"], 20)
    stage.check("reservation_comes_back", chain.account(signer) == (free + reserved, 0),
                f"{tokens(reserved)} are free again")
    stage.check("stake_comes_back", chain.balance(owner) == STAKE and int(chain.registered_key(owner), 16) == 0,
                f"node-b is not registered any more and has {tokens(STAKE)}")


def leave(stage):
    """The client announces its exit; after the window, on the chain's clock, the rest of the deposit is paid out."""
    client, chain = stage.nodes["client"], stage.chain
    wallet = stage.wallets["client"]
    before = chain.balance(wallet["address"])
    announced = client.ask("wallet", "withdraw", timeout=60)
    stage.check("exit_takes_the_window", not announced["paid_out"] and chain.balance(wallet["address"]) == before,
                f"announced {tokens(int(announced['amount']))}")
    chain.advance(WINDOW_SECONDS + 1)
    client.wait_for("the exit to be paid out", lambda: client.ask("wallet", "withdraw", timeout=60)["paid_out"], 20)
    stage.figures.refunded = chain.balance(wallet["address"]) - before
    paid, refunded = stage.figures.paid, stage.figures.refunded
    stage.check("deposit_is_paid_and_refunded",
                DEPOSIT == paid + refunded and chain.account(wallet["signer"]) == (0, 0),
                f"{tokens(DEPOSIT)} = {tokens(paid)} + {tokens(refunded)}")
