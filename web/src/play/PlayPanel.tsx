import { useQuery } from '@apollo/client/react'
import { useState } from 'react'
import { useStore } from '../api/store'
import { ReadActionsDocument } from '../generated/graphql'
import { useClients } from '../page/clients'
import { demoName } from '../session/demoName'
import { ActionCard } from './ActionCard'
import { type Action, playAction, type Progress } from './playAction'
import styles from './PlayPanel.module.css'
import { Steps } from './Steps'

/** In development: the whole loop of an action in one click, and what happens on the way. */
export function PlayPanel({ category }: { category: string }) {
  const { apollo, session } = useClients()
  const identity = useStore(session.identity)
  const { data } = useQuery(ReadActionsDocument, { variables: { category } })
  const [progress, setProgress] = useState<Progress | null>(null)
  const isBusy = progress !== null && ['asking', 'playing', 'submitting'].includes(progress.step)

  const play = async (action: Action, difficulty: string | null) => {
    setProgress({ step: 'asking' })
    try {
      if (identity.state !== 'signed-in') await session.signInAsDemo(demoName())
    } catch {
      setProgress({ step: 'failed', problem: { kind: 'network' }, at: Date.now() })
      return
    }
    await playAction(apollo, action, difficulty, setProgress)
  }

  const actions = (data?.actions ?? []).filter((action) => action.enabled && action.kind === 'FIXED')
  const format = actions[0]?.category.scoreFormat
  if (format === undefined) return null
  return (
    <section className="card" aria-labelledby="play">
      <h2 id="play">Play an action</h2>
      <p className={styles.hint}>
        {identity.state === 'signed-in' ? `As ${identity.username}.` : 'You get a demo player with the first click.'}{' '}
        Shown in development only.
      </p>
      <ul className={styles.actions}>
        {actions.map((action) => (
          <ActionCard
            key={action.id}
            action={action}
            isDisabled={isBusy}
            onPlay={(...choice) => void play(...choice)}
          />
        ))}
      </ul>
      <Steps progress={progress} format={format} />
    </section>
  )
}
