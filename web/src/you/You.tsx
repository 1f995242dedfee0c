import type { Period, ReadStandingQuery } from '../generated/graphql'
import { Notice, ProblemText } from '../page/Notice'
import { numberOf } from '../page/number'
import { useYou } from './useYou'
import styles from './You.module.css'

interface Props {
  userId: string
  category: string
  period: Period
  /** Changes when there may be news. */
  pulse: unknown
}

type Standing = NonNullable<ReadStandingQuery['userRank']>

function Summary({ standing }: { standing: Standing }) {
  if (standing.rank == null) return <p className={styles.hint}>No points here yet.</p>
  return (
    <dl className={styles.summary}>
      <div>
        <dt>Rank</dt>
        <dd>{numberOf(standing.rank)}</dd>
      </div>
      <div>
        <dt>Points</dt>
        <dd>{numberOf(standing.score)}</dd>
      </div>
      <div>
        <dt>Ahead of</dt>
        <dd>{standing.percentile == null ? '–' : `${Math.floor(standing.percentile)} %`}</dd>
      </div>
    </dl>
  )
}

/** Where you stand. */
export function You({ userId, category, period, pulse }: Props) {
  const { standing, problem } = useYou(userId, category, period, pulse)
  return (
    <section className="card" aria-labelledby="you">
      <h2 id="you">You</h2>
      {standing === null && problem === null && <p className={styles.hint}>Looking you up…</p>}
      {standing !== null && <Summary standing={standing} />}
      {problem !== null && (
        <Notice tone="bad">
          <ProblemText problem={problem.problem} at={problem.at} />
        </Notice>
      )}
    </section>
  )
}
