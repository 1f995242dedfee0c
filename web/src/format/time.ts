const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const pad2 = (number: number) => String(number).padStart(2, '0')

/** What is left, for a clock: `3d 04:05:06` or `04:05:06`. */
export function clockOf(left: number): string {
  const whole = Math.max(0, left)
  const days = Math.floor(whole / DAY)
  const clock = [
    Math.floor((whole % DAY) / HOUR),
    Math.floor((whole % HOUR) / MINUTE),
    Math.floor((whole % MINUTE) / SECOND),
  ]
  return `${days > 0 ? `${days}d ` : ''}${clock.map(pad2).join(':')}`
}

/** What is left, as an ISO 8601 duration for machines. */
export function durationOf(left: number): string {
  return `PT${Math.max(0, Math.round(left / SECOND))}S`
}

/** How long something takes or has taken, for people: `12 s`, `3 min`, `2 h`. */
export function spanOf(milliseconds: number): string {
  const whole = Math.max(0, milliseconds)
  if (whole < MINUTE) return `${Math.ceil(whole / SECOND)} s`
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`
  return `${Math.floor(whole / HOUR)} h`
}

/** A time of day as the visitor writes it. */
export function timeOf(instant: number | string): string {
  return new Date(instant).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
}
