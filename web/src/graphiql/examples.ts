import actions from './examples/actions.graphql?raw'
import board from './examples/board.graphql?raw'
import live from './examples/live.graphql?raw'
import me from './examples/me.graphql?raw'
import play from './examples/play.graphql?raw'

/** What the tabs hold at the first visit. */
export const EXAMPLES: { query: string; variables?: string }[] = [
  { query: board },
  { query: live },
  { query: me },
  { query: actions },
  { query: play, variables: JSON.stringify({ actionToken: 'the one from issueActionToken' }, null, 2) },
]
