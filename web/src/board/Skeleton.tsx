import styles from './Skeleton.module.css'

/** How many rows a board has. */
export const SIZE = 10

/** Rows before there is anything to show in them. */
export function Skeleton() {
  return (
    <div className={styles.rows} role="status">
      <span className="visually-hidden">Loading the board</span>
      {Array.from({ length: SIZE }, (_, place) => (
        <div key={place} className={styles.row} aria-hidden="true" style={{ '--place': place }}>
          <span className={styles.disc} />
          <span className={styles.line} />
          <span className={styles.number} />
        </div>
      ))}
    </div>
  )
}
