/** Entries in order: another list of the same board may have updated the rank of one that this list shows. */
export const byRank = <T extends { rank: number }>(entries: T[]): T[] => [...entries].sort((a, b) => a.rank - b.rank)
