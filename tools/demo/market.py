"""Steps 1 to 4: contracts, offers, a client with money, and a connection to a stranger."""

import time

from demo import snapshot
from demo.chain import TOKEN
from demo.daemons import (COUNTRY, PRICE_GIB, PRICE_GIB_DEAR, RELAY_PORT, WIREGUARD_PORT, consumer, full_node, seller,
                          tokens)
from demo.process import Process, tail, wait_until
from demo.topology import LAN, SITE_ADDRESS, SITE_NAME

DEPOSIT = 1 * TOKEN
GIFT = 5 * TOKEN
RESERVE_AHEAD = TOKEN // 20
STAKE = 1 * TOKEN


def contracts(stage):
    """Compiled, tested and deployed; the tests run on while the nodes start."""
    stage.open()
    stage.chain.start(stage.anvil)
    stage.contract_tests = Process("contract tests", [stage.root / "contracts/test.sh"],
                                   stage.logs / "contract-tests.log")
    stage.chain.deploy()
    stage.screen.fact(f"token {stage.chain.token.address}, lanes {stage.chain.lanes.address}, fee 0.5 %")


def await_contract_tests(stage):
    """The result of the tests that step 1 started."""
    tests = stage.contract_tests
    status = wait_until("the contract tests", lambda: (tests.poll() is not None) and (tests.poll(),), 90,
                        log=tests.log)[0]
    stage.check("contracts_tested", status == 0, tail(tests.log, 1).strip())


def offers(stage):
    """Two sellers register on chain and publish; all three databases see both offers."""
    for role, peers in (("node-a", ()), ("node-b", ("node-a",)), ("provider", ("node-a", "node-b"))):
        settings = full_node(stage.folder(role), stage.chain, peers)
        if role == "provider":
            seller(settings, role, name="cheap", price_gib=PRICE_GIB, uplink="wan0")
        if role == "node-b":
            seller(settings, role, name="dear", price_gib=PRICE_GIB_DEAR, uplink="lan0", stake=STAKE)
        stage.start_node(role, settings)
    for role in ("node-a", "node-b", "provider"):
        stage.nodes[role].wait_ready()
    for role in ("node-b", "provider"):
        wallet = stage.wallets[role] = stage.nodes[role].ask("wallet", "create")
        stage.chain.fund(wallet["address"], STAKE if role == "node-b" else 0)
        started = stage.nodes[role].ask("provider", "start", timeout=60)
        stage.screen.fact(f"{role} sells at {tokens(int(started['proposal']['tariff']['per_gib']))} per GiB")
    keys = {role: stage.nodes[role].ask("status")["node_key"] for role in ("node-b", "provider")}
    on_chain = {role: stage.chain.registered_key(stage.wallets[role]["address"]) for role in keys}
    stage.check("registered_on_chain", keys == on_chain, "both node keys stand in the registry")
    for role in ("node-a", "node-b", "provider"):
        stage.nodes[role].wait_for(f"{role} to know both offers",
                                   lambda: sellers_known(stage, role) >= set(keys.values()), 20)
    stage.check("offers_replicated", True, "node-a, node-b and provider list both offers")
    stage.before["provider selling"] = snapshot.network(stage.topology, "provider")
    stage.provider_key = keys["provider"]


def sellers_known(stage, role):
    """Node keys of all sellers in a node's database."""
    return {proposal["provider"] for proposal in stage.nodes[role].ask("proposals")["proposals"]}


def clients(stage):
    """Keys, test money, a deposit with one permit signature, and the choice of the cheapest."""
    for role in ("client", "client2"):
        ahead = RESERVE_AHEAD if role == "client" else 0
        stage.start_node(role, consumer(stage.folder(role), stage.chain, "node-a", ahead))
    for role in ("client", "client2"):
        stage.nodes[role].wait_ready()
        wallet = stage.wallets[role] = stage.nodes[role].ask("wallet", "create")
        stage.chain.fund(wallet["address"], GIFT)
        done = stage.nodes[role].ask("wallet", "deposit", tokens(DEPOSIT), timeout=60)
        stage.screen.fact(f"{role} deposited {tokens(int(done['deposited']))}")
    free, exiting = stage.chain.account(stage.wallets["client"]["signer"])
    stage.check("deposited", (free, exiting) == (DEPOSIT, 0), f"the contract holds {tokens(free)} for the client")
    _choose(stage)
    _controls(stage)
    await_contract_tests(stage)


def _choose(stage):
    """Asks node-a for offers with filters; the answer is sorted and tells no address."""
    client = stage.nodes["client"]
    wanted = ("--country", COUNTRY, "--max-price", "1", "--service", "wireguard")
    found = client.wait_for("two offers at the client", lambda: _at_least_two(client.ask("proposals", *wanted)), 20)
    prices = [int(proposal["tariff"]["per_gib"]) for proposal in found]
    stage.check("cheapest_first", prices == sorted(prices) and found[0]["provider"] == stage.provider_key,
                f"{len(found)} offers, prices per GiB " + ", ".join(tokens(price) for price in prices))
    told = [word for word in (LAN["provider"], str(WIREGUARD_PORT)) if word in repr(found[0])]
    stage.check("endpoint_hidden", not told,
                ", ".join(told) or "the offer tells neither address nor port of the provider")
    narrow = client.ask("proposals", "--max-price", tokens(PRICE_GIB))["proposals"]
    none = client.ask("proposals", "--country", "AQ")["proposals"]
    stage.check("filters_work", len(narrow) == 1 and none == [], "price and country filters leave out what they should")


def _at_least_two(answer):
    return answer["proposals"] if len(answer["proposals"]) >= 2 else None


def _controls(stage):
    """Before connecting: the client reaches node-a, and the site only the provider can reach."""
    net = stage.topology
    stage.check("control_reachable", net.reaches("client", LAN["node-a"], RELAY_PORT)
                and net.reaches("provider", SITE_ADDRESS, 80), "client reaches node-a, provider reaches the site")
    stage.check("control_unreachable", not net.reaches("client", SITE_ADDRESS, 80)
                and not net.reaches("client2", SITE_ADDRESS, 80), "neither client reaches the site")


def connect(stage):
    """`myst connect` of the first client: an encrypted agreement, a tunnel, routes and names through it."""
    began = time.monotonic()
    stage.nodes["client"].ask("connect", "--country", COUNTRY, timeout=60)
    connection = stage.wait_connected("client", 30)
    took = time.monotonic() - began
    stage.figures.connect_ms = connection["connect_time_ms"]
    stage.check("connected_to_cheapest", connection["proposal"]["provider"] == stage.provider_key,
                f"connected in {connection['connect_time_ms']} ms ({took * 1000:.0f} ms with console and polling)")
    stage.check("site_reachable", stage.topology.reaches("client", SITE_ADDRESS, 80, 3),
                f"the client reaches {SITE_NAME} through {connection['interface']}")
