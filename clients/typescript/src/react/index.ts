export { LeaderboardProvider, useLeaderboardClient } from './context.js'
export { type LiveBoard, useBoard } from './useBoard.js'
export { type LivePlayer, usePlayer } from './usePlayer.js'
export { type PlayControls, type PlayState, usePlay } from './usePlay.js'
