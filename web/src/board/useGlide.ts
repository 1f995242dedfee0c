import { type RefObject, useLayoutEffect, useRef } from 'react'

const DURATION = 650
const EASING = 'cubic-bezier(0.22, 1, 0.36, 1)'
const STILL = matchMedia('(prefers-reduced-motion: reduce)')

/**
 * Lets the row with the returned ref glide to its new place in a list of equally high rows. A row that is still on its way turns from where it
 * is seen: the animation runs on the element, which survives being moved in the document, unlike a CSS transition.
 */
export function useGlide<T extends HTMLElement>(place: number): RefObject<T | null> {
  const row = useRef<T>(null)
  const last = useRef<number | null>(null)
  const gliding = useRef<Animation | null>(null)

  useLayoutEffect(() => {
    const element = row.current
    const before = last.current
    last.current = place
    if (element === null || before === place || STILL.matches) return
    if (before === null) {
      element.animate([{ opacity: 0, transform: 'translateY(40%)' }, {}], { duration: DURATION, easing: EASING })
      return
    }
    const underway =
      gliding.current?.playState === 'running' ? new DOMMatrix(getComputedStyle(element).transform).m42 : 0
    const from = (before - place) * element.offsetHeight + underway
    gliding.current?.cancel()
    const glide = element.animate([{ transform: `translateY(${from}px)` }, { transform: 'none' }], {
      duration: DURATION,
      easing: EASING,
    })
    gliding.current = glide
    // Who rises passes in front of who falls. As a part of the animation it would keep it off the compositor.
    element.style.zIndex = from > 0 ? '1' : ''
    glide.onfinish = () => {
      element.style.zIndex = ''
    }
  }, [place])
  return row
}
