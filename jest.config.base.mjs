import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** One Jest configuration for all packages: tests run on the TypeScript sources of every workspace package. */
export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@hardbound/source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022', experimental: { keepImportAttributes: true } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  setupFiles: [here('./jest.setup.mjs')],
  reporters: ['default', here('./jest.reporter.mjs')],
  testTimeout: 30_000,
  coverageProvider: 'babel',
  collectCoverageFrom: ['src/**/*.ts'],
}
