import type { App } from './app.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The methods that a URL has, on the routes of all others: those are refused (RFC 9110, section 15.5.6). */
    allow?: readonly string[]
  }
}

/** Adds routes, and then for each of their URLs one for every method that it does not have. */
export function addRoutes(app: App, add: () => void): void {
  const methods = new Map<string, string[]>()
  app.addHook('onRoute', ({ url, method, config }) => {
    if (!config?.allow) methods.set(url, [...(methods.get(url) ?? []), ...[method].flat()])
  })
  add()
  for (const [url, allow] of methods) {
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !allow.includes(method)),
      config: { allow },
      schema: { hide: true },
      handler: () => null,
    })
  }
}
