// Jest runs tests in a vm context, where errors made by node:fs or node:tls are not `instanceof Error`.
// Without this, code that asks `e instanceof Error` takes another branch under test than in production.
import { types } from 'node:util'

const ordinary = Function.prototype[Symbol.hasInstance]
Object.defineProperty(Error, Symbol.hasInstance, {
  configurable: true,
  value(it) {
    return ordinary.call(this, it) || (this === Error && types.isNativeError(it))
  },
})
