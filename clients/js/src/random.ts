/** 128 random bits in hex. crypto.randomUUID is lacking on pages without https. */
export const drawId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");
