/**
 * SHA-256 of SubjectPublicKeyInfos whose private keys are published, so that everybody holds them: a certificate with
 * such a key identifies nobody, whichever CA signed it. From the demonstration certificates of
 * github.com/salrashid123/confidential_space, retrieved 2026-11-22.
 */
export const PUBLISHED_KEYS: ReadonlySet<string> = new Set([
  '2dee66cca86615b486e15eb95c01f9887cb07924ef50df8542c0aae5c791d8d7', // client-svc.domain.com
  '447d9a882f13e1cbf99bf77b9c7993c7a469a3e7f28b211946e5e7a359ce657e', // tee.operatordomain.com
  'fc4d662b65cf102ca2fcc3cf333584d4da3a88e57edc5d42333d80a7e1de1aae', // client.collaborator1.com
  'dbef7b26ddaf5ece6c1717249e9eed46acec38db8c91a22b232b944863cc87d0', // client.collaborator2.com
])
