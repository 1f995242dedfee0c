import { LeaderboardClient } from 'leaderboard-client'
import { LeaderboardProvider, useBoard, usePlay } from 'leaderboard-client/react'
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'

function Page() {
  const [category, setCategory] = useState('global')
  const { board, connection } = useBoard({ category, limit: 3 })
  const { state, play } = usePlay()
  return (
    <>
      <p role="status">{connection.state}</p>
      <ol>
        {board?.entries.map((entry) => (
          <li key={entry.id}>{`${entry.rank}. ${entry.user.username} ${entry.score}`}</li>
        ))}
      </ol>
      <button onClick={() => play({ actionType: 'COMPLETE_LEVEL' })}>Play</button>
      <button onClick={() => setCategory('arcade')}>arcade</button>
      {state.outcome === 'paid' && (
        <p role="note">{`paid ${state.receipt.scoreDelta}, rank ${state.receipt.currentRank}`}</p>
      )}
    </>
  )
}

const parameters = new URL(location.href).searchParams
const client = new LeaderboardClient({
  url: parameters.get('url'),
  accessToken: () => parameters.get('token'),
})
createRoot(document.getElementById('app')).render(
  <StrictMode>
    <LeaderboardProvider client={client}>
      <Page />
    </LeaderboardProvider>
  </StrictMode>,
)
