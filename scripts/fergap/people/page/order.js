/* In which order a rater sees the faces: random, the same in every browser, another for each rater. */

/** Returns a function that gives random numbers in [0, 1): xorshift32 (Marsaglia 2003), seeded by FNV-1a of a text. */
function randomStream(text) {
  let x = 2166136261;
  for (const byte of new TextEncoder().encode(text)) x = Math.imul(x ^ byte, 16777619);
  x = x >>> 0 || 1;
  const next = () => {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    return x / 4294967296;
  };
  for (let i = 0; i < 32; i++) next();
  return next;
}

/** Returns a copy of a list in random order (Fisher–Yates). */
function shuffled(list, random) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/**
 * Returns what stands at each place: [{face, repeat}].
 *
 * Every face once, and a share of them (at most 0.3) twice. The faces that come again are those of the first places,
 * a random choice since the order is; their second places lie scattered over the last half, at least a sixth of
 * the sample later.
 */
function viewingOrder(count, share, seed) {
  const random = randomStream(seed);
  const once = shuffled(Array.from({ length: count }, (_, i) => i), random).map((face) => ({ face, repeat: 0 }));
  const again = shuffled(once.slice(0, Math.floor(count / 3)), random).slice(0, Math.round(share * count));
  const half = Math.ceil(count / 2);
  const late = once.slice(half).concat(again.map((view) => ({ face: view.face, repeat: 1 })));
  return once.slice(0, half).concat(shuffled(late, random));
}
