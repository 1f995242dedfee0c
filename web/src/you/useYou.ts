import { useQuery } from '@apollo/client/react'
import { useEffect, useState } from 'react'
import { type Problem, problemOf } from '../api/problem'
import { type Period, ReadStandingDocument, type ReadStandingQuery } from '../generated/graphql'

/** Requests are limited per minute, and another tab may be asking as well. */
const EVERY = 3_000

interface You {
  standing: ReadStandingQuery['userRank'] | null
  problem: { problem: Problem; at: number } | null
}

/** Where a user stands, read again when `pulse` changes, at most every three seconds and not while told to wait. */
export function useYou(userId: string, category: string, period: Period, pulse: unknown): You {
  const { data, error, refetch } = useQuery(ReadStandingDocument, { variables: { userId, category, period } })
  const [problem, setProblem] = useState<You['problem']>(null)
  const beat = useThrottled(pulse, EVERY)

  useEffect(() => {
    setProblem(error === undefined ? null : { problem: problemOf(error), at: Date.now() })
  }, [error])

  useEffect(() => {
    const wait = problem !== null && 'retryAfter' in problem.problem ? problem.problem.retryAfter * 1000 : 0
    const timer = setTimeout(() => void refetch().catch(() => {}), wait)
    return () => clearTimeout(timer)
  }, [beat, refetch, problem])

  return { standing: data?.userRank ?? null, problem }
}

/** The value, changing at most every so many milliseconds. The last one is never lost. */
function useThrottled<T>(value: T, every: number): T {
  const [kept, setKept] = useState({ value, at: 0 })
  useEffect(() => {
    if (value === kept.value) return
    const timer = setTimeout(() => setKept({ value, at: Date.now() }), Math.max(0, kept.at + every - Date.now()))
    return () => clearTimeout(timer)
  }, [value, every, kept])
  return kept.value
}
