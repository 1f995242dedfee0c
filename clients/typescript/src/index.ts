export { type Perform, play, type PlayResult } from './actions/play.js'
export {
  type ActionRequest,
  type ActionStarted,
  type Receipt,
  startAction,
  type StartRefusal,
  type Submission,
  submitAction,
  type SubmitOptions,
  type SubmitRefusal,
} from './actions/submit.js'
export {
  type Board,
  type BoardUpdate,
  type BoardView,
  type Entry,
  type RankChange,
  readBoard,
  watchBoard,
} from './boards/watchBoard.js'
export { type Action, type Category, readActions, readCategories } from './catalogue/catalogue.js'
export { type ClientOptions, LeaderboardClient, type WebSocketConstructor } from './client.js'
export type { ErrorCode, Period, ScoreFormatKind, SortOrder } from './generated/operations.js'
export type { Connection, TransportName } from './live/connection.js'
export { type Observer, type Source, type Watch, watch, type WatchState } from './live/watch.js'
export {
  type Player,
  type PlayerUpdate,
  type PlayerView,
  readPlayer,
  type Standing,
  watchPlayer,
} from './players/watchPlayer.js'
export type { Document } from './requests/document.js'
export { execute, type ExecuteOptions } from './requests/execute.js'
export { type Failure, isTemporary, LeaderboardError } from './requests/failure.js'
export type { GetAccessToken } from './session/accessTokens.js'
