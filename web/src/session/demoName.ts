const WORDS = ['nova', 'pixel', 'ember', 'comet', 'onyx', 'lyra', 'orbit', 'sable', 'quill', 'zephyr', 'juno', 'koda']

/** A name for a demo player. */
export function demoName(): string {
  const word = WORDS[Math.floor(Math.random() * WORDS.length)]
  return `${word}-${10 + Math.floor(Math.random() * 90)}`
}
