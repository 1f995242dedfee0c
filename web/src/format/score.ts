import type { BoardFragment } from '../generated/graphql'

/** How scores of a category are written, as the service says. */
export type Format = BoardFragment['category']['scoreFormat']

const pad = (number: number, length: number) => String(number).padStart(length, '0')
const grouped = (digits: string) => digits.replace(/\B(?=(\d{3})+$)/g, ',')

// The rules are those of `app/domain/scores.py`; one test compares both by the same examples.
function numberText({ kind, digits }: Format, score: number): string {
  if (kind === 'DECIMAL') {
    // By its digits: a quotient of large numbers is not exact.
    const text = String(score).padStart((digits ?? 0) + 1, '0')
    const point = text.length - (digits ?? 0)
    return `${grouped(text.slice(0, point))}.${text.slice(point)}`
  }
  if (kind === 'INTEGER') return grouped(String(score))
  const seconds = Math.floor(score / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const clock = hours > 0 ? `${grouped(String(hours))}:${pad(minutes % 60, 2)}` : String(minutes)
  return `${clock}:${pad(seconds % 60, 2)}.${pad(score % 1000, 3)}`
}

/** A score for people: `12,345`, `123.45`, `1:23.250` or `1:02:03.004`, with the unit if there is one. */
export function scoreText(format: Format, score: number): string {
  return `${score < 0 ? '-' : ''}${numberText(format, Math.abs(score))}${format.unit ? ` ${format.unit}` : ''}`
}

/** A change of a score for people, with its sign. */
export function changeText(format: Format, change: number): string {
  return `${change < 0 ? '' : '+'}${scoreText(format, change)}`
}
