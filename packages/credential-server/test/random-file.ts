const PIECES = [
  '[p]',
  '[q]',
  '[p] # c',
  '[profile p]',
  '[]',
  '[p',
  'p]',
  ' [p]',
  '# [p]',
  '[test profile]',
  '[ p]',
  'aws_access_key_id = old',
  'aws_secret_access_key=old',
  'aws_session_token\t: old',
  'AWS_SESSION_TOKEN = old',
  'aws_access_key_id_old = keep',
  '# aws_access_key_id = keep',
  '  aws_access_key_id = maybe',
  '\taws_session_token = maybe',
  'region = eu-west-1',
  's3 =',
  '  max = 1',
  '',
  '',
  '   ',
  '# c',
  '; c',
  '=',
  ':',
  'x',
  '\u0000\u00ff',
  '\u00e9=\u00e9',
  '\r',
  'é'.repeat(40),
]

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A credentials file, or something like it, as Latin-1. */
export function randomFile(seed: number): { text: string; profile: string } {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const eol = pick(['\n', '\n', '\r\n'])
  const lines = Array.from({ length: Math.floor(random() * 14) }, () => pick(PIECES))
  const start = random() < 0.1 ? '\u00ef\u00bb\u00bf' : ''
  return {
    text: start + lines.join(eol) + (random() < 0.5 ? eol : ''),
    profile: pick(['p', 'p', 'q', 'test profile', 'new']),
  }
}
