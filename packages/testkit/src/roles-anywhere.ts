export { withCredentialSets, withCredentials } from './roles-anywhere/answers.ts'
export { awsError, hangs, hugeBody, plainPage, redirects, resets, throttled } from './roles-anywhere/faults.ts'
export { startRolesAnywhere } from './roles-anywhere/start-roles-anywhere.ts'
export type {
  Profile,
  RolesAnywhereCall,
  RolesAnywhereOptions,
  RolesAnywhereRefusalRecord,
  RolesAnywhereRole,
  SessionAnswer,
  TestRolesAnywhere,
  TrustAnchor,
} from './roles-anywhere/test-roles-anywhere.ts'
