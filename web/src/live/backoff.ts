const SHORTEST = 500
const LONGEST = 10_000

/** Milliseconds to wait after so many failures in a row: growing, bounded, and random, for all come back at once. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST, SHORTEST * 2 ** failures)
  return ceiling * (0.5 + random() / 2)
}
