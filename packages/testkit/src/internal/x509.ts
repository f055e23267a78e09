// The library refuses to load before its polyfill, and imports of one module are evaluated in their order.
import 'reflect-metadata'

export * from '@peculiar/x509'
