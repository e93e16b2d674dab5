"""Steps 5, 6 and 8: a paid download, a provider that is killed in the middle of one, a client that stops paying."""

import time

from demo import checks
from demo.daemons import COUNTRY, CREDIT_BYTES, PRICE_GIB, tokens
from demo.downloads import Download
from demo.ledgerfile import held_total
from demo.process import DemoError
from demo.stage import MIB, tokens_short

_LOOK_EVERY = 0.25


def _follow(stage, role, download, until, seconds, *, resume=False):
    """Shows a download until `until()` is true or it is complete; returns whether it is complete."""
    deadline = time.monotonic() + seconds
    looked = 0.0
    while time.monotonic() < deadline:
        if download.step(resume=resume):
            return True
        if until is not None and until():
            return False
        if time.monotonic() - looked >= _LOOK_EVERY:
            stage.show(download, stage.connection(role))
            looked = time.monotonic()
        time.sleep(0.01)
    raise DemoError(f"the download of {role} did not get on within {seconds} s: {download.size} bytes so far, "
                    f"connection {stage.connection(role)}")


def download(stage):
    """The whole file by name, through the tunnel, paid chunk by chunk."""
    file = stage.site.files["first.bin"]
    began = time.monotonic()
    loading = Download(stage.topology, "client", file, stage.logs)
    loading.start()
    _follow(stage, "client", loading, None, 90)
    took = time.monotonic() - began
    connection = stage.connection("client")
    stage.figures.bytes_down += loading.size
    stage.screen.fact(f"{loading.size / MIB:.0f} MiB in {took:.1f} s, {loading.size * 8 / took / 1e6:.0f} Mbit/s, "
                      f"paid {tokens_short(int(connection['paid']))} in {connection['vouchers']} vouchers")
    stage.check("first_file_intact", loading.correct(), f"SHA-256 {file.sha256[:16]}…")


def kill_provider(stage):
    """SIGKILL in the middle of a paid download, a new start, and the rest of the file."""
    file = stage.site.files["second.bin"]
    loading = Download(stage.topology, "client", file, stage.logs)
    loading.start()
    if _follow(stage, "client", loading, lambda: loading.size >= file.size // 4, 60):
        raise DemoError("the second file was complete before the provider could be killed: use a larger --mib")
    provider, ledger = stage.nodes["provider"], stage.ledgers["client"]
    session = stage.connection("client")["session"]
    provider.kill()
    acknowledged = _acknowledged_at_death(stage)
    held = held_total(provider.folder, stage.topology.dir / "ledger-copy", stage.wallets["client"]["signer"])
    stage.figures.lost_vouchers = checks.lost_vouchers(acknowledged, held, PRICE_GIB)
    stage.screen.fact(f"provider killed after {loading.size / MIB:.0f} MiB; its disk holds {tokens_short(held)}, "
                      f"acknowledged were {tokens_short(acknowledged)}")
    stage.check("no_voucher_lost", acknowledged > 0 and stage.figures.lost_vouchers == 0,
                f"{stage.figures.lost_vouchers} acknowledged vouchers lost")
    began = time.monotonic()
    _restart_provider(stage)
    stage.wait_connected("client", 45, not_session=session)
    stage.screen.fact(f"connected again by itself {time.monotonic() - began:.1f} s after the new start, "
                      f"{len(ledger.sessions)} sessions so far")
    _follow(stage, "client", loading, None, 60, resume=True)
    stage.figures.bytes_down += loading.size
    stage.check("second_file_intact", loading.correct(),
                f"SHA-256 {file.sha256[:16]}…, resumed {loading.resumed} times")


def _acknowledged_at_death(stage):
    """What the client saw acknowledged, once two looks in a row agree: the dead provider sends nothing more."""
    seen = -1
    while True:
        stage.connection("client")
        now = stage.ledgers["client"].acknowledged()
        if now == seen:
            return now
        seen = now


def _restart_provider(stage):
    """Starts the killed daemon as its operator would have it: it sells again by itself."""
    settings = dict(stage.settings["provider"])
    settings["provider"] = {**settings["provider"], "autostart": True}
    provider = stage.nodes["provider"]
    provider.configure(settings)
    provider.start()
    provider.wait_ready()
    provider.wait_for("the provider to sell again", lambda: provider.ask("provider", "status")["running"], 20)


def stop_paying(stage):
    """The second client's daemon is stopped in mid-download; its tunnel is not, and would go on for free."""
    client, signer = stage.nodes["client2"], stage.wallets["client2"]["signer"]
    client.ask("connect", "--country", COUNTRY, timeout=60)
    stage.wait_connected("client2", 30)
    file = stage.site.files["first.bin"]
    loading = Download(stage.topology, "client2", file, stage.logs)
    loading.start()
    if _follow(stage, "client2", loading, lambda: loading.size >= file.size // 4, 60):
        raise DemoError("the file was complete before the client could stop paying: use a larger --mib")
    client.freeze()
    at_freeze = loading.size
    stalled = loading.stalled()
    stage.check("cut_off", stalled and loading.size < file.size,
                f"nothing more for 2 s, {(loading.size - at_freeze) / 1024:.0f} KiB after it stopped paying")
    sold = stage.provided(signer)[0]
    forwarded, paid = sold["traffic"]["up"] + sold["traffic"]["down"], int(sold["paid"])
    bought = checks.bytes_paid_for(paid, PRICE_GIB)
    stage.figures.overrun_bytes = checks.overrun(forwarded, paid, PRICE_GIB, CREDIT_BYTES)
    stage.check("overrun_bounded", stage.figures.overrun_bytes <= checks.OVERRUN_LIMIT,
                f"forwarded {forwarded}, paid for {bought}, credit {CREDIT_BYTES}, "
                f"overrun {stage.figures.overrun_bytes}")
    stage.check("overrun_seen_by_client", loading.size <= bought + CREDIT_BYTES + checks.OVERRUN_LIMIT,
                f"curl has {loading.size} bytes")
    loading.abandon()
    client.thaw()
    stage.screen.fact(f"the provider holds vouchers of {tokens(paid)} from it")
