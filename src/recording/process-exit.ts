/** Something whose records a process should not forget when it ends. */
export interface ExitParticipant {
  hasPending(): boolean
  /** Writes what is pending, in bounded time. */
  drain(): Promise<void>
  /** The process ends now; only synchronous work is possible. */
  reportUnwritten(): void
}

const participants = new Map<ExitParticipant, { isGivenUp: boolean }>()

/** A script that simply ends still writes its records, and one that is cut short says how many were left. Returns the way out. */
export function watchProcessExit(participant: ExitParticipant): () => void {
  if (participants.size === 0) {
    process.on('beforeExit', drainAll)
    process.on('exit', reportAll)
  }
  participants.set(participant, { isGivenUp: false })
  return () => {
    if (!participants.delete(participant) || participants.size > 0) return
    process.off('beforeExit', drainAll)
    process.off('exit', reportAll)
  }
}

// Node emits `beforeExit` again after the work it caused: a store that stays away must not keep the process for ever.
function drainAll(): void {
  for (const [participant, state] of participants) {
    if (state.isGivenUp || !participant.hasPending()) continue
    void participant.drain().then(() => {
      state.isGivenUp = participant.hasPending()
    })
  }
}

function reportAll(): void {
  for (const participant of participants.keys()) if (participant.hasPending()) participant.reportUnwritten()
}
