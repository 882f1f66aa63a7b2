import { expect, test } from 'vitest'
import { errorText } from '../../src/cli/errors.ts'

test.each([
  ['body/type must be a type', 'TYPE must be a type'],
  ['body/name must be a name', 'NAME must be a name'],
  ['body/txt must have keys', 'KEY=VALUE must have keys'],
  ['body/subtypes/0 must be', '--subtype/0 must be'],
  ['body must have keys', 'KEY=VALUE must have keys'],
  ['body/temperature must be a text', 'temperature must be a text'],
  ['params/id must be an id', 'ID must be an id'],
  ['querystring/service must be', '--service must be'],
  ['the body is not JSON', 'the body is not JSON'],
])('the message %j of the daemon becomes %j', (message, expected) => {
  expect(errorText(new Error(message))).toBe(expected)
})
