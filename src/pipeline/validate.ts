import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Issue, OutputError, ValidationError, withoutStack } from '../errors.js'
import { then } from './settle.js'

type Result = StandardSchemaV1.Result<unknown>
type Fail = (issues: readonly Issue[]) => Error

/** Reads an input through its schema; answers a promise only where the schema does. @throws ValidationError */
export function readInput(schema: StandardSchemaV1, value: unknown, source: string, name?: string): unknown {
  const where = name === undefined ? [] : [name]
  return run(schema, value, source, where, issues => withoutStack(() => new ValidationError(issues)))
}

/** Reads what a handler returned through the route's output schema. @throws OutputError */
export function readOutput(schema: StandardSchemaV1, value: unknown, handler: string): unknown {
  return run(schema, value, 'output', [], issues => new OutputError(handler, issues))
}

function run(schema: StandardSchemaV1, value: unknown, source: string, where: readonly string[], fail: Fail): unknown {
  const settle = (result: Result) => {
    if (result.issues === undefined) return result.value
    throw fail(result.issues.map(issue => toIssue(issue, source, where)))
  }
  return then<Result, unknown>(schema['~standard'].validate(value), settle)
}

function toIssue(issue: StandardSchemaV1.Issue, source: string, where: readonly string[]): Issue {
  const path = (issue.path ?? []).map(step => {
    const key = typeof step === 'object' ? step.key : step
    return typeof key === 'number' ? key : String(key)
  })
  return { in: source, path: [...where, ...path], message: issue.message }
}
