import type { JsonSchema } from './json-schema.js'
import type { SecurityScheme } from './security.js'

/** A scheme in AsyncAPI's words, which are those of OpenAPI for `http` and `openIdConnect` (AsyncAPI 3.0, "Security Scheme Object"). */
export function asyncSchemeOf(scheme: SecurityScheme): JsonSchema {
  if (scheme.type === 'apiKey') return { ...scheme, type: 'httpApiKey' }
  if (scheme.type === 'mutualTLS') return { ...scheme, type: 'X509' }
  if (scheme.type === 'oauth2') return { ...scheme, flows: flowsOf(scheme.flows) }
  return scheme
}

function flowsOf(flows: unknown): JsonSchema {
  return Object.fromEntries(
    Object.entries(Object(flows)).map(([name, flow]) => {
      const { scopes, ...rest } = Object(flow) as JsonSchema
      return [name, { ...rest, availableScopes: scopes ?? {} }]
    }),
  )
}
