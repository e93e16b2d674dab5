"""What is done to the nodes, one after the other, and what must hold then. Figures in milliseconds unless named."""

import time

from demo.process import wait_until

_HEAL_SECONDS = 5
_CALM_SECONDS = 30
_CALM_LOAD = 0.25  # of one processor, all daemons together


class Phases:
    """`checks` and `figures` are filled on the way."""

    def __init__(self, lan, nodes, probe, profile, checks, screen, logs):
        self.lan = lan
        self.nodes = nodes
        self.probe = probe
        self.profile = profile
        self.checks = checks
        self.screen = screen
        self.logs = logs
        self.figures = {}

    def run(self, only=None):
        """Every phase in turn, or those named."""
        steps = [self.start, self.propagation, self.partition, self.storm, self.loss, self.kill]
        for number, step in enumerate(steps, 1):
            if only and step.__name__ not in ("start", *only):
                continue
            self.screen.heading(f"{number}. {step.__name__}")
            step()
        self.screen.end_step()

    def check(self, name, holds, detail):
        self.screen.check(name, self.checks.expect(name, holds, detail), detail)

    def identical(self, name, nodes):
        """All these nodes hold exactly the expected records; a digest of each says so."""
        answers = self.probe.ask("compare", nodes)
        digests = {answer.get("digest") for answer in answers.values()}
        counts = sorted({answer.get("records", 0) for answer in answers.values()})
        whole = all(answer.get("missing") == 0 for answer in answers.values())
        self.check(name, whole and len(digests) == 1 and None not in digests,
                   f"{len(nodes)} nodes with {counts} records, digests {sorted(str(d)[:12] for d in digests)}")

    def start(self):
        self.nodes.start(self.nodes.all())
        self.probe.ask("connect", self.nodes.all(), seconds=60)
        self.nodes.wait_meshed(self.nodes.all(), 60)

    def propagation(self):
        everyone = self.nodes.all()
        bytes_before = sum(map(self.lan.bytes_of, everyone))
        cpu_before = self.nodes.cpu_seconds()
        sent = self.probe.ask("publish", everyone, seconds=600, new=self.profile.records,
                              per_second=self.profile.per_second)
        arrived = self.probe.ask("wait", everyone, seconds=60)
        self.check("published", sent["refused"] == 0 and sent["acknowledged"] == self.profile.records, f"{sent}")
        self.check("arrived everywhere", arrived["complete"], f"{arrived}")
        times = self.probe.ask("times", everyone)
        for name in ("p50", "p99", "max"):
            self.figures[f"propagation_{name}_ms"] = times[f"{name}_ms"]
        self.figures["propagation_each_p50_ms"] = times["each_p50_ms"]
        self.figures["propagation_each_p99_ms"] = times["each_p99_ms"]
        arrivals = self.profile.records * len(everyone)
        self.figures["network_bytes_per_record_and_node"] = round(
            (sum(map(self.lan.bytes_of, everyone)) - bytes_before) / 2 / arrivals)
        self.figures["network_cpu_us_per_record_and_node"] = round(
            (self.nodes.cpu_seconds() - cpu_before) * 1e6 / arrivals)
        self.check("visible on every node: half of the records within 200 ms", times["p50_ms"] <= 200, f"{times}")
        self.check("visible on every node: 99 % within 1 s", times["p99_ms"] <= 1000, f"{times}")
        self.identical("identical after propagation", everyone)
        self.figures["node_memory_mib"] = round(self.nodes.memory_mib(), 1)

    def partition(self):
        everyone = self.nodes.all()
        one, other = self.nodes.draw_half()
        self.lan.cut(one, other)
        rate = self.profile.partition_per_second
        count = rate * self.profile.partition_seconds
        begin = time.monotonic()
        sent = self.probe.ask("publish", everyone, seconds=self.profile.partition_seconds + 30, new=count // 2,
                              renewed=count - count // 2, per_second=rate)
        time.sleep(max(0.0, begin + self.profile.partition_seconds - time.monotonic()))
        apart = self.probe.ask("wait", everyone, seconds=0)
        self.check("apart while cut", apart["missing"] >= count, f"{apart['missing']} records missing, {sent}")
        self.lan.mend()
        healed = self.probe.ask("wait", everyone, seconds=60)
        self.figures["heal_s"] = round(healed["ms"] / 1000, 2)
        self.check(f"healed within {_HEAL_SECONDS} s", healed["complete"] and healed["ms"] <= 1000 * _HEAL_SECONDS,
                   f"{healed}")
        self.identical("identical after the partition", everyone)

    def storm(self):
        everyone = self.nodes.all()
        self.nodes.wait_meshed(everyone, 30)
        self.nodes.kill(everyone)
        begin = time.monotonic()
        self.nodes.start(everyone)
        used = self.nodes.cpu_seconds()
        self.nodes.wait_meshed(everyone, 120)
        meshed = time.monotonic() - begin

        def calm():
            before = self.nodes.cpu_seconds()
            time.sleep(1)
            return self.nodes.cpu_seconds() - before < _CALM_LOAD
        wait_until("the nodes to be calm", calm, 120)
        took = time.monotonic() - begin
        self.figures["storm_calm_s"] = round(took, 1)
        self.check(f"calm {_CALM_SECONDS} s after all were restarted", took <= _CALM_SECONDS,
                   f"calm after {took:.1f} s, all connected after {meshed:.1f} s, "
                   f"{self.nodes.cpu_seconds() - used:.1f} s of processor time")
        self.probe.ask("connect", everyone, seconds=60)
        self.identical("identical after the restart", everyone)

    def loss(self):
        everyone = self.nodes.all()
        self.lan.slow(self.logs / "slow-wire.log", 100, 20)
        rate = self.profile.lossy_per_second
        count = rate * self.profile.lossy_seconds
        sent = self.probe.ask("publish", everyone, seconds=self.profile.lossy_seconds + 60, new=count // 2,
                              renewed=count - count // 2, per_second=rate)
        arrived = self.probe.ask("wait", everyone, seconds=120)
        self.figures["lossy_converged_s"] = round(arrived["ms"] / 1000, 1)
        self.check("converges with 20 % loss and 100 ms delay", arrived["complete"], f"{arrived}, {sent}")
        self.identical("identical in spite of loss", everyone)
        self.lan.fast()

    def kill(self):
        everyone = self.nodes.all()
        self.nodes.wait_meshed(everyone, 60)
        dead, living = self.nodes.draw_half()
        count = self.profile.killed_per_second * 4
        sent = self.probe.ask("publish", everyone, seconds=30, new=count, per_second=self.profile.killed_per_second,
                              kill_after=count // 2, pids=self.nodes.pids(dead))
        self.nodes.kill(dead)  # they are dead; this notes it
        spread = self.probe.ask("wait", living, seconds=10)
        self.check("survivors agree", spread["complete"], f"{spread}, living {living}")
        left = self.probe.ask("survivors", living)
        self.figures["kill_only_on_the_dead"] = left["nowhere"]
        self.check("survivors have what was acknowledged a second before", all(
            age < 1000 for age in left["nowhere_age_ms"]), f"{left}, {sent}")
        self.nodes.start(dead)
        self.probe.ask("connect", dead, seconds=60)
        back = self.probe.ask("wait", everyone, seconds=60)
        self.figures["kill_lost"] = back["missing"]
        self.check("no record lost", back["complete"], f"{back}")
        self.identical("identical after the kill", everyone)
