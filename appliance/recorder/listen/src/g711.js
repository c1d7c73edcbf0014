// G.711 to 16-bit samples, by tables made from the recommendation's own steps (ITU-T G.711; the same values as audioop).

function muLaw(code) {
  const inverted = ~code & 255;
  const magnitude = (((inverted & 15) << 3) + 132) << ((inverted >> 4) & 7);
  return inverted & 128 ? 132 - magnitude : magnitude - 132;
}

function aLaw(code) {
  const toggled = code ^ 0x55;
  const exponent = (toggled >> 4) & 7;
  const base = ((toggled & 15) << 4) + (exponent ? 264 : 8);
  const magnitude = base << Math.max(0, exponent - 1);
  return toggled & 128 ? magnitude : -magnitude;
}

const table = (decode) => Int16Array.from({ length: 256 }, (_, code) => decode(code));

export const TABLES = { PCMU: table(muLaw), PCMA: table(aLaw) };
