"""The chain of the demonstration: anvil, the contracts on it, money for the wallets, and its clock."""

import http.client
import json
from pathlib import Path

from demo.process import DemoError, Process, wait_until
from demo.topology import LAN

CHAIN_ID = 31337
PORT = 8545
RPC_URL = f"http://{LAN['chain']}:{PORT}"
TOKEN = 10**18
SUPPLY = 1_000_000 * TOKEN
ETHER = 10**18
FEE_BPS = 50
WINDOW_SECONDS = 86400
_TREASURY = "0x" + "77" * 20


def find_anvil(root):
    """The anvil that npm has installed below the project's `root`."""
    found = sorted((root / "contracts/node_modules/@foundry-rs").glob("anvil-*/bin/anvil"))
    if not found:
        raise DemoError("anvil is missing: run `npm ci --ignore-scripts` in contracts/ (make demo does)")
    return found[0]


def words(*values):
    """ABI encoding of static values: integers, and addresses as hex strings."""
    return "".join(f"{int(value, 16) if isinstance(value, str) else value:064x}" for value in values)


def unpack(data):
    """The 32-byte words of an answer as integers."""
    digits = data.removeprefix("0x")
    return [int(digits[at:at + 64], 16) for at in range(0, len(digits), 64)]


class Contract:
    """A deployed contract with the selectors of its artifact."""

    def __init__(self, address, artifact):
        self.address = address
        self._selectors = artifact["methodIdentifiers"]

    def data(self, signature, *values):
        return "0x" + self._selectors[signature] + words(*values)


class Chain:
    """Talks JSON-RPC to the anvil it starts in the namespace `chain`."""

    def __init__(self, topology, root, logs):
        self._topology = topology
        self._contracts = Path(root) / "contracts"
        self._logs = logs
        self._dev = ""
        self.treasury = _TREASURY
        self.token = self.lanes = None

    def start(self, anvil):
        home = self._topology.dir / "anvil"
        home.mkdir()
        argv = ["env", f"HOME={home}", anvil, "--host", "0.0.0.0", "--port", PORT, "--chain-id", CHAIN_ID,
                "--block-time", 1, "--mixed-mining", "--cache-path", home / "cache", "--quiet"]
        process = Process("anvil", self._topology.exec("chain", argv), self._logs / "anvil.log")
        wait_until("the chain", lambda: self.rpc("eth_chainId") == hex(CHAIN_ID), 15, log=process.log, process=process)
        self._dev = self.rpc("eth_accounts")[0]

    def rpc(self, method, *parameters):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        connection = http.client.HTTPConnection(LAN["chain"], PORT)
        try:
            connection.sock = self._topology.connect("chain", LAN["chain"], PORT, seconds=20)
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DemoError(f"no answer from the chain to {method}: {error}") from error
        finally:
            connection.close()
        if "error" in answer:
            raise DemoError(f"the chain refused {method}: {answer['error']}")
        return answer["result"]

    def send(self, what, **fields):
        """Sends from the rich account that the chain has unlocked; returns the receipt of a success."""
        digest = self.rpc("eth_sendTransaction", {"from": self._dev, **fields})
        receipt = wait_until(f"the transaction that should {what}",
                             lambda: self.rpc("eth_getTransactionReceipt", digest), 15)
        if int(receipt["status"], 16) != 1:
            raise DemoError(f"the transaction that should {what} was reverted")
        return receipt

    def call(self, contract, signature, *values):
        return unpack(self.rpc("eth_call", {"to": contract.address, "data": contract.data(signature, *values)},
                               "latest"))

    def deploy(self):
        """Puts the token and the lanes contract on the chain."""
        self.token = self._deploy("MystToken", SUPPLY)
        self.lanes = self._deploy("Lanes", self.token.address, self.treasury, FEE_BPS, WINDOW_SECONDS, 0)

    def _deploy(self, name, *arguments):
        path = self._contracts / "out" / f"{name}.sol" / f"{name}.json"
        try:
            artifact = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise DemoError(f"cannot read the compiled contract: {error}\nRun contracts/build.sh first.") from error
        code = artifact["bytecode"]["object"] + words(*arguments)
        return Contract(self.send(f"deploy {name}", data=code)["contractAddress"], artifact)

    def fund(self, address, tokens, ether=100 * ETHER):
        """Gives an address ether for gas and test tokens, both in their smallest unit."""
        self.rpc("anvil_setBalance", address, hex(ether))
        if tokens:
            self.send("fund a wallet", to=self.token.address,
                      data=self.token.data("transfer(address,uint256)", address, tokens))

    def balance(self, address):
        """Tokens of an address."""
        return self.call(self.token, "balanceOf(address)", address)[0]

    def account(self, signer):
        """(free, exiting) of a payer in the lanes contract."""
        free, exiting, _, _ = self.call(self.lanes, "accounts(address)", signer)
        return free, exiting

    def lane(self, signer, provider):
        """(paid, cap) of a lane."""
        paid, cap, _, _ = self.call(self.lanes, "lanes(address,address)", signer, provider)
        return paid, cap

    def registered_key(self, provider):
        """Node key of a registered provider as 64 hex digits, zeros if there is none."""
        return f"{self.call(self.lanes, 'providers(address)', provider)[0]:064x}"

    def advance(self, seconds):
        """Moves the chain's clock and makes a block."""
        self.rpc("evm_increaseTime", hex(seconds))
        self.rpc("evm_mine")
