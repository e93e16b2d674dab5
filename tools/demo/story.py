"""The story: its steps in order, its end, and what stays when it is asked to stay."""

from demo import checks, market, money, snapshot, topology, traffic
from demo.daemons import COUNTRY, tokens
from demo.process import Process
from demo.site import MIB
from demo.stage import Stage
from demo.topology import SITE_NAME

_REQUIRED = (
    "contracts_tested", "registered_on_chain", "offers_replicated", "deposited", "cheapest_first", "endpoint_hidden",
    "filters_work", "control_reachable", "control_unreachable", "connected_to_cheapest", "site_reachable",
    "first_file_intact", "no_voucher_lost", "second_file_intact", "meters_agree", "billed_covers_files",
    "session_visible_at_exit", "session_gone_at_exit",
    "nothing_left_at_client", "nothing_left_at_provider", "both_sides_count_alike", "paid_is_settled_and_fee",
    "console_tells_the_same", "reservation_is_shown", "release_takes_the_window", "reservation_comes_back",
    "stake_comes_back", "exit_takes_the_window", "deposit_is_paid_and_refunded", "cut_off", "overrun_bounded",
    "overrun_seen_by_client",
)

_STEPS = (
    ("1. The contracts are compiled, tested and deployed", (market.contracts,)),
    ("2. Two providers register on chain and publish their offers", (market.offers,)),
    ("3. A client makes its keys, deposits with a permit, and chooses the cheapest offer", (market.clients,)),
    ("4. It connects: agreement in encrypted envelopes, WireGuard tunnel, default route and DNS", (market.connect,)),
    ("5. It downloads through the tunnel and pays chunk by chunk", (traffic.download,)),
    ("6. The provider's daemon is killed in mid-session and started again", (traffic.kill_provider,)),
    ("7. The client disconnects, the provider settles, the client takes the rest of its deposit",
     (money.disconnect, money.settle, money.release, money.leave)),
    ("8. A second client stops paying in mid-download and is cut off", (traffic.stop_paying,)),
)


class Story:
    """One run from the first namespace to the last line."""

    def __init__(self, root, binaries, anvil, mib):
        self._stage = Stage(root, binaries, anvil, mib, _REQUIRED)
        self.screen = self._stage.screen
        self.topology = self._stage.topology
        self.figures = self._stage.figures
        self._broken = False

    def play(self):
        """All steps. A failed check does not stop it; a step that cannot go on raises DemoError."""
        for heading, parts in _STEPS:
            self.screen.heading(heading)
            for part in parts:
                part(self._stage)
        self.screen.end_step()

    def break_off(self, reason):
        """The story ended early."""
        self._broken = True
        self.screen.failure(reason)

    def close(self):
        """Ends the daemons as their users would, and finds every namespace as it was before they ran."""
        stage = self._stage
        self.screen.heading("The daemons end")
        stage.nodes["client2"].ask("disconnect", timeout=60)
        left, unclean = [], []
        for role in ("client2", "client", "provider", "node-b", "node-a"):
            status = stage.nodes[role].stop()
            if status != 0:
                unclean.append(f"{role} with status {status}")
            left += [f"{role}: {line}"
                     for line in checks.difference(stage.before[role], snapshot.network(self.topology, role))]
        stage.check("daemons_end_cleanly", not unclean, ", ".join(unclean) or "all with exit status 0")
        stage.check("daemons_leave_nothing", not left, "; ".join(left) or "every namespace is as it was")
        self.screen.end_step()

    def remove(self):
        """Removes everything; whatever is then left is a failed check."""
        Process.ask_all()
        topology.remove(self.topology.prefix)
        Process.kill_all()
        topology.remove(self.topology.prefix)
        left = topology.leftovers(self.topology.prefix)
        if not self._stage.checks.expect("all_removed", not left, "; ".join(left)):
            self.screen.failure("still there: " + "; ".join(left))

    def keep(self):
        """Leaves the network running, with a client that has money, and says how to use it."""
        stage = self._stage
        (self.topology.dir / "kept").touch()
        stage.nodes["client"].ask("wallet", "deposit", tokens(market.DEPOSIT), timeout=60)
        stage.nodes["client2"].ask("disconnect", timeout=60)
        print(f"""
The network keeps running. As root:
    client='{" ".join(stage.nodes["client"].console())}'
    provider='{" ".join(stage.nodes["provider"].console())}'
    inside='{" ".join(self.topology.exec("client", []))}'
    $client proposals
    $client connect --country {COUNTRY}
    $inside curl -o /dev/null http://{SITE_NAME}/first.bin
    $client status --watch
    $client disconnect
    $provider provider sessions
    $provider provider settle
    $inside bash
Logs: {stage.logs}
To remove it: python3 tools/demo.py --clean""", flush=True)

    def ok(self):
        return not self._broken and self._stage.checks.ok

    def summary(self):
        """A table of the figures, then what failed."""
        figures = self.figures
        rows = [("downloaded", f"{figures.bytes_down / MIB:.0f} MiB"),
                ("billed by client / provider", f"{figures.billed_consumer} / {figures.billed_provider} bytes"),
                ("paid in vouchers", f"{tokens(figures.paid)} in {figures.vouchers} vouchers"),
                ("  to the provider", tokens(figures.settled)),
                ("  to the treasury", tokens(figures.fee)),
                ("  gas of the settlement", f"{figures.settle_gas}"),
                ("deposit / refunded", f"{tokens(market.DEPOSIT)} / {tokens(figures.refunded)}"),
                ("connected in", f"{figures.connect_ms} ms"),
                ("beyond payment and credit", f"{figures.overrun_bytes} bytes"),
                ("acknowledged vouchers lost", f"{figures.lost_vouchers}")]
        rows += [(f"step {name.split('.')[0]}", f"{seconds:.1f} s") for name, seconds in self.screen.steps
                 if seconds is not None and name[0].isdigit()]
        print("\nSummary\n" + "\n".join(f"    {name:30} {value}" for name, value in rows))
        failed = self._stage.checks.failed()
        passed = sum(holds for holds, _ in self._stage.checks.results.values())
        print(f"    {'time in all':30} {self.screen.elapsed():.1f} s\n    {'checks passed':30} {passed}")
        if failed:
            print(f"    {'checks failed or not reached':30} " + ", ".join(failed) + f"\n    logs: {self._stage.logs}")
