// Sessions, and the policies they satisfy.
export type { SessionCipher } from './commands/start-auth-session.ts'
export { encodePcrSelection, type PcrSelection } from './pcr-selection.ts'
export { type SaltKey, type SessionInit, startHmacSession, startPolicySession } from './start-session.ts'
export { type TrialPolicy, trialPolicy } from './trial-policy.ts'
