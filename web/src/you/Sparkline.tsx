import styles from './Sparkline.module.css'

const WIDTH = 320
const HEIGHT = 64
const EDGE = 4

/** Points on the picture, the lowest value at the foot and the highest at the head. */
function pointsOf(values: readonly number[]): [number, number][] {
  const least = Math.min(...values)
  const range = Math.max(1, Math.max(...values) - least)
  const step = (WIDTH - 2 * EDGE) / Math.max(1, values.length - 1)
  return values.map((value, index) => [
    EDGE + index * step,
    HEIGHT - EDGE - ((value - least) / range) * (HEIGHT - 2 * EDGE),
  ])
}

/** A line through values, without axes. What it says stands in words beside it. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const points = pointsOf(values)
  const [x, y] = points.at(-1) ?? [0, 0]
  const line = points.map((point) => point.map((number) => number.toFixed(1)).join(' ')).join(' L')
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className={styles.sparkline} aria-hidden="true">
      <path className={styles.area} d={`M${EDGE} ${HEIGHT} L${line} L${x} ${HEIGHT} Z`} />
      <path className={styles.line} d={`M${line}`} />
      <circle className={styles.end} cx={x} cy={y} r="3.5" />
    </svg>
  )
}
