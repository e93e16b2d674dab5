// Fails if something that can be called or caught has no @notice: every function, event and error of the contract, and
// the contracts themselves. Needs a build.
import { readFileSync } from "node:fs";
import { toFunctionSignature } from "viem";

const CONTRACTS = ["ILanes", "IRegistry", "IVault", "Lanes", "MystToken"];
/** What comes from libraries is documented there. */
const OURS = new Set(["ILanes", "IRegistry", "IVault"]);

const fileOf = (name) => new URL(`../out/${name}.sol/${name}.json`, import.meta.url);
const artifact = (name) => JSON.parse(readFileSync(fileOf(name), "utf8"));

function hasNotice(userdoc, entry) {
  const signature = toFunctionSignature({ ...entry, type: "function" });
  if (entry.type === "function") return userdoc.methods?.[signature]?.notice;
  if (entry.type === "event") return userdoc.events?.[signature]?.notice;
  if (entry.type === "error") return userdoc.errors?.[signature]?.[0]?.notice;
  return userdoc.methods?.constructor?.notice;
}

let checked = 0;
const missing = [];
for (const name of CONTRACTS) {
  const { abi, rawMetadata } = artifact(name);
  const { userdoc } = JSON.parse(rawMetadata).output;
  if (!userdoc.notice) missing.push(name);
  for (const entry of abi) {
    if (!OURS.has(name) && entry.type !== "constructor") continue;
    ++checked;
    if (!hasNotice(userdoc, entry)) missing.push(`${name}: ${entry.type} ${entry.name ?? ""}`);
  }
}
for (const what of missing) console.error(`natspec: ${what} has no @notice`);
console.log(`natspec: ${checked} entries, ${missing.length} without a notice`);
if (missing.length > 0 || checked < 60) process.exitCode = 1;
