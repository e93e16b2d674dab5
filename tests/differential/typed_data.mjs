// Random EIP-712 documents: structs that refer to each other, arrays of one and two dimensions, every plain type.

function plainType(random) {
  const bits = 8 * (1 + random.below(32));
  const size = 1 + random.below(32);
  return random.pick(['address', 'bool', 'string', 'bytes', `bytes${size}`, `uint${bits}`, `int${bits}`]);
}

function plainValue(random, type) {
  if (type === 'address') return random.address();
  if (type === 'bool') return random.below(2) === 1;
  if (type === 'string') return random.text(8);
  if (type === 'bytes') return random.hex(random.below(70));
  if (type.startsWith('bytes')) return random.hex(Number(type.slice(5)));
  if (type.startsWith('uint')) return random.uint(Number(type.slice(4)));
  return random.int(Number(type.slice(3)));
}

function arraySuffix(random) {
  return random.pick(['', '', '', '[]', `[${1 + random.below(3)}]`, '[][2]', `[${1 + random.below(2)}][]`]);
}

function valueOf(random, types, type) {
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array) {
    const length = array[2] === '' ? random.below(4) : Number(array[2]);
    return Array.from({ length }, () => valueOf(random, types, array[1]));
  }
  if (!types[type]) return plainValue(random, type);
  return Object.fromEntries(types[type].map((field) => [field.name, valueOf(random, types, field.type)]));
}

/** Structs S0, S1, …, each of which may contain those after it. */
function structTypes(random) {
  const count = 1 + random.below(4);
  const types = {};
  for (let i = 0; i < count; ++i) {
    types[`S${i}`] = Array.from({ length: random.below(5) }, (_, n) => {
      const later = i + 1 + random.below(count - i - 1);
      const base = i + 1 < count && random.below(2) === 0 ? `S${later}` : plainType(random);
      return { name: `field${n}`, type: base + arraySuffix(random) };
    });
  }
  return types;
}

export function typedData(random) {
  const types = {
    EIP712Domain: [
      { name: 'name', type: 'string' },
      { name: 'version', type: 'string' },
      { name: 'chainId', type: 'uint256' },
      { name: 'verifyingContract', type: 'address' },
    ],
    ...structTypes(random),
  };
  const domain = {
    name: random.text(6),
    version: '1',
    chainId: random.uint(53),
    verifyingContract: random.address(),
  };
  return { types, primaryType: 'S0', domain, message: valueOf(random, types, 'S0') };
}
